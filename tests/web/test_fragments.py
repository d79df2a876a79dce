"""Jobs on a plugin's own pages: what they show, that everything is escaped, and what is missing."""

import re
from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.template import Context, Template
from django.urls import path, reverse
from django.utils import timezone

from netbox_jobs.lifecycle import claim, requeue
from netbox_jobs.models import JobAttempt, JobLogEntry, PausedQueue, Progress
from netbox_jobs.templatetags.netbox_jobs import register
from tests.app.jobs import Erring, Failing, Plain, Talking
from tests.app.models import TextThing, Thing, UUIDThing
from tests.processes import ROOT
from tests.web.helpers import POLLED, TAGS, client_of, make_running, render, url, url_of_objects, user

pytestmark = [pytest.mark.django_db, pytest.mark.once]


EVIL = '<script>alert("x")</script>\x1b[31mred\x1b[0m\u202egnp.exe'


# Text of others


def test_whatever_a_job_says_is_escaped_and_kept_apart(thing):
    name = (EVIL + '\0').replace('\0', '')
    owner = user('"><script>alert(2)</script>')
    job = Failing.enqueue(instance=thing, user=owner, name=name, message=EVIL + '\0', immediate=True)
    JobLogEntry.objects.create(job=job, level='<b>', message=f'{EVIL}\n{EVIL}')
    Progress.objects.create(job=job, current=1, total=3, message=EVIL)
    running = make_running(Plain.enqueue(instance=thing, user=owner, name=name, argument='<script>secret'))
    Progress.objects.create(job=running, current=1, total=3, message=EVIL)
    JobLogEntry.objects.create(job=running, level='info', message=EVIL)
    client = client_of(owner)
    pages = [client.get(url(kind, row)).content.decode() for kind in POLLED for row in (job, running)]
    pages += [client.get(url_of_objects(thing)).content.decode(), render(TAGS, owner, job=running, thing=thing)]
    for page in pages:
        assert '<script' not in page
        assert '\x1b' not in page
        assert '\0' not in page
        assert 'secret' not in page  # arguments are not shown to users of plugins
        assert not re.search(r'\sstyle=|\son\w+=', page)  # what a strict Content-Security-Policy would refuse
    for page in pages[2:]:
        assert '&lt;script&gt;' in page
        # Text that runs from right to left ends where its element does.
        assert '\u202e' not in re.sub(r'<bdi.*?</bdi>|"[^"]*"', '', page, flags=re.DOTALL)


@pytest.mark.parametrize('kind', POLLED)
def test_a_megabyte_of_text_is_cut(kind, thing):
    owner = user('owner')
    job = Failing.enqueue(instance=thing, user=owner, message='x' * 1_000_000, immediate=True)
    JobLogEntry.objects.create(job=job, level='info', message='y' * 1_000_000)
    page = client_of(owner).get(url(kind, job)).content.decode()
    assert len(page) < 20_000
    if kind == 'log':
        assert 'and 996,000 more characters' in page


# What is shown


def test_the_status_is_a_word_and_a_sign(thing):
    owner = user('owner')
    jobs = {
        'Pending': Plain.enqueue(user=owner),
        'Scheduled': Plain.enqueue(user=owner, schedule_at=timezone.now() + timedelta(hours=1)),
        'Running': make_running(Plain.enqueue(user=owner)),
        'Stopping': make_running(Plain.enqueue(user=owner), stopping=timezone.now()),
        'Completed': Plain.enqueue(user=owner, immediate=True),
        'Failed': Failing.enqueue(user=owner, immediate=True),
        'Errored': Erring.enqueue(user=owner, immediate=True),
    }
    signs = set()
    for word, job in jobs.items():
        page = render('{% load netbox_jobs %}{% job_status job %}', owner, job=job)
        assert f'<span>{word}</span>' in page
        signs.add(re.search('<svg.*</svg>', page, re.DOTALL).group())
    assert len(signs) == len(jobs)


def test_progress_tells_how_far_how_fast_and_how_long(thing):
    owner = user('owner')
    job = make_running(Plain.enqueue(instance=thing, user=owner))
    began = timezone.now() - timedelta(seconds=10)
    Progress.objects.create(
        job=job, current=120, total=480, message='Storing', began=began, updated=began + timedelta(seconds=3)
    )
    page = client_of(owner).get(url('progress', job)).content.decode()
    for words in ('value="25"', '25%', 'Storing', '120\xa0of\xa0480', '40\xa0per\xa0second', 'about\xa09\xa0s\xa0left'):
        assert words in page


def test_progress_without_a_total_has_a_bar_without_a_value(thing):
    owner = user('owner')
    job = make_running(Plain.enqueue(instance=thing, user=owner))
    for current in None, 7:
        if current:
            Progress.objects.create(job=job, current=current)
        bar = re.search('<progress[^>]*>', client_of(owner).get(url('progress', job)).content.decode()).group()
        assert 'value' not in bar


def test_what_an_earlier_attempt_told_is_not_shown(thing):
    owner = user('owner')
    job = make_running(Plain.enqueue(instance=thing, user=owner), attempt=2)
    Progress.objects.create(job=job, attempt=1, current=90, total=100)
    page = client_of(owner).get(url('progress', job)).content.decode()
    assert '90%' not in page
    assert 'attempt 2' in page


def test_a_job_says_that_its_schedule_or_its_queue_is_paused(thing):
    owner = user('owner')
    job = Plain.enqueue_once(instance=thing, user=owner, interval=60, schedule_at=timezone.now() + timedelta(hours=1))
    assert 'due at' in client_of(owner).get(url('progress', job)).content.decode()
    job.schedule.pause()
    page = client_of(owner).get(url('progress', job)).content.decode()
    assert 'its schedule is paused' in page
    assert 'due at' not in page
    PausedQueue.pause('low')
    waiting = Plain.enqueue(instance=thing, user=owner, queue_name='low')
    assert 'the queue low is paused' in client_of(owner).get(url('progress', waiting)).content.decode()


def test_a_job_that_has_ended_without_a_known_total_has_no_bar(thing):
    owner = user('owner')
    job = Plain.enqueue(instance=thing, user=owner, immediate=True)
    Progress.objects.create(job=job, attempt=1, current=12, total=None)
    assert '<progress' not in client_of(owner).get(url('progress', job)).content.decode()


def test_a_job_that_is_to_be_tried_again_says_why_and_when(thing):
    owner = user('owner')
    job = make_running(Plain.enqueue(instance=thing, user=owner))
    claim.take_hold(job)
    assert requeue.requeue(job, 3600, after='ConnectionError()')
    assert JobAttempt.objects.get(job=job).error == 'ConnectionError()'
    page = client_of(owner).get(url('progress', job)).content.decode()
    for words in ('Scheduled', 'attempt 2 is due at', 'ConnectionError()'):
        assert words in page


def test_the_log_is_its_tail_with_levels(thing):
    owner = user('owner')
    job = Talking.enqueue(instance=thing, user=owner, lines=30, immediate=True)
    JobLogEntry.objects.create(job=job, level='warning', message='beware')
    tail = render('{% load netbox_jobs %}{% job_log job lines=5 %}', owner, job=job)
    assert [f'line {number} of 30' in tail for number in (26, 27, 30)] == [False, True, True]
    assert 'There are earlier lines.' in tail
    grave = render("{% load netbox_jobs %}{% job_log job level='warning' %}", owner, job=job)
    assert 'beware' in grave
    assert 'line 30' not in grave


@pytest.mark.parametrize(
    'make', [Thing.objects.create, UUIDThing.objects.create, lambda: TextThing.objects.create(code='a/b?&"c')]
)
def test_objects_with_any_key_are_asked_for_again_by_their_own_address(make):
    owner, thing = user('owner'), make()
    Plain.enqueue(instance=thing, user=owner, name='about this')
    page = render('{% load netbox_jobs %}{% object_jobs thing %}', owner, thing=thing)
    address = re.search('data-live-url="([^"]+)"', page).group(1).replace('&amp;', '&')
    assert 'about this' in client_of(owner).get(address).content.decode()


@pytest.mark.parametrize('query', ['type=x', 'limit=-1', 'limit=x', f'type={10**30}'])
def test_an_address_that_makes_no_sense_is_not_found(query, thing):
    assert client_of(user('owner')).get(f'{reverse("netbox_jobs:objects")}?{query}').status_code == 404


def test_fragments_are_asked_for_again_until_the_job_has_ended(thing):
    owner = user('owner')
    job = Plain.enqueue(instance=thing, user=owner)
    assert render(TAGS, owner, job=job, thing=thing).count('data-live-url') == 4
    job.cancel()
    page = render(TAGS, owner, job=job, thing=thing)
    assert 'data-live-url' not in page
    assert [b'data-live-url' in client_of(owner).get(url(kind, job)).content for kind in POLLED] == [False] * 3


def test_what_is_due_later_is_asked_for_less_often(thing):
    owner = user('owner')
    soon = Plain.enqueue(instance=thing, user=owner)
    later = Plain.enqueue(instance=thing, user=owner, schedule_at=timezone.now() + timedelta(hours=1))
    tag = '{% load netbox_jobs %}{% job_status job %}'
    assert 'data-live-every="2000"' in render(tag, owner, job=soon)
    assert 'data-live-every="10000"' in render(tag, owner, job=later)


@pytest.mark.parametrize('kind', POLLED)
def test_what_has_not_changed_is_not_sent_again(kind, thing):
    owner = user('owner')
    client, job = client_of(owner), Plain.enqueue(instance=thing, user=owner)
    first = client.get(url(kind, job))
    again = client.get(url(kind, job), headers={'if-none-match': first['ETag']})
    assert (again.status_code, again.content) == (304, b'')
    job.cancel()
    JobLogEntry.objects.create(job=job, level='info', message='changed')
    assert client.get(url(kind, job), headers={'if-none-match': first['ETag']}).status_code == 200


def test_no_cache_keeps_an_answer(thing):
    owner = user('owner')
    answer = client_of(owner).get(url('log', Plain.enqueue(instance=thing, user=owner)))
    assert 'no-store' in answer['Cache-Control']
    assert 'private' in answer['Cache-Control']
    assert 'Cookie' in answer['Vary']


# Where something is missing

urlpatterns = [path('', lambda request: HttpResponse('home'))]


def test_in_a_project_without_the_addresses_the_tags_still_show_what_is(settings, thing):
    settings.ROOT_URLCONF = __name__
    root = user('root', is_superuser=True, is_staff=True)
    job = Plain.enqueue(instance=thing, name='still shown')
    page = render(TAGS, root, job=job, thing=thing)
    assert 'still shown' in page
    assert 'Pending' in page
    assert 'data-live' not in page.replace('data-live-key', '').replace('data-live-follow', '')
    assert '<form' not in page
    assert '<a ' not in page


def test_with_redis_down_pages_open_and_jobs_are_stopped(settings, thing):
    settings.RQ_QUEUES = {'default': {'URL': 'redis://127.0.0.1:1/0'}}
    owner = user('owner')
    job = make_running(Plain.enqueue(instance=thing, user=owner))
    client = client_of(owner)
    assert [client.get(url(kind, job)).status_code for kind in POLLED] == [200] * 3
    assert client.get(url_of_objects(thing)).status_code == 200
    assert client.post(url('stop', job)).status_code == 302
    job.refresh_from_db()
    assert job.stopping is not None


def test_the_assets_are_one_style_sheet_and_one_script_by_address():
    page = Template('{% load netbox_jobs %}{% netbox_jobs_assets %}').render(Context())
    assert re.findall('(?:href|src)="([^"]+)"', page) == ['/static/netbox_jobs/jobs.css', '/static/netbox_jobs/live.js']
    assert not re.search(r'<script[^>]*>[^<]|<style', page)


# What is written about it


def test_the_style_sheet_begins_with_all_of_its_variables_and_the_page_has_all_tags():
    style = (ROOT / 'netbox_jobs/static/netbox_jobs/jobs.css').read_text()
    header, rules = style.split('*/', 1)
    assert set(re.findall(r'--nbj-[\w-]+', header)) == set(re.findall(r'--nbj-[\w-]+', rules))
    page = (ROOT / 'docs' / 'how-to' / 'pages.md').read_text()
    assert set(re.findall(r'^\| `\{% (\w+)', page, re.MULTILINE)) == set(register.tags)

"""Jobs on a plugin's own pages: who sees what, that everything is escaped, and what it costs."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, Permission
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.http import HttpResponse
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import path, reverse
from django.utils import timezone

from example_plugin.models import Source
from netbox_jobs import permissions
from netbox_jobs.lifecycle import claim, requeue
from netbox_jobs.models import Job, JobAttempt, JobLogEntry, PausedQueue, Progress, database
from netbox_jobs.templatetags.netbox_jobs import register
from tests.app.jobs import Erring, Failing, Plain, Talking
from tests.app.models import TextThing, Thing, UUIDThing
from tests.processes import ROOT

pytestmark = pytest.mark.django_db

POLLED, POSTED = ('status', 'progress', 'log'), ('stop', 'retry')
EVIL = '<script>alert("x")</script>\x1b[31mred\x1b[0m\u202egnp.exe'
TAGS = '{% load netbox_jobs %}{% job_status job %}|{% job_progress job %}|{% job_log job %}|{% object_jobs thing %}'


@pytest.fixture
def thing():
    return Thing.objects.create()


def user(name, *codenames, **kwargs):
    made = get_user_model().objects.create_user(name, **kwargs)
    made.user_permissions.set(Permission.objects.filter(content_type__app_label='netbox_jobs', codename__in=codenames))
    return made


def client_of(somebody):
    client = Client()
    if somebody is not None:
        client.force_login(somebody)
    return client


def url(name, job):
    return reverse(f'netbox_jobs:{name}', args=[getattr(job, 'pk', job)])


def url_of_objects(thing, **query):
    object_type = Plain.enqueue(instance=thing).object_type_id
    parts = {'type': object_type, 'id': str(thing.pk), 'db': '', **query}
    return reverse('netbox_jobs:objects') + '?' + '&'.join(f'{key}={value}' for key, value in parts.items())


def make_running(job, **values):
    values = {'status': 'running', 'worker': 'w', 'started': timezone.now(), 'attempt': 1, **values}
    Job.objects.filter(pk=job.pk).update(**values)
    job.refresh_from_db()
    return job


def render(text, somebody, **context):
    request = RequestFactory().get('/')
    request.user = somebody
    return Template(text).render(Context({'request': request, **context}))


# Who sees what


@pytest.mark.parametrize('who', ['visitor', 'stranger', 'stranger who may do everything but see', 'gone owner'])
def test_who_may_not_see_a_job_is_told_the_same_as_if_there_were_none(who, thing):
    owner = user('owner')
    somebody = {
        'visitor': None,
        'stranger': user('stranger'),
        'stranger who may do everything but see': user('other', 'cancel_job', 'retry_job', 'delete_job'),
        'gone owner': owner,
    }[who]
    waiting = Plain.enqueue(instance=thing, user=owner)
    ended = Plain.enqueue(instance=thing, user=owner, immediate=True)
    nobodys = Plain.enqueue(instance=thing)
    client = client_of(somebody)
    if who == 'gone owner':
        get_user_model().objects.filter(pk=owner.pk).update(is_active=False)
    for name in POLLED:
        nothing = client.get(url(name, 10**9))
        assert nothing.status_code == 404
        for job in waiting, ended, nobodys:
            answer = client.get(url(name, job))
            assert (answer.status_code, answer.content) == (404, nothing.content)
    for name in POSTED:
        for job in waiting, ended, nobodys, 10**9:
            assert client.post(url(name, job)).status_code == 404
    waiting.refresh_from_db()
    assert waiting.status == 'pending'
    assert not Job.objects.filter(retry_of__isnull=False).exists()


@pytest.mark.parametrize('somebody', [None, 'stranger'])
def test_the_list_of_an_object_holds_nothing_of_what_one_may_not_see(somebody, thing):
    Plain.enqueue(instance=thing, user=user('owner'), name='secret')
    client = client_of(somebody and user(somebody))
    answer = client.get(url_of_objects(thing))
    assert answer.status_code == 200
    assert answer.content == client.get(url_of_objects(Thing.objects.create())).content
    assert b'secret' not in answer.content


def test_the_list_of_an_object_holds_ones_own_jobs(thing):
    owner = user('owner')
    Plain.enqueue(instance=thing, user=owner, name='mine')
    Plain.enqueue(instance=thing, user=user('other'), name='theirs')
    page = client_of(owner).get(url_of_objects(thing)).content.decode()
    assert 'mine' in page
    assert 'theirs' not in page


def test_the_tags_show_nothing_of_what_one_may_not_see(thing):
    job = Failing.enqueue(instance=thing, user=user('owner'), name='secret', immediate=True, message='secret')
    for somebody in AnonymousUser(), user('stranger'):
        page = render(TAGS, somebody, job=job, thing=thing)
        assert page.startswith('|||')
        assert 'secret' not in page
        assert 'Failed' not in page


def test_the_tags_show_nothing_for_none():
    assert render(TAGS, user('somebody'), job=None, thing=None) == '|||'


def test_a_tag_without_a_request_says_what_is_missing():
    with pytest.raises(ImproperlyConfigured, match=r'context_processors\.request'):
        Template(TAGS).render(Context({'job': Job(), 'thing': None}))


@pytest.mark.parametrize('name', POLLED)
def test_a_job_is_seen_by_its_user_and_with_permission(name, thing):
    owner = user('owner')
    job = Plain.enqueue(instance=thing, user=owner)
    for somebody in owner, user('viewer', 'view_job'), user('root', is_superuser=True):
        assert client_of(somebody).get(url(name, job)).status_code == 200


def test_who_may_do_what(thing):
    owner, viewer = user('owner'), user('viewer', 'view_job')
    canceler, retrier = user('canceler', 'view_job', 'cancel_job'), user('retrier', 'view_job', 'retry_job')
    deleter, blind = user('deleter', 'view_job', 'delete_job'), user('blind', 'cancel_job', 'retry_job', 'delete_job')
    job = Plain.enqueue(instance=thing, user=owner)
    asked = (permissions.may_view, permissions.may_cancel, permissions.may_retry, permissions.may_delete)
    answers = {
        somebody.username: [may(somebody, job) for may in asked]
        for somebody in (owner, viewer, canceler, retrier, deleter, blind)
    }
    assert answers == {
        'owner': [True, True, False, False],
        'viewer': [True, False, False, False],
        'canceler': [True, True, False, False],
        'retrier': [True, False, True, False],
        'deleter': [True, False, False, True],
        'blind': [False, False, False, False],
    }
    assert not any(may(AnonymousUser(), Plain.enqueue(instance=thing)) for may in asked)


def test_what_one_may_see_but_not_do_is_refused(thing):
    owner, viewer = user('owner'), user('viewer', 'view_job')
    waiting = Plain.enqueue(instance=thing, user=owner)
    ended = Erring.enqueue(instance=thing, user=owner, immediate=True)
    assert client_of(viewer).post(url('stop', waiting)).status_code == 403
    assert client_of(viewer).post(url('retry', ended)).status_code == 403
    assert client_of(owner).post(url('retry', ended)).status_code == 403
    waiting.refresh_from_db()
    assert waiting.status == 'pending'


def test_visitors_are_not_sent_to_the_login_where_a_login_is_required(settings, thing):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, 'django.contrib.auth.middleware.LoginRequiredMiddleware']
    job = Plain.enqueue(instance=thing)
    assert [client_of(None).get(url(name, job)).status_code for name in POLLED] == [404] * 3
    assert [client_of(None).post(url(name, job)).status_code for name in POSTED] == [404] * 2


# What is done


@pytest.mark.parametrize('name', POSTED)
def test_changes_need_a_post_and_its_token(name, settings, thing):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, 'django.middleware.csrf.CsrfViewMiddleware']
    root = user('root', is_superuser=True)
    job = Plain.enqueue(instance=thing, user=root)
    client = Client(enforce_csrf_checks=True)
    client.force_login(root)
    assert client.get(url(name, job)).status_code == 405
    assert client.post(url(name, job)).status_code == 403


def test_the_buttons_of_a_fragment_carry_a_token_that_passes(settings, thing):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, 'django.middleware.csrf.CsrfViewMiddleware']
    owner = user('owner')
    job = Plain.enqueue(instance=thing, user=owner)
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get(url('progress', job)).content.decode())
    assert client.post(url('stop', job), {'csrfmiddlewaretoken': token.group(1)}).status_code == 302
    job.refresh_from_db()
    assert job.status == 'canceled'


def test_stop_asks_a_running_job_to_end(thing):
    owner = user('owner')
    job = make_running(Plain.enqueue(instance=thing, user=owner))
    client_of(owner).post(url('stop', job))
    job.refresh_from_db()
    assert job.stopping is not None
    page = client_of(owner).get(url('progress', job)).content.decode()
    assert 'Stopping' in page
    assert '<form' not in page


def test_retry_enqueues_the_job_once_more(thing):
    retrier = user('retrier', 'view_job', 'retry_job')
    job = Failing.enqueue(instance=thing, immediate=True)
    client_of(retrier).post(url('retry', job))
    assert Job.objects.get(retry_of=job).status == 'pending'


def test_a_job_that_cannot_be_retried_says_why(thing):
    job = Plain.enqueue(instance=thing)
    client = client_of(user('retrier', 'view_job', 'retry_job'))
    page = Source.objects.create(name='shop', url='http://127.0.0.1:9/').get_absolute_url()
    answer = client.post(url('retry', job), headers={'referer': f'http://testserver{page}'}, follow=True)
    assert 'only a job that has ended can be retried' in answer.content.decode()


def test_a_job_whose_runner_takes_other_arguments_by_now_says_so(thing, monkeypatch):
    job = Plain.enqueue(instance=thing, word='x', immediate=True)
    monkeypatch.setattr(Plain, 'run', lambda self, another: None)
    client = client_of(user('retrier', 'view_job', 'retry_job'))
    page = Source.objects.create(name='shop', url='http://127.0.0.1:9/').get_absolute_url()
    answer = client.post(url('retry', job), headers={'referer': f'http://testserver{page}'}, follow=True)
    assert 'unexpected keyword &#x27;word&#x27;' in answer.content.decode()


@pytest.mark.parametrize(
    ('referer', 'expected'),
    [
        ('http://testserver/sources/?page=2', 'http://testserver/sources/?page=2'),
        ('http://elsewhere.example/', '/'),
        ('javascript:alert(1)', '/'),
        ('', '/'),
    ],
)
def test_after_a_change_one_is_back_on_the_page_but_never_elsewhere(referer, expected, thing):
    owner = user('owner')
    job = Plain.enqueue(instance=thing, user=owner)
    assert client_of(owner).post(url('stop', job), headers={'referer': referer})['Location'] == expected


def test_buttons_are_those_that_are_allowed_and_possible(thing):
    owner, root, viewer = user('owner'), user('root', is_superuser=True), user('viewer', 'view_job')
    waiting = Plain.enqueue(instance=thing, user=owner)
    running = make_running(Plain.enqueue(instance=thing, user=owner))
    failed = Failing.enqueue(instance=thing, user=owner, immediate=True)
    completed = Plain.enqueue(instance=thing, user=owner, immediate=True)

    def buttons(somebody, job):
        return re.findall(
            r'<button[^>]*>(\w+)', render('{% load netbox_jobs %}{% job_progress job %}', somebody, job=job)
        )

    shown = [
        [buttons(somebody, job) for job in (waiting, running, failed, completed)] for somebody in (owner, root, viewer)
    ]
    assert shown == [
        [['Cancel'], ['Stop'], [], []],
        [['Cancel'], ['Stop'], ['Retry'], []],
        [[], [], [], []],
    ]
    without = render('{% load netbox_jobs %}{% job_progress job actions=False %}', owner, job=waiting)
    assert 'Cancel' not in without
    assert 'actions=0' in without


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


def test_nobody_else_keeps_an_answer(thing):
    owner = user('owner')
    answer = client_of(owner).get(url('log', Plain.enqueue(instance=thing, user=owner)))
    assert 'no-store' in answer['Cache-Control']
    assert 'private' in answer['Cache-Control']
    assert 'Cookie' in answer['Vary']


# What it costs


def queries(ask):
    using = database()
    with CaptureQueriesContext(connections[using]) as captured:
        ask()
    return [query['sql'] for query in captured]


def test_a_list_costs_the_same_however_many_jobs_there_are(thing):
    root = user('root', 'view_job', 'cancel_job', 'retry_job')
    client, address = client_of(root), url_of_objects(thing, limit=100)

    def fill(count):
        for number in range(count):
            somebody = user(f'user {count} {number}')
            make_running(Plain.enqueue(instance=thing, user=somebody))
            Failing.enqueue(instance=thing, user=somebody, immediate=True)
            Progress.objects.bulk_create([Progress(job=Job.objects.running().latest('pk'), current=1, total=2)])

    fill(1)
    few = queries(lambda: client.get(address))
    fill(20)
    many = queries(lambda: client.get(address))
    assert len(many) == len(few) <= 8, many
    assert client.get(address).content.count(b'data-live-key') == 43


@pytest.mark.parametrize(('kind', 'most'), [('status', 5), ('progress', 6), ('log', 6)])
def test_a_look_at_a_job_costs_few_statements_and_none_with_what_is_large(kind, most, thing):
    somebody = user('viewer', 'view_job', 'cancel_job', 'retry_job')
    job = make_running(Plain.enqueue(instance=thing, text='x' * 1000))
    JobLogEntry.objects.bulk_create([JobLogEntry(job=job, level='info', message=f'line {n}') for n in range(300)])
    client = client_of(somebody)
    asked = queries(lambda: client.get(url(kind, job)))
    assert len(asked) <= most, asked
    assert not any(re.search('.[`"](arguments|data)[`"]', sql) for sql in asked)


def test_a_page_with_many_statuses_costs_what_one_with_few_does(thing):
    somebody = user('viewer', 'view_job', 'cancel_job')
    jobs = [Plain.enqueue(instance=thing) for _ in range(30)]
    page = '{% load netbox_jobs %}{% for job in jobs %}{% job_status job %}{% endfor %}'

    def look(jobs):
        fresh = get_user_model().objects.get(pk=somebody.pk)
        return len(queries(lambda: render(page, fresh, jobs=jobs)))

    assert look(jobs) == look(jobs[:1])


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

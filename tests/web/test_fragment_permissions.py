"""Jobs on a plugin's own pages: who sees what, and who may do what."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.template import Context, Template
from django.test import Client

from example_plugin.models import Source
from netbox_jobs import permissions
from netbox_jobs.models import Job
from tests.app.jobs import Erring, Failing, Plain
from tests.app.models import Thing
from tests.web.helpers import POLLED, POSTED, TAGS, client_of, make_running, render, url, url_of_objects, user

pytestmark = [pytest.mark.django_db, pytest.mark.once]


# Who sees what


@pytest.mark.parametrize('who', ['visitor', 'stranger', 'stranger who may do everything but see', 'gone owner'])
def test_who_may_not_see_a_job_is_told_the_same_as_if_there_were_none(who, thing):
    owner = user('owner')
    reader = {
        'visitor': None,
        'stranger': user('stranger'),
        'stranger who may do everything but see': user('other', 'cancel_job', 'retry_job', 'delete_job'),
        'gone owner': owner,
    }[who]
    waiting = Plain.enqueue(instance=thing, user=owner)
    ended = Plain.enqueue(instance=thing, user=owner, immediate=True)
    ownerless = Plain.enqueue(instance=thing)
    client = client_of(reader)
    if who == 'gone owner':
        get_user_model().objects.filter(pk=owner.pk).update(is_active=False)
    for name in POLLED:
        nothing = client.get(url(name, 10**9))
        assert nothing.status_code == 404
        for job in waiting, ended, ownerless:
            answer = client.get(url(name, job))
            assert (answer.status_code, answer.content) == (404, nothing.content)
    for name in POSTED:
        for job in waiting, ended, ownerless, 10**9:
            assert client.post(url(name, job)).status_code == 404
    waiting.refresh_from_db()
    assert waiting.status == 'pending'
    assert not Job.objects.filter(retry_of__isnull=False).exists()


@pytest.mark.parametrize('reader', [None, 'stranger'])
def test_the_list_of_an_object_holds_nothing_of_what_one_may_not_see(reader, thing):
    Plain.enqueue(instance=thing, user=user('owner'), name='secret')
    client = client_of(reader and user(reader))
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
    for reader in AnonymousUser(), user('stranger'):
        page = render(TAGS, reader, job=job, thing=thing)
        assert page.startswith('|||')
        assert 'secret' not in page
        assert 'Failed' not in page


def test_the_tags_show_nothing_for_none():
    assert render(TAGS, user('reader'), job=None, thing=None) == '|||'


def test_a_tag_without_a_request_says_what_is_missing():
    with pytest.raises(ImproperlyConfigured, match=r'context_processors\.request'):
        Template(TAGS).render(Context({'job': Job(), 'thing': None}))


@pytest.mark.parametrize('name', POLLED)
def test_a_job_is_seen_by_its_user_and_with_permission(name, thing):
    owner = user('owner')
    job = Plain.enqueue(instance=thing, user=owner)
    for reader in owner, user('viewer', 'view_job'), user('root', is_superuser=True):
        assert client_of(reader).get(url(name, job)).status_code == 200


def test_who_may_do_what(thing):
    owner, viewer = user('owner'), user('viewer', 'view_job')
    canceler, retrier = user('canceler', 'view_job', 'cancel_job'), user('retrier', 'view_job', 'retry_job')
    deleter, blind = user('deleter', 'view_job', 'delete_job'), user('blind', 'cancel_job', 'retry_job', 'delete_job')
    job = Plain.enqueue(instance=thing, user=owner)
    asked = (permissions.may_view, permissions.may_cancel, permissions.may_retry, permissions.may_delete)
    answers = {
        reader.username: [may(reader, job) for may in asked]
        for reader in (owner, viewer, canceler, retrier, deleter, blind)
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

    def buttons(reader, job):
        return re.findall(
            r'<button[^>]*>(\w+)', render('{% load netbox_jobs %}{% job_progress job %}', reader, job=job)
        )

    shown = [
        [buttons(reader, job) for job in (waiting, running, failed, completed)] for reader in (owner, root, viewer)
    ]
    assert shown == [
        [['Cancel'], ['Stop'], [], []],
        [['Cancel'], ['Stop'], ['Retry'], []],
        [[], [], [], []],
    ]
    without = render('{% load netbox_jobs %}{% job_progress job actions=False %}', owner, job=waiting)
    assert 'Cancel' not in without
    assert 'actions=0' in without

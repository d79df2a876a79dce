"""`{% enqueue_button %}`: a signed offer for one user; the page then shows the progress of the job."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.sessions.backends.db import SessionStore
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.urls import reverse

from netbox_jobs.exceptions import RunnerNotFound
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job
from netbox_jobs.web import buttons
from tests.app.models import Thing, UUIDThing

pytestmark = pytest.mark.django_db

RUNNER = 'tests.app.jobs.Sleeping'
TAG = '{% load netbox_jobs %}{% enqueue_button runner instance=thing label=label seconds=3 %}'


class Narrow(JobRunner):
    """Takes one argument."""

    class Meta:
        name = 'Narrow'

    def run(self, pages=1):
        raise NotImplementedError


def make_user(name, *codenames):
    user = get_user_model().objects.create_user(name)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


class Visitor:
    """A user with a session, who looks at a page with a button."""

    def __init__(self, user):
        self.user, self.client = user, Client(enforce_csrf_checks=True)
        self.client.force_login(user)

    def page(self, tag=TAG, runner=RUNNER, thing=None):
        request = RequestFactory().get('/')
        request.user = get_user_model().objects.get(pk=self.user.pk)
        request.session = SessionStore(self.client.cookies['sessionid'].value)
        html = Template(tag).render(
            Context({'request': request, 'runner': runner, 'thing': thing, 'label': 'Sync <now>'})
        )
        if 'CSRF_COOKIE' in request.META:
            self.client.cookies['csrftoken'] = request.META['CSRF_COOKIE']
        return html

    def press(self, html, **changes):
        fields = dict(re.findall(r'name="(\w+)" value="([^"]+)"', html)) | changes
        return self.client.post(reverse('netbox_jobs:enqueue'), fields, headers={'referer': 'http://testserver/x/'})


@pytest.fixture
def visitor():
    """A user who may enqueue jobs."""
    return Visitor(make_user('clicker', 'add_job'))


@pytest.mark.parametrize('model', [Thing, UUIDThing])
def test_a_press_enqueues_the_job_for_the_user_and_the_page_shows_its_progress(visitor, model):
    thing = model.objects.create()
    html = visitor.page(thing=thing)
    assert 'Sync &lt;now&gt;' in html and 'nbj-progress' not in html
    answer = visitor.press(html)
    assert (answer.status_code, answer.url) == (302, 'http://testserver/x/')
    job = Job.objects.get()
    assert (job.runner, job.user_id, job.object) == (RUNNER, visitor.user.pk, thing)
    assert job.get_arguments() == {'seconds': 3}
    shown = visitor.page(thing=thing)
    assert 'nbj-progress' in shown and f'/{job.pk}/progress/' in shown and 'Sync &lt;now&gt;' in shown
    assert 'nbj-progress' not in visitor.page(thing=model.objects.create()), 'another button has another job'


def test_the_latest_job_of_a_button_is_shown(visitor):
    for _ in range(2):
        visitor.press(visitor.page())
    latest = Job.objects.latest('pk')
    assert f'/{latest.pk}/progress/' in visitor.page()


def test_without_the_permission_there_is_no_button_and_no_job(visitor):
    html = visitor.page()
    assert Visitor(make_user('other', 'view_job')).page() == ''
    visitor.user.user_permissions.clear()
    assert visitor.page() == ''
    assert visitor.press(html).status_code == 403
    assert not Job.objects.exists()


def test_a_page_may_ask_for_another_permission(visitor):
    tag = "{% load netbox_jobs %}{% enqueue_button runner permission='testapp.change_thing' %}"
    assert visitor.page(tag) == ''
    visitor.user.user_permissions.set(Permission.objects.filter(codename='change_thing'))
    assert visitor.press(visitor.page(tag)).status_code == 302
    assert Job.objects.count() == 1


def test_a_button_needs_the_csrf_token_and_a_post(visitor):
    html = visitor.page()
    assert visitor.press(html, csrfmiddlewaretoken='x' * 32).status_code == 403
    assert visitor.client.get(reverse('netbox_jobs:enqueue')).status_code == 405
    assert not Job.objects.exists()


def test_what_the_page_has_not_signed_for_this_user_is_no_button(visitor):
    html = visitor.page()
    signed = re.search(r'name="button" value="([^"]+)"', html).group(1)
    other = Visitor(make_user('other', 'add_job'))
    for who, button in ((visitor, signed[:-1]), (visitor, 'x'), (visitor, ''), (other, signed)):
        assert who.press(who.page(), button=button).status_code == 404
    assert Client().post(reverse('netbox_jobs:enqueue'), {'button': signed}).status_code == 404
    assert not Job.objects.exists()


def test_an_object_that_has_been_deleted_has_no_button_any_more(visitor):
    thing = Thing.objects.create()
    html = visitor.page(thing=thing)
    thing.delete()
    assert visitor.press(html).status_code == 404


def test_a_runner_that_does_not_exist_fails_where_the_page_is_written(visitor):
    with pytest.raises(RunnerNotFound):
        visitor.page(runner='tests.app.jobs.Nothing')
    with pytest.raises(TypeError, match='no runner'):
        visitor.page(runner='tests.app.models.Thing')


def test_an_argument_that_run_does_not_take_is_a_message_and_no_job(visitor):
    tag = "{% load netbox_jobs %}{% enqueue_button 'tests.web.test_enqueue_button.Narrow' no_such=1 %}"
    assert visitor.press(visitor.page(tag)).status_code == 302
    assert not Job.objects.exists()


def test_the_session_remembers_a_bounded_number_of_jobs(visitor, monkeypatch):
    monkeypatch.setattr(buttons, 'REMEMBERED', 2)
    things = [Thing.objects.create() for _ in range(3)]
    for thing in things:
        visitor.press(visitor.page(thing=thing))
    assert ['nbj-progress' in visitor.page(thing=thing) for thing in things] == [False, True, True]

"""`{% job_notifications %}`: each end of a user's job is shown once, by the open page or by the next one."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.utils import timezone

from netbox_jobs.choices import JobNotificationChoices
from netbox_jobs.models import Job
from netbox_jobs.web import notifications

pytestmark = pytest.mark.django_db


class Visitor:
    """A user with a session, who goes from page to page."""

    def __init__(self):
        self.user, self.client = get_user_model().objects.create_user('reader'), Client()
        self.client.force_login(self.user)

    def page(self):
        request = RequestFactory().get('/')
        request.user = self.user
        request.session = SessionStore(self.client.cookies['sessionid'].value)
        html = Template('{% load netbox_jobs %}{% job_notifications %}').render(Context({'request': request}))
        request.session.save()
        return html

    def poll(self, html):
        """What the page's script does."""
        return self.client.get(unescape(re.search(r'data-live-url="([^"]+)"', html).group(1))).content.decode()


@pytest.fixture
def visitor():
    """A user who has opened a first page a minute ago."""
    found = Visitor()
    found.page()
    session = SessionStore(found.client.cookies['sessionid'].value)
    known = session['netbox_jobs.notifications']
    session['netbox_jobs.notifications'] = {**known, 'since': known['since'] - 60}
    session.save()
    return found


def end(user, name='done', status='completed', ago=0, **values):
    completed = timezone.now() - timedelta(seconds=ago)
    return Job.objects.create(name=name, user=user, status=status, completed=completed, **values)


def test_without_javascript_the_next_page_shows_what_has_ended_and_the_one_after_does_not(visitor):
    end(visitor.user, 'Report <b>', ago=20)
    end(visitor.user, 'Sync', 'errored', error="ValueError('no')")
    html = visitor.page()
    assert 'Report &lt;b&gt;' in html and 'ValueError: no' in html and 'role="status"' in html
    assert html.index('Sync') < html.index('Report')
    assert '<li' not in visitor.page()


def test_a_page_that_is_open_shows_an_end_and_keeps_it_and_the_next_page_does_not(visitor):
    html = visitor.page()
    assert '<li' not in html and '<li' not in visitor.poll(html)
    end(visitor.user)
    for _ in range(3):
        html = visitor.poll(html)
        assert html.count('<li') == 1
    assert '<li' not in visitor.page()


def test_what_a_page_has_shown_at_once_stays_while_it_is_open(visitor):
    end(visitor.user, 'first')
    html = visitor.poll(visitor.page())
    assert html.count('<li') == 1
    end(visitor.user, 'second')
    assert visitor.poll(html).count('<li') == 2


def test_the_first_page_shows_nothing_from_before():
    visitor = Visitor()
    end(visitor.user)
    assert '<li' not in visitor.page()


def test_other_users_jobs_and_those_that_notify_no_user_are_not_shown(visitor):
    other = get_user_model().objects.create_user('other')
    silent = JobNotificationChoices.NOTIFICATION_NEVER
    on_failure = JobNotificationChoices.NOTIFICATION_ON_FAILURE
    job = end(other)
    end(None)
    end(visitor.user, notifications=silent)
    end(visitor.user, notifications=on_failure)
    html = visitor.page()
    assert '<li' not in html
    stolen = html.replace('shown=', f'shown={job.pk}')
    assert '<li' not in visitor.poll(stolen)
    end(visitor.user, status='failed', notifications=on_failure)
    assert visitor.page().count('<li') == 1


def test_visitors_see_nothing(visitor):
    request = RequestFactory().get('/')
    request.user, request.session = AnonymousUser(), SessionStore()
    tag = Template('{% load netbox_jobs %}{% job_notifications %}')
    assert tag.render(Context({'request': request})) == ''
    visitor.client.logout()
    answer = visitor.client.get('/jobs/notifications/?since=1&shown=1')
    assert '<li' not in answer.content.decode()


def test_a_page_shows_a_few_and_costs_the_same_among_many(visitor, django_assert_num_queries):
    for number in range(notifications.SHOWN + 3):
        end(visitor.user, f'job {number}')
    with django_assert_num_queries(3):  # the session, the bound, the jobs
        html = look(visitor)
    assert html.count('<li') == notifications.SHOWN


def look(visitor):
    """Render the tag without saving the session."""
    request = RequestFactory().get('/')
    request.user = visitor.user
    request.session = SessionStore(visitor.client.cookies['sessionid'].value)
    return Template('{% load netbox_jobs %}{% job_notifications %}').render(Context({'request': request}))


def test_what_one_page_does_not_show_the_next_one_does(visitor):
    for number in range(notifications.SHOWN + 2):
        end(visitor.user, f'job {number}', ago=number)
    assert [visitor.page().count('<li') for _ in range(3)] == [notifications.SHOWN, 2, 0]


def test_only_the_jobs_that_ended_last_are_looked_through(visitor, monkeypatch):
    end(visitor.user, 'mine', ago=5)
    monkeypatch.setattr(notifications, 'NEWEST', 1)
    end(None, 'others')
    assert '<li' not in look(visitor)
    monkeypatch.setattr(notifications, 'NEWEST', 2)
    assert '<li' in look(visitor)

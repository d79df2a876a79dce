"""The keys of the lists, in a browser: they move the focus, leave fields alone, and can be switched off."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from netbox_jobs.models import Job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.once]


def test_a_list_is_searched_and_opened_by_keys(visit, violations):
    jobs = [Job.objects.create(name=f'job {number}', runner='a.B', status='completed') for number in range(3)]
    page = visit(reverse('admin:netbox_jobs_job_changelist'))
    names = page.locator('#result_list .nj-name')
    page.keyboard.press('j')
    expect(names.nth(0)).to_be_focused()
    page.keyboard.press('j')
    page.keyboard.press('j')
    page.keyboard.press('j')
    expect(names.nth(2)).to_be_focused()
    page.keyboard.press('k')
    expect(names.nth(1)).to_be_focused()
    page.keyboard.press('?')
    expect(page.get_by_role('dialog', name='Keys')).to_be_visible()
    assert violations(page) == []
    page.keyboard.press('Escape')
    page.keyboard.press('/')
    search = page.get_by_role('searchbox', name='Search')
    expect(search).to_be_focused()
    page.keyboard.type('j/k?')
    expect(search).to_have_value('j/k?')
    expect(page.get_by_role('dialog', name='Keys')).to_be_hidden()
    names.nth(1).focus()
    page.keyboard.press('Enter')
    expect(page.locator('h1').last).to_contain_text(f'#{jobs[1].pk}')


def test_the_keys_can_be_switched_off_and_stay_off(visit):
    Job.objects.create(name='job', runner='a.B', status='completed')
    page = visit(reverse('admin:netbox_jobs_job_changelist'))
    page.get_by_role('button', name='Keys').click()
    page.get_by_label('Use these keys').uncheck()
    page.get_by_role('button', name='Close').click()
    for _ in range(2):
        page.keyboard.press('/')
        expect(page.get_by_role('searchbox', name='Search')).not_to_be_focused()
        page.reload()
    page.get_by_role('button', name='Keys').click()
    page.get_by_label('Use these keys').check()
    page.get_by_role('button', name='Close').click()
    page.keyboard.press('/')
    expect(page.get_by_role('searchbox', name='Search')).to_be_focused()

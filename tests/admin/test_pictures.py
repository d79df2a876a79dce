"""The pictures of the documentation: `make pictures` takes them anew; each run of the tests checks that they can be."""

import os
from pathlib import Path

import pytest
from django.urls import reverse

from .scene import build

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.once]


def test_the_pictures_of_the_documentation_can_be_taken(visit, tmp_path):
    job = build()
    folder = Path(os.environ.get('PICTURES') or tmp_path)
    pages = {
        'list': ('job_changelist', (), 1280, 800),
        'job': ('job_change', (job.pk,), 1280, 1250),
        'overview': ('job_overview', (), 1280, 1000),
        'errors': ('job_errors', (), 1280, 480),
        'calendar': ('schedule_calendar', (), 1280, 760),
        'narrow': ('job_changelist', (), 390, 844),
    }
    for name, (path, arguments, width, height) in pages.items():
        page = visit(reverse(f'admin:netbox_jobs_{path}', args=arguments), width=width)
        page.set_viewport_size({'width': width, 'height': height})
        page.locator('#content').wait_for()
        page.screenshot(path=folder / f'{name}.png')
        assert (folder / f'{name}.png').stat().st_size > 10_000
        page.context.close()

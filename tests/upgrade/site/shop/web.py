"""A web process: it enqueues and shows pages until it is told to end, and notes each page that is an error."""

import os
import time
import traceback
from pathlib import Path

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.test import Client  # noqa: E402

from netbox_jobs.models import Job  # noqa: E402

notes, version = Path(os.environ['UPGRADE_NOTES']), os.environ['UPGRADE_VERSION']
client = Client(raise_request_exception=False)
client.force_login(get_user_model().objects.get(username=version))
while not notes.with_name('end').exists():
    lines = []
    pages = ['/enqueue/', '/admin/netbox_jobs/job/', '/admin/netbox_jobs/schedule/']
    # Those that the other version has enqueued, runs, and has ended.
    pages += [
        f'/admin/netbox_jobs/job/{pk}/change/' for pk in Job.objects.order_by('-pk').values_list('pk', flat=True)[:3]
    ]
    for page in pages:
        answer = client.get(page)
        if answer.status_code != 200:
            lines.append(f'page {page} {answer.status_code}')
            traceback.print_exception(*(getattr(answer, 'exc_info', None) or (None, None, None)))
        elif page == '/enqueue/':
            lines += [f'enqueued {pk} {version}' for pk in answer.json()['jobs']]
    with notes.open('a') as file:
        file.write(''.join(f'{line}\n' for line in lines))
    time.sleep(0.5)

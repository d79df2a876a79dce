"""How to test a task of Django's kind."""

from importlib.util import find_spec
from unittest import skipUnless

import django
from django.test import TestCase

from example_plugin.models import Record, Source
from netbox_jobs.models import Job
from netbox_jobs.testing import run_jobs


@skipUnless(django.VERSION >= (6, 0) or find_spec('django_tasks'), 'needs Django 6 or django-tasks')
class CountRecordsTest(TestCase):
    def test_records_are_counted(self) -> None:
        # Here, as Django 5.2 may be without django-tasks.
        from example_plugin.tasks import count_records

        source = Source.objects.create(name='Shop', url='http://example.org')
        Record.objects.create(source=source, key='a')
        result = count_records.enqueue()
        self.assertEqual(Job.objects.get(job_id=result.id).name, 'count_records')
        run_jobs()
        result.refresh()
        self.assertEqual(result.return_value, {'Shop': 1})

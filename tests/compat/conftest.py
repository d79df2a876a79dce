"""Fixtures of the tests of modules in the style of plugins."""

import pytest

from netbox_jobs.models import Job


@pytest.fixture(params=['worker', 'immediate'])
def run(request, work):
    """Enqueue and run a job in both ways: through a worker, and here and now."""

    def _run(runner, *args, **kwargs):
        job = runner.enqueue(*args, immediate=request.param == 'immediate', **kwargs)
        if request.param == 'worker':
            assert job.status == 'pending'
            work()
        return Job.objects.get(pk=job.pk)

    return _run


@pytest.fixture
def user(django_user_model):
    return django_user_model.objects.create(username='ada')

"""What must hold with a schema for each tenant: a job runs in that of its call, and objects of two tenants are two."""

import pytest
from django.core.management import call_command
from django.db import connection
from django_tenants.utils import schema_context, tenant_context

from netbox_jobs.checks import check_tenants
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, Schedule
from tests.app.models import Thing
from tests.processes import status, wait_for
from tests.projects.customers.jobs import Stamping
from tests.projects.customers.models import Customer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]
PROJECT = {'DJANGO_SETTINGS_MODULE': 'tests.projects.tenants'}
SCHEMAS = ('alpha', 'beta')


@pytest.fixture(autouse=True)
def things():
    """Two tenants that each have one object, with the same primary key."""
    found = {}
    for schema in SCHEMAS:
        customer = Customer.objects.create(schema_name=schema, name=schema)
        with tenant_context(customer):
            Thing.objects.all().delete()
            found[schema] = Thing.objects.create(pk=1, name='thing')
    yield found
    connection.set_schema_to_public()


def names():
    found = []
    for schema in SCHEMAS:
        with schema_context(schema):
            found.append(Thing.objects.get().name)
    return found


def enqueued(things, call, **options):
    """A job of each tenant."""
    jobs = []
    for schema in SCHEMAS:
        with schema_context(schema):
            jobs.append(call(instance=things[schema], **options))
    return jobs


@pytest.mark.parametrize('arguments', [(), ('--fast',)])
def test_a_worker_runs_each_job_on_the_rows_of_its_tenant(things, start_worker, arguments):
    jobs = []
    for schema in (*SCHEMAS, *SCHEMAS, 'public'):
        with schema_context(schema):
            thing = things.get(schema)
            jobs.append(Stamping.enqueue(instance=thing, things=[thing] if thing else []))
    start_worker('default', *arguments, **PROJECT)
    for job in jobs:
        wait_for(lambda job=job: status(job) == 'completed', 60, job.error)
    found = [Job.objects.get(pk=job.pk).data for job in jobs]
    assert found == [*(2 * [[schema, schema, 1] for schema in SCHEMAS]), ['public', 'public', None]]
    assert [name.split()[0:2] for name in names()] == [['thing', schema] for schema in SCHEMAS]
    assert not ({'alpha', 'public'} & set(names()[1].split()) or {'beta', 'public'} & set(names()[0].split()))


def test_retries_successors_and_what_recovery_runs_again_stay_with_their_tenant(things, start_worker):
    retried = enqueued(things, Stamping.enqueue, fails=1, max_retries=1, retry_backoff=0)
    chains = enqueued(things, Stamping.enqueue_once, interval=60)
    worker = start_worker('default', **PROJECT)
    for job in (*retried, *chains):
        wait_for(lambda job=job: status(job) == 'completed', 60)
    assert [Job.objects.get(pk=job.pk).data[0] for job in (*retried, *chains)] == [*SCHEMAS, *SCHEMAS]
    assert [job.tenant for job in Stamping.get_jobs().waiting().order_by('pk')] == list(SCHEMAS)
    with schema_context('beta'):
        crashed = Stamping.enqueue(instance=things['beta'], sleeps='long')
    wait_for(lambda: status(crashed) == 'running' and crashed.data, 60)
    worker.kill()
    start_worker('default', **PROJECT)
    wait_for(lambda: status(crashed) == 'completed', 90)
    assert (crashed.attempt, crashed.data[0]) == (2, 'beta')


def test_objects_of_two_tenants_with_one_key_have_jobs_of_their_own(things):
    first, second = enqueued(things, Stamping.enqueue_once, interval=60)
    assert first.schedule_id != second.schedule_id
    with schema_context('beta'):
        thing = things['beta']
        assert Stamping.enqueue_once(instance=thing) == second
        assert list(thing.jobs.all()) == list(Stamping.get_jobs(thing)) == [second]
        assert list(Thing.objects.prefetch_related('jobs').get().jobs.all()) == [second]
        assert list(Thing.objects.filter(jobs__name='Stamping').values_list('jobs', flat=True)) == [second.pk]
        assert not Thing.objects.exclude(jobs__pk=second.pk).exists()
        assert Thing.objects.exclude(jobs__pk=first.pk).exists()
        assert not Thing.objects.filter(jobs=first).exists()
        assert (Job.objects.get(pk=second.pk).object, Job.objects.get(pk=first.pk).object) == (thing, None)
        assert thing.jobs.create(name='by hand').tenant == 'beta'
        thing.delete()
        assert list(Job.objects.all()) == [first]
        assert list(Schedule.objects.all()) == [first.schedule]
    with schema_context('alpha'):
        Thing.objects.all().delete()
    assert not Job.objects.exists() and not Schedule.objects.exists()


def test_the_pages_and_the_terminal_of_the_public_schema_show_the_jobs_of_all_tenants(
    things, capsys, work, admin_client
):
    jobs = enqueued(things, Stamping.enqueue, fails=1)
    work()
    assert [status(job) for job in jobs] == ['errored', 'errored']
    call_command('jobs', 'show', str(jobs[1].pk))
    assert 'Errored' in capsys.readouterr().out
    assert jobs[1].object is None
    for address in ('job/', f'job/{jobs[1].pk}/change/', 'job/overview/', 'schedule/'):
        assert admin_client.get(f'/admin/netbox_jobs/{address}').status_code == 200, address
    again = [Job.objects.get(pk=job.pk).retry() for job in jobs]
    work()
    assert [(job.tenant, Job.objects.get(pk=job.pk).data[0]) for job in again] == [(name, name) for name in SCHEMAS]
    assert connection.schema_name == 'public'


def test_a_job_of_a_tenant_that_is_gone_runs_nowhere(things, work):
    job = enqueued(things, Stamping.enqueue_once, interval=60)[1]
    Customer.objects.filter(schema_name='beta').delete()
    work()
    assert status(job) == 'errored'
    assert "'tenant'" in job.error
    assert names()[0] == 'thing alpha'


def test_recovery_and_retention_of_the_public_schema_serve_all_tenants(things, work):
    jobs = enqueued(things, Stamping.enqueue)
    Job.objects.update(deliveries=0, status='scheduled')
    assert recovery.deliver_due() == 2
    work()
    assert [status(job) for job in jobs] == ['completed', 'completed']
    Job.objects.update(created='2000-01-01 00:00Z', completed='2000-01-01 00:00Z')
    call_command('jobs', 'prune', '--yes')
    assert not Job.objects.exists()


def test_what_the_settings_of_tenants_lack_is_said(settings):
    assert call_command('check') is None and not check_tenants()
    settings.TENANT_APPS = [*settings.TENANT_APPS, 'django.contrib.contenttypes', 'netbox_jobs.apps.NetBoxJobsConfig']
    settings.NETBOX_JOBS = {}
    assert [found.id for found in check_tenants()] == ['netbox_jobs.E011', 'netbox_jobs.E011', 'netbox_jobs.W003']


def test_a_schema_is_not_left_when_a_run_ends_badly(things, work):
    with schema_context('beta'):
        Stamping.enqueue(instance=things['beta'], fails=1)
    Stamping.enqueue()
    work()
    assert [job.data[0] for job in Job.objects.order_by('pk')] == ['beta', 'public']

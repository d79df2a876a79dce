"""The values of `Meta.sensitive` stand nowhere but in the arguments that `run()` receives."""

import io
import json
import logging
from urllib.parse import quote

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from rq.job import Job as RQJob

from netbox_jobs.broker import delivery
from netbox_jobs.core.secrets import HIDDEN, Secrets
from netbox_jobs.jobs import JobRunner, Limit
from netbox_jobs.maintenance import recovery
from netbox_jobs.models import Job, JobAttempt, JobLogEntry, JobStep
from tests.processes import status, wait_for
from tests.security.runners import MARKER, Leaking, Telling

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]

#: Enough of the marker to be it, in every form in which it may be escaped.
TRACES = ('MARKER', '0-secret')


def assert_hidden(text, where):
    for trace in TRACES:
        assert trace not in str(text), f'{where}: {text}'


def rows():
    """Every value of every table of ours, but for the encoded arguments and results of steps."""
    for model in apps.get_app_config('netbox_jobs').get_models():
        for row in model._base_manager.values():
            for name, value in row.items():
                if (model, name) not in ((Job, 'arguments'), (JobStep, 'result')):
                    yield f'{model.__name__}.{name}', value


def redis():
    """All that Redis holds."""
    server = delivery.queue('default').connection
    for key in server.keys('*'):
        kind = server.type(key)
        read = {b'string': server.get, b'hash': server.hgetall, b'list': lambda key: server.lrange(key, 0, -1)}
        read |= {b'zset': lambda key: server.zrange(key, 0, -1), b'set': server.smembers}
        if kind != b'none':  # else it has expired meanwhile
            yield key, (server.xrange(key) if kind == b'stream' else read[kind](key))


@pytest.fixture(params=['pickle', 'json'])
def leaked(request, settings, work, caplog):
    """A job that has leaked its secrets in two attempts; and what was logged meanwhile."""
    settings.NETBOX_JOBS = {'ARGUMENTS_FORMAT': request.param}
    with caplog.at_level(logging.DEBUG):
        job = Leaking.enqueue(token=MARKER, more={'deep': [MARKER]}, fine=f'see {MARKER}')
        work()
        _deliver_again(job)
        work()
    assert status(job) == 'errored'
    job.refresh_from_db()
    return job, caplog.text  # that of this phase of the test


def _deliver_again(job):
    """Deliver the second attempt, as a worker does when it is due."""
    assert Job.objects.filter(pk=job.pk, status='scheduled').update(due=0)
    recovery.deliver_due()


def test_no_row_no_log_and_nothing_in_redis_has_the_value(leaked):
    job, logged = leaked
    assert JobAttempt.objects.count() == 1 and JobLogEntry.objects.count() > 5 and JobStep.objects.count() == 1
    for where, value in rows():
        assert_hidden(value, where)
    assert 'token [hidden]' in logged and 'is run again' in logged
    assert_hidden(logged, 'logs')
    found = dict(redis())
    assert found
    for key, value in found.items():
        assert_hidden(value, key)
    assert f'token={HIDDEN}' in job.arguments_shown and 'fine=' in job.arguments_shown
    assert HIDDEN in job.error and HIDDEN in json.dumps(job.data)
    assert job.data['number'] == 1
    assert job.get_arguments()['token'] == MARKER, 'run() receives it'


def test_no_page_and_no_command_has_the_value(leaked, admin_client):
    job, _logged = leaked
    root = '/admin/netbox_jobs/job'
    parts = ('change/', 'live/', 'log/', 'log.txt', 'arguments.txt', 'data.json', 'error.txt', 'retry/')
    for address in (f'{root}/', f'{root}/errors/', f'{root}/overview/', *(f'{root}/{job.pk}/{part}' for part in parts)):
        response = admin_client.get(address)
        assert response.status_code == 200, address
        assert_hidden(response.content.decode() if not response.streaming else response.getvalue(), address)
    for command in (('show', str(job.pk)), ('log', str(job.pk)), ('list',), ('errors',), ('why', str(job.pk))):
        for more in ((), ('--json',)):
            out = io.StringIO()
            call_command('jobs', *command, *more, stdout=out, stderr=out)
            assert_hidden(out.getvalue(), command)


def test_errors_with_different_values_have_one_fingerprint(work):
    jobs = [Telling.enqueue(token=f'{number}{MARKER}', immediate=True) for number in range(2)]
    assert len({job.fingerprint for job in jobs}) == 1
    for where, value in rows():
        assert_hidden(value, where)
    assert jobs[0].error


def test_a_retry_and_a_successor_hide_the_value_as_well(work):
    first = Leaking.enqueue_once(token=MARKER, interval=5, fail=False)
    Job.objects.filter(pk=first.pk).update(due=0)
    first.start()
    first.terminate()
    following = Job.objects.get(predecessor=first)
    again = first.retry()
    changed = Leaking.enqueue_once(token=f'{MARKER}2', interval=5)
    assert changed.pk == following.pk
    for job in (following, again, changed):
        job.refresh_from_db()
        assert_hidden(job.arguments_shown, 'arguments_shown')
        assert job.get_arguments()['token'].startswith(MARKER)


@pytest.mark.process
@pytest.mark.timeout(150)
@pytest.mark.parametrize('options', [(), ('--fast',)], ids=['plain', 'fast'])
def test_a_real_worker_tells_neither_its_log_nor_redis(start_worker, options):
    job = Leaking.using(max_retries=0).enqueue(token=MARKER)
    worker = start_worker('default', *options)
    wait_for(lambda: status(job) == 'errored')

    server = delivery.queue('default').connection
    result = wait_for(lambda: RQJob.fetch(job.delivery_id, connection=server).latest_result(), what="RQ's record")
    assert 'HiddenError' in result.exc_string
    assert_hidden(result.exc_string, "RQ's record")
    for key, value in redis():
        assert_hidden(value, key)
    assert_hidden(worker.output, 'the log of the worker')


def test_a_job_that_runs_by_hand_hides_the_value_too(caplog):
    job = Job.objects.create(name='by hand')
    Telling.handle(job, token=MARKER)
    for where, value in rows():
        assert_hidden(value, where)
    assert_hidden(caplog.text, 'logs')


@pytest.mark.parametrize(
    'text',
    [
        f'plain {MARKER}.',
        f'{MARKER!r}',
        f'{[f"{MARKER!r}"]!r}',
        json.dumps(MARKER),
        json.dumps(MARKER, ensure_ascii=False),
        f'https://example.com/?token={quote(MARKER, safe="")}',
        f'{MARKER.encode()!r}',
    ],
)
def test_every_form_of_a_value_is_found(text):
    assert_hidden(Secrets(frozenset({'token'}), {'token': MARKER}).mask(text), 'text')


def test_values_in_collections_numbers_and_parts_of_long_values_are_found():
    long = ''.join(f'{number:08}' for number in range(500))
    secrets = Secrets(frozenset({'a'}), {'a': {'b': [('first-secret', 4711)], 'c': {b'bytes-secret'}, 'd': long}})
    text = secrets.mask(f'first-secret 4711 bytes-secret {long[:1000]}…')
    assert not any(part in text for part in ('first', '4711', 'bytes', long[:40], long[900:940]))
    assert secrets.mask_data({'x': [4711, 4712, True, None, 1.5]}) == {'x': [HIDDEN, 4712, True, None, 1.5]}
    same = {'x': ['nothing']}
    assert secrets.mask_data(same) is same


def test_short_values_are_hidden_among_the_arguments_alone():
    job = Leaking.enqueue(token='abc', fail=False, immediate=True)
    assert f'token={HIDDEN}' in job.arguments_shown
    assert Job.objects.get().data['echo']['token'] == 'abc'


@pytest.mark.parametrize(
    'given, message',
    [
        ({'sensitive': 'token'}, "expected the names of arguments of run\\(\\), such as \\('token',\\)"),
        ({'sensitive': ('tokne',)}, "'tokne', which run\\(\\) does not take"),
        ({'sensitive': ('token',), 'limit': Limit(1, key='token')}, 'the key of its limit'),
    ],
)
def test_a_wrong_sensitive_is_refused_when_the_class_is_made(given, message):
    def run(self, token):
        pass

    with pytest.raises(ImproperlyConfigured, match=message):
        type('Wrong', (JobRunner,), {'run': run, 'Meta': type('Meta', (), given)})

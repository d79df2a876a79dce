"""Sentry sees the runner, not the function that runs all jobs."""

import pytest
import sentry_sdk
from django.utils import timezone
from sentry_sdk.transport import Transport

from tests.app.jobs import Erring, Failing, Flaky, Plain

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


class Kept(Transport):
    """Keeps what would be sent."""

    def __init__(self):
        super().__init__()
        self.items = []

    def capture_envelope(self, envelope):
        self.items += [(item.type, item.payload.json) for item in envelope.items]


@pytest.fixture
def sent(settings):
    """What is sent, by its type."""
    settings.NETBOX_JOBS = {'CONTEXT': ['netbox_jobs.contrib.sentry.Sentry']}
    transport = Kept()
    with sentry_sdk.isolation_scope():
        before = sentry_sdk.get_global_scope().client
        sentry_sdk.init(
            dsn='http://key@localhost/1',
            transport=transport,
            release='1',  # or it would ask git
            traces_sample_rate=1.0,
            default_integrations=False,
            auto_enabling_integrations=False,
        )
        yield lambda kind: [item for found, item in transport.items if found == kind]
        sentry_sdk.get_client().close(timeout=0)
        sentry_sdk.get_global_scope().set_client(before)


def test_a_run_is_a_transaction_with_the_name_of_the_runner_in_the_trace_of_the_call(sent, work):
    with sentry_sdk.start_transaction(op='http.server', name='GET /') as page:
        job = Plain.enqueue()
    work()
    run = sent('transaction')[-1]
    assert (run['transaction'], run['transaction_info']) == ('tests.app.jobs.Plain', {'source': 'task'})
    trace = run['contexts']['trace']
    assert (trace['trace_id'], trace['op'], trace['status']) == (page.trace_id, 'queue.process', 'ok')
    assert run['contexts']['job']['job_id'] == str(job.job_id) and run['tags']['queue'] == 'default'


def test_an_error_has_the_name_of_the_runner(sent, work):
    for runner, message in ((Erring, 'unexpected'), (Failing, 'expected')):
        runner.enqueue()
        work()
        error = sent('event')[-1]
        assert error['transaction'] == f'tests.app.jobs.{runner.__name__}'
        assert error['exception']['values'][-1]['value'] == message
        assert error['exception']['values'][-1]['mechanism'] == {'type': 'netbox_jobs', 'handled': False}
        assert sent('transaction')[-1]['contexts']['trace']['status'] == 'internal_error'
    assert len(sent('event')) == 2


def test_each_attempt_is_reported(sent, work):
    Flaky.enqueue(failures=1)
    work()
    assert [event['contexts']['job']['attempt'] for event in sent('event')] == [1]


def test_the_job_of_one_run_is_not_in_the_events_of_another(sent, work):
    Plain.enqueue()
    work()
    sentry_sdk.capture_message('later')
    assert 'job' not in sent('event')[-1].get('contexts', {})


def test_a_scheduled_runner_checks_in_with_its_monitor(sent, settings, work):
    settings.NETBOX_JOBS = {'CONTEXT': ['netbox_jobs.contrib.sentry.SentryWithMonitors']}
    Plain.enqueue_once(interval=60, schedule_at=timezone.now())
    Erring.enqueue_once(cron='0 3 * * *', timezone='Europe/Berlin')
    Plain.enqueue()
    for job in Erring.get_jobs():
        job.schedule.run_now()
    work()
    found = sent('check_in')
    plain, erring = ([each for each in found if each['monitor_slug'] == slug] for slug in ('plain', 'erring'))
    assert [each['status'] for each in plain] == ['in_progress', 'ok']
    assert [each['status'] for each in erring] == ['in_progress', 'error']
    assert plain[0]['monitor_config'] == {'schedule': {'type': 'interval', 'value': 60, 'unit': 'minute'}}
    assert erring[0]['monitor_config'] == {
        'schedule': {'type': 'crontab', 'value': '0 3 * * *'},
        'timezone': 'Europe/Berlin',
    }
    assert plain[0]['check_in_id'] == plain[1]['check_in_id'] and len(found) == 4

"""`manage.py jobs run`, with and without `--wait`."""

import pytest
from django.contrib.auth.models import User

from netbox_jobs.cli import follow
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job
from tests.app.jobs import Erring, Failing, Plain, Talking
from tests.app.models import UUIDThing
from tests.processes import status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


class TwinOne(JobRunner):
    class Meta:
        name = 'Twin'

    def run(self):
        pass


class TwinTwo(JobRunner):
    class Meta:
        name = 'Twin'

    def run(self):
        pass


# run


def test_run_enqueues_with_a_priority(jobs):
    assert jobs('run', 'tests.app.jobs.Plain', '--priority', '0').code == 0
    assert Job.objects.get().priority == 0
    assert 'expected a whole number from 0 to 9' in jobs('run', 'tests.app.jobs.Plain', '--priority', '10').err


def test_run_enqueues_with_arguments_instance_queue_and_user(jobs, work):
    thing, user = UUIDThing.objects.create(), User.objects.create(username='ada')
    said = jobs(
        'run', 'tests.app.jobs.Plain', '--arg', 'a=3', '--arg', 'b={"c": [1, null]}', '--arg', 'd=2026-01-01',
        '--arg', 'e=x=y', '--arg', 'f="3"', '--instance', f'testapp.uuidthing:{thing.pk}',
        '--queue', 'low', '--user', 'ada',
    )  # fmt: skip
    job = Job.objects.get()
    assert (said.code, said.out) == (0, f'Job {job.pk} (Plain) is enqueued in the queue low.\n')
    assert job.get_arguments() == {'a': 3, 'b': {'c': [1, None]}, 'd': '2026-01-01', 'e': 'x=y', 'f': '3'}
    assert (job.object, job.user, job.queue_name) == (thing, user, 'low')


def test_run_finds_a_runner_by_its_name(jobs):
    assert jobs('run', 'Plain').code == 0
    assert jobs('run', 'Purge old records').code == 0
    assert list(Job.objects.order_by('pk').values_list('runner', flat=True)) == [
        'tests.app.jobs.Plain',
        'example_plugin.housekeeping.PurgeRecordsJob',
    ]
    assert jobs('run', 'OwnQueue').code == 0
    assert Job.objects.latest('pk').name == 'Own queue'


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (
            ('Twin',),
            "2 runners are named 'Twin'; pass the path of one: tests.cli.test_run.TwinOne, tests.cli.test_r",
        ),
        (('Plian',), "There is no runner 'Plian'; did you mean 'Plain'?"),
        (('tests.app.jobs.Nope',), "There is no runner 'tests.app.jobs.Nope'; did you mean 'tests.app.jobs."),
        (('zzz',), "There is no runner 'zzz'; expected the path of a JobRunner, or its Meta.name."),
        (('netbox_jobs.jobs.JobRunner',), "There is no runner 'netbox_jobs.jobs.JobRunner'"),
        (('os.system',), "There is no runner 'os.system'"),
        (('tests.app.jobs.plain_function',), "There is no runner 'tests.app.jobs.plain_function'"),
        (('Plain', '--arg', 'x'), "'x' is not an argument; expected name=value"),
        (('Plain', '--arg', '1=x'), "'1=x' is not an argument"),
        (('Plain', '--arg', 'interval=5'), "'interval' is an option of enqueue()"),
        (('Plain', '--arg', 'retry=5'), "RQ's option 'retry' is not accepted"),
        (('Plain', '--queue', 'nope'), "There is no queue 'nope'"),
        (('Plain', '--user', 'unknown'), "There is no user 'unknown'."),
        (('Plain', '--instance', 'testapp.thing:5'), 'There is no testapp.thing with the primary key 5.'),
    ],
)
def test_run_says_what_is_wrong_and_enqueues_nothing(jobs, arguments, says):
    said = jobs('run', *arguments)
    assert (said.code, said.out) == (2, '')
    assert said.err.startswith(says)
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ('runner', 'code', 'ends'), [(Talking, 0, 'completed'), (Failing, 1, 'failed'), (Erring, 1, 'errored')]
)
def test_run_wait_shows_the_log_and_ends_by_the_outcome(jobs, worker_between_looks, runner, code, ends):
    said = jobs('run', runner.name, '--wait')
    assert said.code == code
    job = Job.objects.get()
    assert said.out.splitlines()[-1].startswith(f'Job {job.pk} ({runner.name}) {ends} in ')
    assert all(line['message'].splitlines()[0] in said.out for line in job.log_entries)
    if runner is Failing:
        assert said.out.endswith(': expected\n')
    quiet = jobs('run', runner.name, '--wait', '--json')
    assert (quiet.code, quiet.json['status']) == (code, ends)


def test_run_wait_of_a_job_that_is_canceled_is_not_done(jobs, monkeypatch):
    monkeypatch.setattr(follow.time, 'sleep', lambda seconds: Job.objects.get().cancel())
    said = jobs('run', 'Plain', '--wait')
    assert said.code == 1
    assert said.out.splitlines()[-1] == f'Job {Job.objects.get().pk} (Plain) was canceled'


@pytest.mark.parametrize('command', ['run', 'log'])
def test_ctrl_c_leaves_the_job_alone(jobs, monkeypatch, command):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(follow.time, 'sleep', interrupt)
    if command == 'run':
        said = jobs('run', 'Plain', '--wait')
        assert f'continues. Follow it with "jobs log {Job.objects.get().pk} --follow"' in said.err
    else:
        said = jobs('log', '--follow', Plain.enqueue().pk)
    assert said.code == 130
    assert status(Job.objects.get()) == 'pending'

"""Arguments and data of encrypted jobs: unreadable in the tables, readable with the keys, and re-encrypted."""

import io
import json

import pytest
from cryptography.fernet import Fernet
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection

from netbox_jobs.core import encryption
from netbox_jobs.exceptions import ArgumentsRefused, EncryptionKeyMissing
from netbox_jobs.lifecycle.deliver import deliver_after_commit
from netbox_jobs.maintenance import reencryption
from netbox_jobs.maintenance.reencryption import reencrypt
from netbox_jobs.models import Job, JobStep
from tests.processes import status
from tests.security.runners import Encrypted, Open

pytestmark = pytest.mark.django_db(transaction=True)
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def keys(settings):
    """Set the keys, and other settings."""

    def set_keys(*given, **more):
        settings.NETBOX_JOBS = {'ENCRYPTION_KEYS': list(given), **more}

    set_keys(OLD)
    return set_keys


def stored(pk):
    """The columns of a job and of its steps that are encrypted, as the tables have them."""
    with connection.cursor() as cursor:
        cursor.execute('SELECT arguments, arguments_shown, data FROM netbox_jobs_job WHERE id = %s', [pk])
        found = [*cursor.fetchone()]
        cursor.execute('SELECT result, result_shown FROM netbox_jobs_jobstep WHERE job_id = %s', [pk])
        found += [value for row in cursor.fetchall() for value in row]
    return ' '.join(str(bytes(each) if isinstance(each, memoryview | bytes) else each) for each in found)


def jobs_command(*arguments):
    out = io.StringIO()
    code = 0
    try:
        call_command('jobs', *arguments, stdout=out, stderr=out)
    except SystemExit as end:
        code = end.code
    return code, out.getvalue()


@pytest.mark.parametrize('format', ['pickle', 'json'])
def test_the_tables_hold_nothing_readable_of_an_encrypted_job(keys, work, format):
    keys(OLD, ARGUMENTS_FORMAT=format)
    job = Encrypted.enqueue(word='readable', fail=True)
    assert 'readable' not in stored(job.pk)
    work()
    Job.objects.filter(pk=job.pk, status='scheduled').update(status='pending', due=0)
    job.refresh_from_db()
    assert job.retries == 1 and 'readable' not in stored(job.pk)
    assert job.data == {'word': 'readable', 'step': 'readable'}
    assert job.get_arguments() == {'word': 'readable', 'fail': True}
    assert job.arguments_shown.splitlines() == ['word=[encrypted]', 'fail=[encrypted]']


def test_data_survives_each_way_to_write_it(keys, work):
    job = Encrypted.enqueue(word='readable')
    job.data = {'set': 'readable before'}
    job.save()
    assert 'readable' not in stored(job.pk)
    Job.objects.get(pk=job.pk).cancel()
    assert Job.objects.get(pk=job.pk).data == {'set': 'readable before'}
    done = Encrypted.enqueue(word='readable', immediate=True)
    assert 'readable' not in stored(done.pk)
    again = done.retry()
    work()
    for pk in (done.pk, again.pk):
        assert Job.objects.get(pk=pk).data['word'] == 'readable' and status(Job(pk=pk)) == 'completed'
        assert 'readable' not in stored(pk)


def test_a_successor_is_encrypted_and_the_same_call_changes_nothing(keys, work):
    first = Encrypted.enqueue_once(word='readable', interval=5)
    before = stored(first.pk)
    assert Encrypted.enqueue_once(word='readable', interval=5).pk == first.pk
    assert stored(first.pk) == before, 'equal arguments are equal, however they are encrypted'
    Encrypted.enqueue_once(word='other')
    assert Job.objects.get(pk=first.pk).get_arguments() == {'word': 'other'}
    work()
    following = Job.objects.get(predecessor=first)
    assert following.get_arguments() == {'word': 'other'} and 'other' not in stored(following.pk)


def test_the_setting_encrypts_all_runners_but_those_that_refuse(keys, monkeypatch):
    keys(OLD, ENCRYPT=True)
    assert 'readable' not in stored(Open.enqueue(word='readable').pk)
    monkeypatch.setattr(Open.Meta, 'encrypted', False, raising=False)
    assert 'readable' in stored(Open.enqueue(word='readable').pk)


def test_encrypted_arguments_that_were_changed_or_are_those_of_another_job_are_refused(keys):
    first, second = Encrypted.enqueue(word='a'), Encrypted.enqueue(word='b')
    for values in (
        {'arguments': second.arguments},
        {'arguments_format': 'pickle'},
        {'arguments': second.arguments, 'arguments_signature': second.arguments_signature},
        {'arguments': Fernet(OLD).encrypt(b'')},
    ):
        Job.objects.filter(pk=first.pk).update(**values)
        with pytest.raises(ArgumentsRefused):
            Job.objects.get(pk=first.pk).get_arguments()
        Job.objects.filter(pk=first.pk).update(
            **{name: getattr(first, name) for name in ('arguments', 'arguments_format', 'arguments_signature')}
        )


# Keys that are missing, or are none


def test_a_job_whose_key_is_missing_is_given_back_then_errored_with_the_setting_named(keys, work):
    job = Encrypted.enqueue(word='readable')
    keys(NEW, RUNNER_GRACE=600)
    with pytest.raises(EncryptionKeyMissing):
        Job.objects.get(pk=job.pk).get_arguments()
    work()
    job.refresh_from_db()
    assert (job.status, job.releases) == ('scheduled', 1)
    keys(NEW, RUNNER_GRACE=0)
    Job.objects.filter(pk=job.pk).update(status='pending', due=0)
    deliver_after_commit(Job.objects.get(pk=job.pk))
    work()
    job.refresh_from_db()
    assert job.status == 'errored' and "NETBOX_JOBS['ENCRYPTION_KEYS']" in job.error


def test_data_whose_key_is_missing_stays_as_it_is(keys, admin_client):
    job = Encrypted.enqueue(word='readable', immediate=True)
    before = stored(job.pk)
    keys(NEW)
    found = Job.objects.get(pk=job.pk)
    assert list(found.data) == ['$encrypted']
    found.save()
    assert stored(job.pk) == before
    assert '$encrypted' in admin_client.get(f'/admin/netbox_jobs/job/{job.pk}/change/').content.decode()


@pytest.mark.parametrize('given', [(), ('no key',)])
def test_without_a_usable_key_nothing_is_enqueued_and_the_check_says_why(keys, given):
    keys(*given, ENCRYPT=True)
    with pytest.raises(ImproperlyConfigured, match='ENCRYPTION_KEYS') as raised:
        Encrypted.enqueue(word='x')
    assert 'no key' not in str(raised.value) or not given, 'the message does not show the key'
    assert not Job.objects.exists()
    assert 'netbox_jobs.E015' in [found.id for found in run_checks()]


def test_data_that_looks_encrypted_and_is_not_is_left_alone(keys):
    for value in ({'$encrypted': 'x'}, {'$encrypted': 1}, {'$encrypted': 'a', 'b': 1}):
        job = Job.objects.create(name='by hand', data=value)
        assert Job.objects.get(pk=job.pk).data == value


def test_a_key_that_stands_there_instead_of_a_list_is_not_shown(settings):
    settings.NETBOX_JOBS = {'ENCRYPTION_KEYS': OLD}
    found = [error.msg for error in run_checks() if 'ENCRYPTION_KEYS' in error.msg]
    assert found and OLD not in ''.join(found)


# Rotation


def test_reencryption_renews_arguments_data_and_steps_and_can_be_repeated(keys, work):
    done, waiting = (
        Encrypted.enqueue(word='readable', immediate=True),
        Encrypted.enqueue(word='later', queue_name='low'),
    )
    running, other = Encrypted.enqueue(word='x', queue_name='low'), Open.enqueue(word='open', queue_name='low')
    running.start()
    keys(NEW, OLD)
    code, text = jobs_command('reencrypt')
    assert code == 0 and 'first key: 2.' in text and '1 of the jobs run now' in text
    running.terminate()
    assert json.loads(jobs_command('reencrypt', '--json')[1]) == {
        'changed': 1, 'current': 2, 'running': 0, 'refused': [],
    }  # fmt: skip
    keys(NEW)
    assert Job.objects.get(pk=done.pk).data['word'] == 'readable'
    assert Job.objects.get(pk=done.pk).retry().get_arguments() == {'word': 'readable'}
    assert encryption.ring().is_current(bytes(JobStep.objects.get(job=done.pk).result))
    work()
    assert status(waiting) == 'completed'
    assert 'open' in stored(other.pk)


def test_reencryption_encrypts_jobs_of_runners_that_say_so_since(keys, monkeypatch, work):
    done, waiting = Open.enqueue(word='readable', immediate=True), Open.enqueue(word='readable')
    monkeypatch.setattr(Open.Meta, 'encrypted', True, raising=False)
    assert reencrypt().changed == 2
    assert 'readable' not in stored(done.pk) + stored(waiting.pk)
    assert Job.objects.get(pk=done.pk).data == {'word': 'readable'}
    work()
    assert Job.objects.get(pk=waiting.pk).data == {'word': 'readable'}


def test_an_interrupted_reencryption_continues_where_it_was(keys, monkeypatch):
    monkeypatch.setattr(reencryption, 'BATCH', 2)
    jobs = [Encrypted.enqueue(word=f'w{number}') for number in range(5)]
    keys(NEW, OLD)

    def interrupt(result):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reencrypt(interrupt)
    result = reencrypt()
    assert (result.changed, result.current) == (3, 2)
    keys(NEW)
    assert [Job.objects.get(pk=job.pk).get_arguments()['word'] for job in jobs] == [f'w{n}' for n in range(5)]


def test_what_was_changed_outside_the_app_is_not_signed_anew(keys):
    job, other = Encrypted.enqueue(word='a'), Encrypted.enqueue(word='b')
    Job.objects.filter(pk=job.pk).update(arguments=other.arguments)
    keys(NEW, OLD)
    code, text = jobs_command('reencrypt')
    assert code == 1 and str(job.pk) in text
    with pytest.raises(ArgumentsRefused):
        Job.objects.get(pk=job.pk).get_arguments()


def test_reencryption_without_keys_is_a_usage_error(keys):
    keys()
    with pytest.raises(CommandError, match='ENCRYPTION_KEYS'):
        call_command('jobs', 'reencrypt')

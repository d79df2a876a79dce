"""Contexts that were changed in the database, that a worker does not know, or that cannot be stored or restored."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from netbox_jobs.models import Job, Schedule
from tests.app.contexts import setting, word
from tests.core.context_settings import PATHS, Heard, configure, data, run_due

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures('two_contexts')]


def test_a_context_that_was_changed_in_the_database_is_refused(work):
    with setting(word, 'a'):
        job = Heard.enqueue()
        periodic = Heard.enqueue(interval=60)
    Job.objects.update(context={'word': 'b'})
    work()
    for pk in (job.pk, periodic.pk):
        found = Job.objects.get(pk=pk)
        assert (found.status, found.data) == ('errored', None)
        assert 'not signed' in found.error
    assert 'not signed' in Schedule.objects.get().suspended


def test_a_context_that_was_added_or_removed_in_the_database_is_refused(work):
    job = Heard.enqueue()
    Job.objects.update(context={'word': 'b'})
    with setting(word, 'a'):
        other = Heard.enqueue()
    Job.objects.filter(pk=other.pk).update(context={})
    work()
    assert set(Job.objects.values_list('status', flat=True)) == {'errored'}
    assert {data(job), data(other)} == {None}


def test_a_worker_that_does_not_know_a_context_leaves_the_job_to_another(work, settings):
    with setting(word, 'a'):
        job = Heard.enqueue()
        chain = Heard.enqueue(interval=60)
    configure(settings)
    work()
    assert set(Job.objects.values_list('status', 'releases', 'attempt')) == {('scheduled', 1, 0)}
    configure(settings, 'Word')
    run_due(work)
    assert data(job) == data(chain) == ['a']
    configure(settings, RUNNER_GRACE=0)
    run_due(work)
    ended = Job.objects.get(predecessor=chain)
    assert ended.status == 'errored' and "context word, which is not in NETBOX_JOBS['CONTEXT']" in ended.error
    assert Job.objects.get(predecessor=ended).context == {'word': 'a'}


def test_a_context_that_cannot_be_restored_ends_the_job_and_its_message_names_it(work, settings):
    configure(settings, 'Word', 'Broken')
    with setting(word, 'a'):
        job = Heard.enqueue(interval=60)
    work()
    found = Job.objects.get(pk=job.pk)
    assert (found.status, found.data) == ('errored', None)
    assert "context 'broken' could not be restored" in found.error and 'no x today' in found.error
    assert Job.objects.get(predecessor=job).context == job.context
    assert word.get() is None


def test_a_context_that_cannot_be_left_changes_nothing_of_the_end(work, settings, caplog):
    configure(settings, 'Sticky')
    job = Heard.enqueue()
    work()
    assert Job.objects.get(pk=job.pk).status == 'completed'
    assert 'A context could not be left: sticky.' in caplog.text


@pytest.mark.parametrize(
    ('value', 'error'), [(object(), TypeError), (float('nan'), ValueError), ('x' * 20_000, ValueError)]
)
def test_a_value_that_cannot_be_stored_ends_the_call(value, error):
    with setting(word, value), pytest.raises(error, match='word'):
        Heard.enqueue()
    assert not Job.objects.exists()


def test_any_json_keeps_its_signature_on_every_database(work):
    value = {'b': [1.0, 1e22, -0.0, 0.1, 1e-7, 2**53, True, None, 'ä\x00\ud800'], 'a': {'z': 1, 'y': ()}}
    with setting(word, value):
        job = Heard.enqueue()
    work()
    assert Job.objects.get(pk=job.pk).status == 'completed'


def test_a_context_that_is_none_or_that_two_classes_share_is_an_error(settings):
    for paths in ([PATHS['Nameless']], [PATHS['Word'], PATHS['Word']], ['tests.app.contexts.Gone'], ['x']):
        settings.NETBOX_JOBS = {'CONTEXT': paths}
        with pytest.raises(ImproperlyConfigured, match='CONTEXT'):
            Heard.enqueue()


def test_enqueue_once_signs_nothing_that_was_changed_outside_the_app(work):
    with setting(word, 'a'):
        job = Heard.enqueue_once(text='x')
    Job.objects.update(arguments=b'anything')
    with setting(word, 'b'):
        Heard.enqueue_once(notifications='never')
    work()
    assert 'not signed' in Job.objects.get(pk=job.pk).error

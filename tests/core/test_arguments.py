"""Arguments on the row: what comes back, what is refused, what a person sees. Promise P9."""

import pickle
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils.crypto import salted_hmac

from netbox_jobs.core import arguments
from netbox_jobs.exceptions import ArgumentsRefused, ArgumentsTooLarge
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job
from tests.app.jobs import Plain
from tests.app.models import TextThing, Thing, UUIDThing
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)

VALUES = {
    'text': 'with \x00 and ✓',
    'numbers': [1, 2.5, Decimal('1.10'), True, None],
    'moments': [datetime(2026, 3, 29, 1, 30, tzinfo=UTC), date(2026, 1, 1), time(12, 30), timedelta(days=1, seconds=2)],
    'keys': {1: 'int', 'a': {'$': 'dollar'}, (1, 2): 'tuple'},
    'sets': {frozenset({1}), 2},
    'id': uuid.UUID(int=5),
}


class Evil:
    ran = False

    def __reduce__(self):
        return (setattr, (Evil, 'ran', True))


@pytest.mark.parametrize('format', ['pickle', 'json'])
def test_values_come_back_as_they_went_in(settings, format):
    settings.NETBOX_JOBS = {'ARGUMENTS_FORMAT': format}
    job = Plain.enqueue(**VALUES)
    assert Job.objects.get(pk=job.pk).get_arguments() == VALUES


@pytest.mark.parametrize('format', ['pickle', 'json'])
def test_saved_objects_are_fetched_fresh_when_the_job_runs(settings, format):
    settings.NETBOX_JOBS = {'ARGUMENTS_FORMAT': format}
    things = [Thing.objects.create(), UUIDThing.objects.create(), TextThing.objects.create(code='x')]
    job = Plain.enqueue(things=things, deep={'thing': things[0]})
    Thing.objects.update(name='renamed')
    found = Job.objects.get(pk=job.pk).get_arguments()
    assert found['things'] == things
    assert found['deep']['thing'].name == 'renamed'


def test_the_signature_is_the_one_that_django_makes(settings):
    stored, job_id = arguments.encode({'word': 'x'}), uuid.uuid4()
    message = b'\x00'.join((str(job_id).encode(), b'path', stored.format.encode(), b'{}', stored.payload))
    for settings.SECRET_KEY in ('text', b'bytes'):
        expected = salted_hmac('netbox_jobs.core.arguments', message, settings.SECRET_KEY, algorithm='sha256')
        assert stored.signature(job_id, 'path', '{}') == expected.hexdigest()


def test_an_object_that_is_gone_is_an_error_that_names_it(work):
    thing = Thing.objects.create()
    job = Plain.enqueue(thing=thing)
    thing.delete()
    work()
    assert status(job) == 'errored'
    assert 'testapp.Thing' in job.error and 'no longer exists' in job.error


def test_unsaved_objects_are_passed_by_value(work):
    job = Plain.enqueue(thing=Thing(name='draft'))
    assert job.get_arguments()['thing'].name == 'draft'


def test_p9_arguments_changed_outside_the_app_are_refused_and_never_unpickled(work):
    job = Plain.enqueue(word='x')
    Job.objects.filter(pk=job.pk).update(arguments=pickle.dumps({'word': Evil()}))
    work()
    assert status(job) == 'errored'
    assert 'not signed' in job.error
    assert not Evil.ran


@pytest.mark.parametrize('change', ['another job', 'another runner', 'another format'])
def test_p9_the_signature_covers_job_callable_and_format(change):
    job = Plain.enqueue(word='x')
    other = Plain.enqueue(word='x')
    if change == 'another job':
        job.arguments_signature = other.arguments_signature
    elif change == 'another runner':
        job.runner = 'tests.app.jobs.Failing'
    else:
        job.arguments_format = 'json'
    with pytest.raises(ArgumentsRefused):
        job.get_arguments()


def test_p9_a_rotated_key_is_honoured_as_a_fallback_and_refused_without(settings, work):
    good, bad = Plain.enqueue(word='x'), Plain.enqueue(word='y')
    old = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = 'another', [old]
    assert Job.objects.get(pk=good.pk).get_arguments() == {'word': 'x'}
    settings.SECRET_KEY_FALLBACKS = []
    work()
    assert status(bad) == 'errored'
    assert 'SECRET_KEY_FALLBACKS' in bad.error


def test_p9_a_successor_is_signed_anew(work):
    job = Plain.enqueue(interval=10, word='x')
    work()
    successor = Plain.get_jobs().waiting().get()
    assert successor.arguments_signature != job.arguments_signature
    assert successor.get_arguments() == {'word': 'x'}


def test_p9_tampered_arguments_are_not_handed_on_to_a_successor(work):
    job = Plain.enqueue(interval=10, word='x')
    Job.objects.filter(pk=job.pk).update(arguments=pickle.dumps({'word': Evil()}))
    work()
    assert status(job) == 'errored'
    assert Plain.get_jobs().count() == 1
    job.schedule.refresh_from_db()
    assert 'not signed' in job.schedule.suspended
    assert not Evil.ran


def test_the_json_only_mode_refuses_what_json_cannot_say_and_stored_pickles(settings):
    pickled = Plain.enqueue(word={1, 2})
    settings.NETBOX_JOBS = {'ARGUMENTS_FORMAT': 'json'}
    with pytest.raises(TypeError, match=r"'word'.*cannot be stored as json"):
        Plain.enqueue(word=object())
    with pytest.raises(ArgumentsRefused, match='json'):
        pickled.get_arguments()


def test_too_large_arguments_are_refused_with_numbers(settings):
    settings.NETBOX_JOBS = {'ARGUMENTS_MAX_SIZE': 1000}
    with pytest.raises(ArgumentsTooLarge, match=r"'big'.*1,000"):
        Plain.enqueue(small=1, big='x' * 2000)
    assert not Job.objects.exists()


class Returning(JobRunner):
    def run(self, result):
        self.step('fetch', lambda: 'x' * 2000 if result == 'large' else object())


@pytest.mark.parametrize(
    ('result', 'message'),
    [
        ('large', "The result of the step 'fetch' takes 2,0"),
        ('none', "The result of the step 'fetch' (object) cannot be stored as json"),
    ],
)
def test_an_error_names_the_step_whose_result_cannot_be_stored(settings, work, result, message):
    settings.NETBOX_JOBS = {'ARGUMENTS_MAX_SIZE': 1000, 'ARGUMENTS_FORMAT': 'json'}
    job = Returning.enqueue(result=result, max_retries=0)
    work()
    job.refresh_from_db()
    assert message in job.error
    assert 'rguments of this job' not in job.error


def test_an_error_names_the_signal_whose_payload_is_too_large(settings):
    settings.NETBOX_JOBS = {'ARGUMENTS_MAX_SIZE': 1000}
    with pytest.raises(ArgumentsTooLarge, match="The payload of the signal 'go' takes"):
        Plain.enqueue().signal('go', 'x' * 2000)


def test_an_unknown_format_is_a_configuration_error(settings):
    settings.NETBOX_JOBS = {'ARGUMENTS_FORMAT': 'xml'}
    with pytest.raises(ImproperlyConfigured, match='xml'):
        Plain.enqueue()


def test_a_person_can_read_the_arguments_without_decoding_them():
    thing = Thing.objects.create()
    job = Plain.enqueue(thing=thing, word='x', long='y' * 5000)
    shown = Job.objects.get(pk=job.pk).arguments_shown
    assert f"thing=<testapp.Thing {thing.pk}>\nword='x'\nlong='yyy" in shown
    assert len(shown) < 2500


def test_a_broken_repr_does_not_prevent_a_job():
    assert 'raised' in arguments.show({'odd': Odd()})


class Odd:
    def __repr__(self):
        raise RuntimeError


def test_immediate_takes_what_cannot_be_stored():
    job = Plain.enqueue(immediate=True, stream=open)
    assert job.status == 'completed'
    assert Plain.enqueue(immediate=True, made=lambda: 1).status == 'completed'


class Unprintable:
    def __repr__(self):
        return 'nul \x00 and half a pair \ud800'


def test_what_a_person_sees_of_the_arguments_is_storable_everywhere():
    job = Plain.enqueue(odd=Unprintable())
    assert Job.objects.get(pk=job.pk).arguments_shown == 'odd=nul \ufffd and half a pair \ufffd'


class Requestlike:
    """As NetBox's copy of a request: plain attributes, one of them a saved object."""

    def __init__(self, user, data):
        self.user, self.data = user, data


def test_request_like_objects_keep_their_saved_objects_as_references(django_user_model, work):
    user = django_user_model.objects.create(username='before')
    job = Plain.enqueue(request=Requestlike(user, {1: ['a']}))
    django_user_model.objects.update(username='after')
    found = Job.objects.get(pk=job.pk).get_arguments()['request']
    assert (found.user.username, found.data) == ('after', {1: ['a']})


def test_a_job_may_be_an_argument():
    first = Plain.enqueue()
    assert Plain.enqueue(other=first).get_arguments() == {'other': first}


@pytest.mark.parametrize('value', [float('nan'), float('inf'), b'bytes', {'x': {1: object()}}])
def test_p8_the_json_only_mode_refuses_at_the_call_and_writes_nothing(settings, value):
    settings.NETBOX_JOBS = {'ARGUMENTS_FORMAT': 'json'}
    with pytest.raises(TypeError, match="'word'"):
        Plain.enqueue(word=value)
    assert not Job.objects.exists()


@pytest.mark.parametrize('payload', [b'', pickle.dumps({'word': Evil()})])
def test_p9_a_missing_signature_is_refused_too(work, payload):
    job = Plain.enqueue(word='x')
    Job.objects.filter(pk=job.pk).update(arguments=payload, arguments_signature='')
    work()
    assert not Evil.ran
    assert (status(job), job.data) == ('errored', None)
    assert 'not signed' in job.error


def test_p9_tampered_arguments_are_not_unpickled_by_enqueue_once_either():
    job = Plain.enqueue_once(interval=10, word='x')
    Job.objects.filter(pk=job.pk).update(arguments=pickle.dumps({'word': Evil()}))
    Plain.enqueue_once(interval=20)
    Plain.enqueue_once(word='y')
    assert not Evil.ran
    assert Job.objects.get(pk=job.pk).get_arguments() == {'word': 'y'}

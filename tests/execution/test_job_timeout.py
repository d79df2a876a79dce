"""A class attribute or a property `job_timeout` of a runner counts like `Meta.job_timeout`."""

from functools import cached_property

import pytest
from django.utils.functional import classproperty

from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job
from tests.app.models import Thing
from tests.processes import status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


class Base(JobRunner):
    def run(self, **kwargs):
        pass


class Attribute(Base):
    job_timeout = 77


class Text(Base):
    job_timeout = '2m'


class Inherited(Attribute):
    pass


class Unlimited(Base):
    job_timeout = -1


class Property(Base):
    @property
    def job_timeout(self):
        return 78


class CachedProperty(Base):
    @cached_property
    def job_timeout(self):
        return 79


class ClassProperty(Base):
    @classproperty
    def job_timeout(cls):
        return 80


class NeedsTheJob(Base):
    @property
    def job_timeout(self):
        return self.job.object.pk


class Beside(Base):
    job_timeout = 77

    class Meta:
        job_timeout = 66


class BesideProperty(Property):
    class Meta:
        job_timeout = 66


class NoLimit(Base):
    job_timeout = None


class Wrong(Base):
    job_timeout = 'soon'


class WrongProperty(Base):
    @property
    def job_timeout(self):
        return 0


class Method(Base):
    def job_timeout(self):
        return 60


class Raising(Base):
    @property
    def job_timeout(self):
        raise ZeroDivisionError


SECONDS = {
    Attribute: 77, Text: 120, Inherited: 77, Unlimited: -1, Property: 78, CachedProperty: 79, ClassProperty: 80,
    NeedsTheJob: None, Beside: 66, BesideProperty: 66, NoLimit: None,
}  # fmt: skip


@pytest.mark.parametrize('runner', SECONDS)
def test_it_is_the_default_of_the_option(runner, work):
    calls = (runner.enqueue, runner.enqueue_once, lambda **given: runner.enqueue_many([given])[0])
    for call in calls:
        assert call().job_timeout == SECONDS[runner]
        assert call(job_timeout=5, instance=Thing.objects.create()).job_timeout == 5
    assert runner.enqueue_once().job_timeout == SECONDS[runner]
    work()
    assert set(Job.objects.values_list('status', flat=True)) == {'completed'}


@pytest.mark.parametrize('runner', [Wrong, WrongProperty, Method])
@pytest.mark.parametrize('call', ['enqueue', 'enqueue_once'])
def test_p8_a_wrong_value_is_refused_in_the_call(runner, call):
    with pytest.raises(ValueError, match=r'job_timeout is .*; expected whole seconds'):
        getattr(runner, call)()
    assert not Job.objects.exists()


def test_what_a_property_raises_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        Raising.enqueue()
    assert not Job.objects.exists()


def test_successors_and_retries_keep_the_limit_of_the_call(work):
    job = Attribute.enqueue(job_timeout=5, interval=10)
    work()
    assert Job.objects.get(predecessor=job).job_timeout == 5
    assert Job.objects.get(pk=job.pk).retry().job_timeout == 5
    assert status(job) == 'completed'

"""The calls of a runner: their options, the arguments of `run()`, and what they return."""

from datetime import datetime, timedelta
from typing import assert_type

from example_plugin.models import Source
from netbox_jobs.jobs import EnqueueOptions, Job

from .runners import Clashing, Coroutine, NoMeta, Overriding, Sync

source = Source()

# Options, and arguments of run() beside them, which enqueue() cannot type
assert_type(Sync.enqueue(), Job)
assert_type(Sync.enqueue(source), Job)
assert_type(Sync.enqueue(instance=source, interval=5, word='x'), Job)
Sync.enqueue(schedule_at=datetime.now(), queue_name='low', notifications='never', user=None, name='x', at_front=True)
Sync.enqueue(job_timeout='10m', max_retries=3, retry_backoff=[1, 2.5], retry_on=[ValueError], meta={'a': 1})
Sync.enqueue(cron='0 3 * * *', timezone='UTC', depends_on=[Sync.enqueue()], ttl=60, result_ttl='1h', failure_ttl=None)
Sync.enqueue(immediate=True, description='x', on_success=print)
Sync.enqueue(interval='5')  # type: ignore[arg-type]
Sync.enqueue(instance='source')  # type: ignore[arg-type]
Sync.enqueue(source, 'name')  # type: ignore[call-arg]
Sync.enqueue(schedule_at=timedelta(hours=1))  # type: ignore[arg-type]
Sync.enqueue(queue_name=1)  # type: ignore[arg-type]
Sync.enqueue(immediate='yes')  # type: ignore[arg-type]
Sync.enqueue(retry_on='ValueError')  # type: ignore[arg-type]
Sync.enqueue(notifications=True)  # type: ignore[arg-type]
Sync.enqueue(max_retries=1.5)  # type: ignore[arg-type]

# enqueue_once()
assert_type(Sync.enqueue_once(), Job)
assert_type(Sync.enqueue_once(source, None, None), Job)
assert_type(Sync.enqueue_once(instance=source, schedule_at=datetime.now(), interval=60, word='x'), Job)
Sync.enqueue_once(interval=None, queue_name='low')
Sync.enqueue_once(interval='60')  # type: ignore[arg-type]
Sync.enqueue_once(source, 60)  # type: ignore[arg-type]
Sync.enqueue_once(queue_name=1)  # type: ignore[arg-type]
Sync.setup(interval=60, queue_name='low')
Sync.setup(interval='60')  # type: ignore[arg-type]

# Many calls
assert_type(Sync.enqueue_many([{'instance': source, 'word': 'x'}, {'word': 'y'}], queue_name='low'), list[Job])
Sync.enqueue_many(['word'])  # type: ignore[list-item]

# Overridden methods take anything, and return jobs
assert_type(Overriding.enqueue(instance=source, anything=1), Job)
assert_type(Overriding.enqueue_once(instance=source, anything=1), Job)

# using(): options by their types, and then exactly the arguments of run()
assert_type(Sync.using(queue_name='low', schedule_at=datetime.now()).enqueue('x'), Job)
assert_type(Sync.using(instance=source, interval=None).enqueue_once(word='x', times=2), Job)
Sync.using(intervall=5)  # type: ignore[call-arg]
Sync.using(interval='5')  # type: ignore[arg-type]
Sync.using(source)  # type: ignore[call-arg]
Sync.using().enqueue()  # type: ignore[call-arg]
Sync.using().enqueue(word=1)  # type: ignore[arg-type]
Sync.using().enqueue(word='x', times='2')  # type: ignore[arg-type]
Sync.using().enqueue(word='x', queue_name='low')  # type: ignore[call-arg]
Sync.using().enqueue_once(word='x', timess=2)  # type: ignore[call-arg]
Clashing.using(name='shown', interval=5).enqueue(name='x', user=1, interval='x', queue_name=b'x')
Clashing.using(name='shown').enqueue(name='x', user=1, interval=5, queue_name=b'x')  # type: ignore[arg-type]
Coroutine.using(at_front=True).enqueue(word='x')
Coroutine.using().enqueue(word=1)  # type: ignore[arg-type]
NoMeta.using().enqueue(anything=1)

options: EnqueueOptions = {'queue_name': 'low', 'interval': 5}
Sync.using(**options).enqueue(word='x')
wrong: EnqueueOptions = {'intervall': 5}  # type: ignore[typeddict-unknown-key]


async def from_asynchronous_code() -> None:
    assert_type(await Sync.aenqueue(instance=source, word='x'), Job)
    assert_type(await Sync.aenqueue_once(source, None, 60), Job)
    assert_type(await Sync.aenqueue_many([{'word': 'x'}]), list[Job])
    assert_type(await Sync.using(queue_name='low').aenqueue(word='x'), Job)
    assert_type(await Sync.using(queue_name='low').aenqueue_once(word='x'), Job)
    await Sync.aenqueue(interval='5')  # type: ignore[arg-type]
    await Sync.aenqueue_once(interval='5')  # type: ignore[arg-type]
    await Sync.using().aenqueue(word=1)  # type: ignore[arg-type]
    await Sync.using().aenqueue_once()  # type: ignore[call-arg]

"""How long `enqueue()` takes, next to one INSERT of the same row and one raw `enqueue` of RQ."""

import uuid
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from redis import Redis
from rq import Queue

from . import floors
from .app.jobs import Nothing
from .app.models import Row as PlainRow
from .app.models import Thing, User
from .series import Row, alternate

FLOOR = 'one INSERT by save() + one raw rq enqueue'
BATCH = 100


def rows() -> list[Row]:
    """The lines of the table."""
    return [
        Row('enqueue, no instance', 'ms', FLOOR, 0.6, reference='3.0x'),
        Row('enqueue, instance and user', 'ms', FLOOR, 0.7, reference='5.4x (instance alone 4.9x)'),
        Row(f'enqueue_many, per job of {BATCH}', 'ms', 'our enqueue, no instance', 0.25),
    ]


def measure(plain: Row, about: Row, many: Row, *, rounds: int, times: int) -> Iterator[str]:
    """Measure round after round; yields a word after each."""
    thing = Thing.objects.create(name='thing')
    user = User.objects.get_or_create(username='bench')[0]
    ours = {'plain': {'whom': 'world'}, 'about': {'instance': thing, 'user': user, 'whom': 'world'}}
    floor = {kind: _floor(_values(Nothing.enqueue(**call))) for kind, call in ours.items()}
    calls = [{'whom': 'world'}] * BATCH
    acts = (
        floor['plain'],
        lambda: Nothing.enqueue(**ours['plain']),
        floor['about'],
        lambda: Nothing.enqueue(**ours['about']),
        lambda: Nothing.enqueue_many(calls),
    )
    alternate(1, 5, *acts)  # caches, connections
    for number in range(rounds):
        one = alternate(times, 20, *acts[:4])
        (batch,) = alternate(times // 2 or 1, 1, acts[4])
        plain.floor.values.append(one[0])
        plain.ours.values.append(one[1])
        about.floor.values.append(one[2])
        about.ours.values.append(one[3])
        many.floor.values.append(one[1])
        many.ours.values.append(batch / BATCH)
        yield f'enqueue {number + 1}'


def _values(job: Any) -> dict[str, Any]:
    """What a row of this job says that is not a default."""
    fields = [field for field in PlainRow._meta.concrete_fields if field.name not in ('id', 'job_id', 'created')]
    values = {field.attname: getattr(job, field.attname) for field in fields}
    return {field.attname: values[field.attname] for field in fields if values[field.attname] != field.get_default()}


def _floor(values: dict[str, Any]) -> Any:
    queue = Queue('default', connection=Redis.from_url(settings.FLOOR_REDIS))

    def act() -> None:
        job_id = uuid.uuid4()
        PlainRow(**values, job_id=job_id).save()
        queue.enqueue(floors.nothing, str(job_id), job_id=str(job_id))

    return act

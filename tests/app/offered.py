"""Runners of the tests whose jobs can be enqueued through the REST API."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

from netbox_jobs.jobs import JobRunner

from .models import Thing


class Color(Enum):
    RED = 'red'
    BLUE = 'blue'


class Grading(JobRunner):
    """Takes an argument of each kind.

    And says more about it here.
    """

    class Meta:
        name = 'Grading'
        api = True

    def run(
        self,
        days: int,
        *,
        thing: Thing | None = None,
        word: str = 'x',
        share: float = 0.5,
        deep: bool = False,
        price: Decimal = Decimal(1),
        at: datetime | None = None,
        day: date | None = None,
        every: timedelta | None = None,
        key: UUID | None = None,
        color: Color = Color.RED,
        mode: Literal['fast', 'slow'] = 'fast',
        numbers: Annotated[list[int], 'some'] = (),
        names: dict[str, str] | None = None,
        anything: Any = None,
        name: str = '',
    ) -> None:
        self.job.data = {name: repr(value) for name, value in locals().items() if name not in ('self', '__class__')}


class Open(JobRunner):
    class Meta:
        api = True

    def run(self, unknown: 'Missing' = None, **kwargs):  # noqa: F821
        self.job.data = {'unknown': unknown, **kwargs}


class Refusing(JobRunner):
    """Does not take what it is given."""

    class Meta:
        api = True

    @classmethod
    def enqueue(cls, *args, **kwargs):
        raise ValueError('not today')

    def run(self):
        pass

"""A process that dies at any statement, as the tests play it, leaves all that it can leave, and each of these once."""

import pytest
from django.db import transaction

from netbox_jobs.broker import delivery
from tests.app.models import Thing
from tests.dying import at_each_statement

pytestmark = pytest.mark.django_db(transaction=True)


def left():
    return Thing.objects.count(), delivery.queue('default').connection.llen('rq:made')


def make(*names):
    for name in names:
        assert not Thing.objects.filter(name=name).exists()
        Thing.objects.create(name=name)


def act():
    make('a', 'b')
    with transaction.atomic():
        make('c', 'd')
    delivery.queue('default').connection.lpush('rq:made', 'x')
    make('e')


def deaths(**kwargs):
    for _number in at_each_statement(act, **kwargs):
        yield left()
        Thing.objects.all().delete()
        delivery.queue('default').connection.flushdb()


def test_it_leaves_what_was_committed_and_sent_until_then():
    assert list(deaths()) == [(0, 0), (1, 0), (2, 0), (4, 0), (4, 1), (5, 1)]


def test_where_it_leaves_files_it_dies_at_every_statement():
    found = list(deaths(leaves_files=True))
    assert sorted(set(found)) == [(0, 0), (1, 0), (2, 0), (4, 0), (4, 1), (5, 1)]
    assert len(found) > 10

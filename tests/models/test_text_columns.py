"""Columns of text take what comes from outside, whatever the character set of the tables; see `test_charset.py`."""

import pytest
from django.apps import apps
from django.db import models

from netbox_jobs.models import Job
from netbox_jobs.models.text import CharField, IdentityField, TextField, restored

pytestmark = pytest.mark.once


def test_every_column_of_text_makes_what_it_is_given_storable():
    missing = [
        str(field)
        for model in apps.get_app_config('netbox_jobs').get_models(include_auto_created=True)
        for field in model._meta.local_concrete_fields
        if isinstance(field, models.CharField | models.TextField) and not isinstance(field, CharField | TextField)
    ]
    assert missing == []


def test_migrations_take_the_columns_for_those_of_django():
    for name, path in (('name', 'models.CharField'), ('error', 'models.TextField'), ('runner', 'models.CharField')):
        assert Job._meta.get_field(name).deconstruct()[1] == f'django.db.{path}'


@pytest.mark.django_db  # which is asked once what its tables hold
@pytest.mark.parametrize('text', ['a\x00b', 'a\ud800b'])
def test_half_of_a_pair_and_nul_are_replaced(text):
    assert CharField(max_length=10).get_prep_value(text) == 'a\ufffdb'


@pytest.mark.parametrize('key', ['\U0001f389', '\u4e16', '\xe9', 'plain.queue'])
def test_what_identifies_something_is_restored(key, monkeypatch):
    monkeypatch.setattr(
        'netbox_jobs.core.charset.escaped', lambda text, kind: text.encode('ascii', 'backslashreplace').decode()
    )
    stored = IdentityField(max_length=100).get_prep_value(key)
    assert stored.isascii()
    assert restored(stored) == key


def test_two_texts_that_escapes_make_too_long_remain_two(monkeypatch):
    monkeypatch.setattr(
        'netbox_jobs.core.charset.escaped', lambda text, kind: text.encode('ascii', 'backslashreplace').decode()
    )
    first, second = (IdentityField(max_length=100).get_prep_value('\U0001f389' * 99 + end) for end in 'ab')
    assert (len(first), len(second)) == (100, 100)
    assert first != second

"""What a plugin gets for its imports."""

import importlib
import inspect
import re
import sys

import pytest
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone
from rq import Retry

from netbox_jobs import choices, constants, exceptions, jobs, models, signals
from netbox_jobs.contrib.netbox import aliases, checks, plugins
from netbox_jobs.core import queues
from netbox_jobs.core.registry import system_jobs
from tests.docs.blocks import DOCS, names, rows


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('core.choices', choices.JobStatusChoices),
        ('core.choices', choices.JobIntervalChoices),
        ('core.choices', choices.JobNotificationChoices),
        ('core.exceptions', exceptions.JobFailed),
        ('core.models', models.Job),
        ('core.models.jobs', models.Job),
        ('netbox.jobs', jobs.JobRunner),
        ('netbox.jobs', models.Job),
        ('netbox.jobs', jobs.system_job),
        ('netbox.models', models.JobsMixin),
        ('netbox.models.features', models.JobsMixin),
        ('netbox.plugins', plugins.PluginConfig),
    ],
    ids=str,
)
def test_an_import_of_netbox_gives_ours(name, expected):
    assert getattr(importlib.import_module(name), expected.__name__) is expected


def test_every_alias_can_be_imported_and_named_by_a_star():
    for name, provided in aliases.ALIASES.items():
        names: dict = {}
        exec(f'from {name} import *', names)
        assert {each for each in provided if not each.startswith('_')} <= names.keys(), name


def test_the_values_of_the_modules_are_those_of_the_engine():
    from core.models import ObjectType
    from core.signals import job_end, job_start
    from netbox import settings as netbox_settings
    from netbox.config import get_config
    from netbox.constants import ADVISORY_LOCK_KEYS, RQ_QUEUE_DEFAULT, RQ_QUEUE_HIGH, RQ_QUEUE_LOW
    from netbox.registry import registry
    from netbox.settings import VERSION
    from utilities.datetime import local_now

    assert timezone.is_aware(local_now())
    assert isinstance(ADVISORY_LOCK_KEYS['job-schedules'], int)
    assert (job_start, job_end) == (signals.job_start, signals.job_end)
    assert ObjectType is ContentType
    assert (RQ_QUEUE_HIGH, RQ_QUEUE_DEFAULT, RQ_QUEUE_LOW) == (
        constants.RQ_QUEUE_HIGH,
        constants.RQ_QUEUE_DEFAULT,
        constants.RQ_QUEUE_LOW,
    )
    assert registry['system_jobs'] is system_jobs
    assert netbox_settings.PLUGINS_CONFIG is settings.PLUGINS_CONFIG
    assert get_config().QUEUE_MAPPINGS == {'device': 'low'}
    assert VERSION == '4.5.10'
    with pytest.raises(AttributeError):
        netbox_settings.NOTHING  # noqa: B018


def test_a_name_that_is_not_in_the_table_is_an_import_error_that_names_the_table():
    for statement, missing in (('from core.models import DataSource', 'DataSource'), ('import dcim.models', 'dcim')):
        with pytest.raises(ImportError, match=missing):
            exec(statement)
    with pytest.raises(ImportError) as caught:
        exec('from core.models import DataSource')
    assert 'contrib/netbox/aliases.py' in str(caught.value) or 'netbox_jobs.contrib.netbox' in str(caught.value)


def test_a_module_of_the_projects_own_is_never_hidden(tmp_path, monkeypatch):
    (tmp_path / 'core').mkdir()
    (tmp_path / 'core' / '__init__.py').write_text('')
    (tmp_path / 'core' / 'models.py').write_text('own = True')
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition('.')[0] == 'core']:
        monkeypatch.delitem(sys.modules, name)
    assert importlib.import_module('core.models').own
    assert importlib.import_module('core.choices').JobStatusChoices is choices.JobStatusChoices


def test_the_stores_of_the_registry_are_fixed_and_a_missing_one_is_named():
    from netbox.registry import registry

    with pytest.raises(KeyError, match='system_jobs'):
        registry['models']
    with pytest.raises(TypeError, match='fixed'):
        registry['system_jobs'] = {}
    with pytest.raises(TypeError, match='fixed'):
        del registry['system_jobs']


def test_a_plugin_can_register_its_system_job_in_the_registry_by_hand():
    from netbox.registry import registry

    class Mine(jobs.JobRunner):
        def run(self): ...

    registry['system_jobs'][Mine] = {'interval': 5}
    try:
        assert system_jobs[Mine] == {'interval': 5}
    finally:
        del system_jobs[Mine]


def test_queues_are_mapped_to_models_and_workers_are_counted():
    from utilities.rqworker import (
        any_workers_for_queue,
        get_all_workers,
        get_queue_for_model,
        get_workers_for_queue,
    )

    assert (get_queue_for_model('device'), get_queue_for_model('other'), get_queue_for_model(None)) == (
        'low',
        'default',
        'default',
    )
    assert get_workers_for_queue('default') == 0
    assert not any_workers_for_queue('low')
    assert get_all_workers() == set()


def test_the_retry_of_rq_follows_the_settings(settings):
    from utilities.rqworker import get_rq_retry

    assert get_rq_retry() is None
    settings.RQ_RETRY_MAX, settings.RQ_RETRY_INTERVAL = 3, 60
    retry = get_rq_retry()
    assert isinstance(retry, Retry)
    assert (retry.max, retry.intervals) == (3, [60])


def test_exceptions_around_the_work_have_what_netboxs_have():
    from core.exceptions import SyncError
    from utilities.exceptions import AbortRequest, AbortScript, AbortTransaction, PermissionsViolation

    assert AbortRequest('no').message == 'no'
    assert PermissionsViolation().message
    for kind in (AbortScript, AbortTransaction, SyncError):
        assert issubclass(kind, Exception)


def test_the_page_names_all_aliases_and_checks():
    page = DOCS / 'how-to' / 'netbox-plugins.md'
    table = {
        module: set(names(named)) for modules, named in rows(page, '## What is provided') for module in names(modules)
    }
    assert table.keys() == {name for name, provided in aliases.ALIASES.items() if provided}
    for module, provided in aliases.ALIASES.items():
        assert {name for name in provided if not name.startswith('_')} <= table.get(module, set()), module
    ids = set(re.findall(r"'(netbox_jobs_netbox\.[EW]\d+)'", inspect.getsource(checks)))
    assert ids == set(re.findall(r'netbox_jobs_netbox\.[EW]\d+', page.read_text()))


def test_job_code_reads_those_settings_of_netbox_that_the_project_does_not_have():
    assert queues.timeout('default') == settings.RQ_DEFAULT_TIMEOUT
    assert (settings.RQ_RETRY_MAX, settings.RQ_RETRY_INTERVAL) == (0, 0)
    assert settings.NETBOX_JOBS['NETBOX_VERSION'] == settings.VERSION
    assert 'tests.contrib.netbox.inventory' in settings.PLUGINS
    assert settings.QUEUE_MAPPINGS == {'device': 'low'}, 'the setting of the project stays'

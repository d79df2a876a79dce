"""System checks: what would go wrong quietly is said at start-up."""

import types

import pytest
from django.apps import AppConfig, apps
from django.core.management import CommandError, call_command
from django.test import override_settings

from netbox_jobs import checks
from netbox_jobs.plugins import PluginConfig


def test_a_plugin_that_is_installed_without_its_config_is_told_so(monkeypatch):
    module = types.ModuleType('lost_plugin')
    module.LostConfig = type('LostConfig', (PluginConfig,), {'name': 'lost_plugin', '__module__': 'lost_plugin'})
    module.config = module.LostConfig
    module.__path__ = ['/nowhere']
    monkeypatch.setattr(apps, 'get_app_configs', lambda: [AppConfig('lost_plugin', module)])
    assert [error.id for error in checks.check_plugins()] == ['netbox_jobs.E006']


@pytest.mark.django_db
def test_the_checks_pass_here():
    call_command('check')


def test_a_missing_default_queue_is_an_error():
    with override_settings(RQ_QUEUES={'other': {}}):
        assert [error.id for error in checks.check_queues()] == ['netbox_jobs.E001']
        with pytest.raises(CommandError, match='RQ_QUEUES'):
            call_command('rqworker', '--burst')


def test_the_order_of_apps_is_checked(monkeypatch):
    configs = list(apps.get_app_configs())
    monkeypatch.setattr(apps, 'get_app_configs', lambda: configs[::-1])
    assert [error.id for error in checks.check_apps()] == ['netbox_jobs.E003']


def test_bad_settings_are_named(settings):
    settings.NETBOX_JOBS = {'WORKER_TIMEOUT': 'long'}
    (error,) = checks.check_settings()
    assert error.id == 'netbox_jobs.E005'
    assert 'expected a number from 0' in error.msg
    settings.NETBOX_JOBS = {'PRELOAD_RUNNERS': 1}
    assert [error.id for error in checks.check_settings()] == ['netbox_jobs.E005']
    settings.NETBOX_JOBS = {'PRELOAD_RUNNERS': False}
    assert checks.check_settings() == []
    settings.NETBOX_JOBS = ['PRELOAD_RUNNERS']
    assert 'expected a dictionary' in checks.check_settings()[0].msg
    settings.NETBOX_JOBS = {'TYPO': 1}
    assert [error.id for error in checks.check_settings()] == ['netbox_jobs.E004']
    settings.NETBOX_JOBS, settings.JOB_RETENTION = {}, 'forever'
    assert [error.id for error in checks.check_settings()] == ['netbox_jobs.E004']


def test_sqlite_without_its_options_is_warned_about(monkeypatch):
    plain = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'x'}}
    monkeypatch.setattr(checks, 'settings', types.SimpleNamespace(DATABASES=plain))
    assert [warning.id for warning in checks.check_sqlite()] == ['netbox_jobs.W001']

"""System checks: what would go wrong quietly is said at start-up."""

import types
from datetime import timedelta

import pytest
from django.apps import AppConfig, apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management import BaseCommand, CommandError, call_command, get_commands
from django.test import override_settings

from netbox_jobs import checks
from netbox_jobs.core import conf, runner_options
from netbox_jobs.plugins import PluginConfig

pytestmark = pytest.mark.once


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
    assert 'expected a number of seconds from 6' in error.msg
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


BAD = {
    'ARGUMENTS_FORMAT': ['xml', None, [], ''],
    'ARGUMENTS_MAX_SIZE': [0, -1, 1.5, '1MB', None, True],
    'WORKER_TIMEOUT': [0, 1, -60, '60', None, float('nan'), float('inf'), True, timedelta(minutes=1)],
    'RUNNER_GRACE': [-1, '10m', None, float('inf')],
    'REDIS_TIMEOUT': [0, -0.1, '0.25', None, 250, float('nan')],
    'JOBS_PER_CHILD': [0, '10', 1.5, None, False],
    'PRELOAD_RUNNERS': [1, 0, 'yes', None],
    'NOTIFY': [None, print, 1],
    'DELIVER': [1, 0, 'no', None],
    'CONTEXT': ['tests.app.Context', 1, None, [1]],
    'QUEUES': [[], None, {'low': 3}, {'low': {}}, {'low': {'concurrency': 0}}, {'low': {'concurrency': True}}],
    'RATES': [
        [],
        None,
        {'api': 3},
        {'api': {'most': 0, 'per': 60}},
        {'api': {'most': 10**12, 'per': 60}},
        {'api': {'most': 1, 'per': 0}},
        {'api': {'most': 1}},
    ],
    'METRICS_TOKEN': [1, None, b'token'],
    'AUDIT_RETENTION': [-1, '1y', None, 1.5],
    'MIDDLEWARE': ['tests.app.Middleware', 1, None, [1]],
    'ENCRYPT': [1, 'no', None],
    'ENCRYPTION_KEYS': [None, 5, [b'key'], {}],
    'EVENT_STREAMS': [-1, '50', 1.5, None, True],
    'RELEASE': [1, None, b'1.0'],
    'NETBOX_VERSION': ['new', '', None, 4.5],
}


def test_every_setting_has_its_type_its_range_and_its_unit(settings):
    assert BAD.keys() == conf.SETTINGS.keys()
    for name, values in BAD.items():
        for value in values:
            settings.NETBOX_JOBS = {name: value}
            (error,) = checks.check_settings()
            assert error.id == 'netbox_jobs.E005'
            assert f'NETBOX_JOBS[{name!r}] is {value!r}; expected ' in error.msg
            with pytest.raises(ImproperlyConfigured, match=name):
                conf.get(name)
        settings.NETBOX_JOBS = {name: conf.SETTINGS[name].default}
        assert checks.check_settings() == []


def test_all_that_is_wrong_with_the_settings_is_said_at_once(settings):
    settings.NETBOX_JOBS, settings.JOB_RETENTION = {'WORKER_TIMEOUT': 0, 'REDIS_TIMEOUT': 0}, -1
    assert len(checks.check_settings()) == 3


@pytest.mark.parametrize(
    ('key', 'said'),
    [
        ('WORKER_TIMEOUTT', "'WORKER_TIMEOUT'"),
        ('worker_timeout', "'WORKER_TIMEOUT'"),
        ('RETRY', 'the keys are ARGUMENTS_FORMAT'),
        (1, 'the keys are'),
    ],
)
def test_an_unknown_setting_is_named_with_the_nearest(settings, key, said):
    settings.NETBOX_JOBS = {key: 5}
    (error,) = checks.check_settings()
    assert repr(key) in error.msg
    assert said in error.msg


def test_another_apps_worker_command_that_stands_before_ours_is_noticed(monkeypatch):
    from netbox_jobs.management.commands.rqworker import Command

    class Theirs(BaseCommand):
        pass

    class Extended(Command):
        pass

    assert checks.check_commands() == []
    for name in ('rqworker', 'rqworker-pool'):
        commands = {**get_commands(), name: Theirs()}
        monkeypatch.setattr(checks, 'get_commands', lambda commands=commands: commands)
        (error,) = checks.check_commands()
        assert error.id == 'netbox_jobs.E008'
        with override_settings(RQ={'WORKER_CLASS': 'netbox_jobs.worker.Worker'}):
            assert checks.check_commands() == []
        assert error.msg.startswith(f'{name} is that of')
    monkeypatch.setattr(checks, 'get_commands', lambda: {**get_commands(), 'rqworker': Extended()})
    assert checks.check_commands() == []


def test_sqlite_without_its_options_is_warned_about(monkeypatch):
    plain = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'x'}}
    monkeypatch.setattr(checks, 'settings', types.SimpleNamespace(DATABASES=plain))
    assert [warning.id for warning in checks.check_sqlite()] == ['netbox_jobs.W001']


@pytest.mark.parametrize('path', ['nowhere.Context', 'tests.app.contexts.Nameless'])
def test_a_context_that_cannot_be_used_is_named(settings, path):
    settings.NETBOX_JOBS = {'CONTEXT': [path]}
    found = checks.check_contexts()
    assert [message.id for message in found] == ['netbox_jobs.E012'] and path in found[0].msg


def test_a_database_of_jobs_without_autocommit_is_refused(monkeypatch, settings):
    assert checks.check_autocommit() == []
    databases = {'default': {**settings.DATABASES['default'], 'AUTOCOMMIT': False}}
    monkeypatch.setattr(checks, 'settings', types.SimpleNamespace(DATABASES=databases))
    assert [error.id for error in checks.check_autocommit()] == ['netbox_jobs.E014']


def test_a_limit_of_a_queue_that_does_not_exist_is_said():
    with override_settings(NETBOX_JOBS={'QUEUES': {'lwo': {'concurrency': 1}, 'low': {'concurrency': 1}}}):
        (found,) = checks.check_settings()
    assert found.id == 'netbox_jobs.E005' and "'lwo'" in found.msg


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('max_retrys', "Did you mean 'max_retries'?"),
        ('prority', "Did you mean 'priority'?"),
        ('queue_name', "Did you mean 'queue'?"),
        ('timeout', "Did you mean 'job_timeout'?"),
        ('interval', 'Pass it to enqueue()'),
        ('cron', 'Pass it to enqueue()'),
    ],
)
def test_what_has_no_effect_in_meta_is_named(name, words, monkeypatch):
    mistaken = type('Mistaken', (), {'Meta': type('Meta', (), {name: 3})})
    monkeypatch.setattr(checks.runners, 'imported', lambda: iter([mistaken, mistaken]))
    (found,) = checks.check_runners()
    assert found.id == 'netbox_jobs.W004'
    assert f'Mistaken.Meta: {name!r} is no option of Meta. ' in found.msg
    assert words in found.msg


def test_options_of_meta_and_attributes_of_a_projects_own_are_no_mistakes(monkeypatch):
    right = type('Right', (), {'Meta': type('Meta', (), {**dict.fromkeys(runner_options.META), 'team': 'sales'})})
    monkeypatch.setattr(checks.runners, 'imported', lambda: iter([right]))
    assert checks.check_runners() == []

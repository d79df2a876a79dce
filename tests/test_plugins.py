"""`PluginConfig`, `get_plugin_config()`, system jobs, and the system checks."""

import sys
import types

import pytest
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from netbox_jobs.choices import JobIntervalChoices, JobNotificationChoices, JobStatusChoices
from netbox_jobs.core import queues
from netbox_jobs.core.registry import system_jobs
from netbox_jobs.jobs import JobRunner, system_job
from netbox_jobs.plugins import PluginConfig, get_plugin_config
from netbox_jobs.worker.command import import_jobs
from tests.app.jobs import Housekeeping, Plain


@pytest.fixture
def configure(settings):
    """Make a PluginConfig subclass with the given attributes, as Django does at start-up."""
    made = []

    def _configure(**attributes):
        module = types.ModuleType('made_plugin')
        module.__path__ = ['/nowhere']
        sys.modules['made_plugin'] = module
        kind = type('MadeConfig', (PluginConfig,), {'name': 'made_plugin', '__module__': 'made_plugin', **attributes})
        made.append(kind)
        return kind('made_plugin', module)

    before = settings.RQ_QUEUES, settings.PLUGINS_CONFIG
    yield _configure
    settings.RQ_QUEUES, settings.PLUGINS_CONFIG = before
    queues._plugin_queues.pop('made_plugin', None)
    sys.modules.pop('made_plugin', None)


def test_queues_are_namespaced_and_filled_in_on_the_connection_of_default():
    assert settings.RQ_QUEUES['tests.app.work'] == settings.RQ_QUEUES['default']
    assert {'high', 'low', 'tests.app.bulk', 'example_plugin.sync'} <= settings.RQ_QUEUES.keys()


def test_defaults_stand_behind_what_the_project_sets():
    assert get_plugin_config('tests.app', 'token') == 'x'
    assert get_plugin_config('tests.app', 'limit') == 7
    assert get_plugin_config('tests.app', 'nothing', 'else') == 'else'
    assert settings.PLUGINS_CONFIG['tests.app'] == {'token': 'x', 'limit': 7}
    with override_settings(PLUGINS_CONFIG={'tests.app': {'token': 'y'}}):
        assert get_plugin_config('tests.app', 'token') == 'y'
        assert get_plugin_config('tests.app', 'limit') == 7
    with pytest.raises(ImproperlyConfigured, match='unknown_plugin'):
        get_plugin_config('unknown_plugin', 'x')


@pytest.mark.parametrize(
    ('attributes', 'words'),
    [
        ({'queues': 'sync'}, 'list of names'),
        ({'queues': [1]}, '1 is not usable'),
        ({'queues': {'sync': 1}}, 'list of names'),
        ({'queues': ['a b']}, 'not usable'),
        ({'required_settings': ['key']}, 'requires the setting.*key'),
        ({'required_settings': 'key'}, 'list of names'),
        ({'required_settings': [1]}, 'list of names'),
        ({'queues': ['x' * 90]}, 'more than 100'),
        ({'default_settings': []}, 'dictionary'),
        ({'min_version': '4.8'}, 'needs version 4.8'),
        ({'max_version': '4.6.9'}, 'up to version 4.6.9'),
        ({'min_version': 'new'}, 'texts such as'),
        ({'max_version': 4.7}, 'texts such as'),
    ],
)
def test_what_is_wrong_with_a_plugin_is_said_at_start_up(configure, attributes, words):
    with pytest.raises(ImproperlyConfigured, match=words):
        configure(**attributes)


def test_a_plugin_may_check_its_settings_itself(configure, settings):
    def validate(cls, user_config, netbox_version):
        PluginConfig.validate.__func__(cls, user_config, netbox_version)
        if user_config['limit'] > 5:
            raise ImproperlyConfigured(f'{user_config["limit"]} is too much for {netbox_version}')
        user_config['seen'] = True

    given = {'default_settings': {'limit': 3}, 'validate': classmethod(validate)}
    configure(**given)
    assert settings.PLUGINS_CONFIG['made_plugin'] == {'limit': 3, 'seen': True}
    settings.PLUGINS_CONFIG = {'made_plugin': {'limit': 9}}
    with pytest.raises(ImproperlyConfigured, match=r'9 is too much for 4\.7'):
        configure(**given)


def test_version_bounds_that_include_us_pass(configure):
    assert configure(min_version='4.1.0', max_version='4.7.99', queues=['q']).name == 'made_plugin'
    assert 'made_plugin.q' in settings.RQ_QUEUES


def test_a_plugin_may_override_ready_without_super():
    config = apps.get_app_config('testapp')
    assert 'ready' in vars(type(config))
    assert Housekeeping in system_jobs


@pytest.mark.parametrize('interval', [None, 0, -1, 1.5, '60', True])
def test_a_system_job_needs_a_whole_number_of_minutes(interval):
    with pytest.raises(ImproperlyConfigured, match='minutes'):
        system_job(interval=interval)


def test_system_job_says_what_it_decorates_and_that_it_needs_to_be_told_when():
    with pytest.raises(ImproperlyConfigured, match='expected a subclass of JobRunner'):
        system_job(interval=60)(print)
    with pytest.raises(ImproperlyConfigured, match=r'@system_job\(interval=60\)'):
        system_job(Plain)
    assert print not in system_jobs


def test_system_job_and_setup_only_register():
    class Registered(JobRunner):
        def run(self):
            pass

    try:
        assert system_job(interval=JobIntervalChoices.INTERVAL_HOURLY)(Registered) is Registered
        assert system_jobs[Registered] == {'interval': 60}
        Registered.setup(interval=5, queue_name='low')
        assert system_jobs[Registered] == {'interval': 5, 'queue_name': 'low'}
        with pytest.raises(ImproperlyConfigured):
            Registered.setup(interval=0)
    finally:
        system_jobs.pop(Registered, None)


def test_choices():
    assert ('completed' in JobStatusChoices) and ('done' not in JobStatusChoices)
    assert JobStatusChoices.ENQUEUED_STATE_CHOICES == ('pending', 'scheduled', 'running')
    assert set(JobStatusChoices.TERMINAL_STATE_CHOICES) == {'completed', 'errored', 'failed', 'canceled'}
    assert set(JobStatusChoices.values()) == set(JobStatusChoices.colors)
    assert [JobIntervalChoices.INTERVAL_MINUTELY, JobIntervalChoices.INTERVAL_DAILY] == [1, 1440]
    assert dict(JobNotificationChoices).keys() == {'always', 'on_failure', 'never'}


def test_a_worker_knows_the_system_jobs_of_every_app(tmp_path, monkeypatch, settings, caplog):
    for name, code in (
        ('late_app', 'from netbox_jobs.jobs import JobRunner, system_job\n@system_job(interval=60)\n'
                     'class Tidy(JobRunner):\n    def run(self):\n        pass\n'),
        ('broken_app', 'import nothing_of_the_kind\n'),
    ):  # fmt: skip
        (tmp_path / name).mkdir()
        (tmp_path / name / '__init__.py').touch()
        (tmp_path / name / 'jobs.py').write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, 'broken_app', 'late_app']
    before = dict(system_jobs)
    try:
        import_jobs()
        assert [runner.__name__ for runner in system_jobs.keys() - before.keys()] == ['Tidy']
    finally:
        for name in system_jobs.keys() - before.keys():
            del system_jobs[name]
    assert 'broken_app.jobs cannot be imported' in caplog.text

"""How the app and the plugin are loaded: order, middleware, versions, and NetBox itself."""

import subprocess
import sys

import pytest
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from netbox_jobs.contrib.netbox import aliases, checks, plugins
from netbox_jobs.plugins import get_plugin_config
from tests.contrib.netbox.inventory import InventoryConfig
from tests.processes import ROOT

PLUGIN = 'tests.contrib.netbox.inventory'
START = f"""
import sys
from django.conf import settings
import django
settings.configure(
    INSTALLED_APPS=sys.argv[1].split(','), SECRET_KEY='x', DATABASES={{}}, RQ_QUEUES={{'default': {{'URL': 'redis://'}}}},
    PLUGINS_CONFIG={{{PLUGIN!r}: {{'endpoint': 'x'}}}}, NETBOX_JOBS={{'NETBOX_VERSION': '4.5.1'}},
)
django.setup()
print('started')
"""
NEEDED = 'django.contrib.contenttypes,django.contrib.auth,netbox_jobs,django_rq'


def start(installed, *paths):
    """Start a project with these apps, in a process of its own."""
    return subprocess.run(
        [sys.executable, '-c', START, f'{NEEDED},{installed}'],
        env={'PYTHONPATH': ':'.join([*map(str, paths), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=150,
    )


@pytest.mark.process
def test_the_plugin_loads_after_the_app_and_not_before_it():
    plugin = f'{PLUGIN}.InventoryConfig'
    assert start(f'netbox_jobs.contrib.netbox,{plugin}').stdout == 'started\n'
    assert "No module named 'netbox'" in start(f'{plugin},netbox_jobs.contrib.netbox').stderr


@pytest.mark.process
def test_the_app_is_off_by_default():
    code = "import django; django.setup(); import importlib.util; assert importlib.util.find_spec('netbox') is None"
    done = subprocess.run(
        [sys.executable, '-c', code],
        env={'PYTHONPATH': str(ROOT), 'DJANGO_SETTINGS_MODULE': 'tests.settings'},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.process
def test_it_refuses_to_load_where_netbox_itself_is_installed(tmp_path):
    (tmp_path / 'netbox').mkdir()
    (tmp_path / 'netbox' / '__init__.py').write_text('')
    said = start('netbox_jobs.contrib.netbox', tmp_path).stderr
    assert 'ImproperlyConfigured' in said
    assert 'NetBox itself is installed' in said
    assert str(tmp_path) in said
    assert 'Remove the app' in said


def test_a_folder_of_that_name_is_not_netbox(tmp_path, monkeypatch):
    (tmp_path / 'netbox').mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    before = sys.meta_path[:]
    aliases.install()
    assert sys.meta_path == before


def test_the_queues_settings_and_middleware_of_the_plugin_are_in_place():
    assert f'{PLUGIN}.sync' in settings.RQ_QUEUES
    assert (get_plugin_config(PLUGIN, 'endpoint'), get_plugin_config(PLUGIN, 'frequency')) == (
        'https://inventory.example',
        3600,
    )
    assert settings.MIDDLEWARE[-1] == f'{PLUGIN}.middleware.ActiveSite'
    assert settings.MIDDLEWARE.count(f'{PLUGIN}.middleware.ActiveSite') == 1
    assert apps.get_app_config('inventory').endpoint == 'https://inventory.example'
    assert plugins.get_installed_plugins()['inventory'] == '1.4.0'


def test_the_middleware_of_the_plugin_runs(client):
    from tests.contrib.netbox.inventory import middleware

    seen = []
    before = middleware.ActiveSite.__call__

    def watch(self, request):
        seen.append(request.path)
        return before(self, request)

    middleware.ActiveSite.__call__ = watch
    try:
        assert client.get('/nothing/').status_code == 404
    finally:
        middleware.ActiveSite.__call__ = before
    assert seen == ['/nothing/']


def made(**attributes):
    """Make a configuration as Django does."""
    kind = type('MadeConfig', (InventoryConfig,), {'__module__': PLUGIN, **attributes})
    return kind(PLUGIN, sys.modules[PLUGIN])


def test_the_versions_of_a_plugin_are_compared_with_the_version_that_the_project_names():
    with override_settings(NETBOX_JOBS={}), pytest.raises(ImproperlyConfigured, match=r'up to version 4\.5\.99'):
        made()
    with (
        override_settings(NETBOX_JOBS={'NETBOX_VERSION': '4.4'}),
        pytest.raises(ImproperlyConfigured, match=r'4\.5\.0'),
    ):
        made()
    with override_settings(NETBOX_JOBS={'NETBOX_VERSION': 'new'}), pytest.raises(ImproperlyConfigured, match='version'):
        made()


@pytest.mark.parametrize('middleware', ['a.path', {'a.path': 1}, [1]], ids=repr)
def test_middleware_that_is_no_list_of_paths_is_refused(middleware):
    with pytest.raises(ImproperlyConfigured, match='expected a list of dotted paths'):
        made(middleware=middleware)


def test_the_checks_find_nothing_in_a_project_that_is_in_order():
    assert [*checks.check_aliases(), *checks.check_order(), *checks.check_needed_apps()] == []


def test_a_check_reports_modules_of_the_project_that_hide_aliases(tmp_path, monkeypatch):
    (tmp_path / 'core').mkdir()
    for name in ('__init__', 'models', 'signals'):
        (tmp_path / 'core' / f'{name}.py').write_text('')
    (tmp_path / 'utilities.py').write_text('')
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition('.')[0] in ('core', 'utilities')]:
        monkeypatch.delitem(sys.modules, name)
    texts = {found.msg for found in checks.check_aliases()}
    hidden = {name for name in aliases.ALIASES for text in texts if f"NetBox's {name} (" in text}
    assert hidden == {
        *('core.models', 'core.models.jobs', 'core.signals'),
        *(name for name in aliases.ALIASES if name.startswith('utilities.')),
    }
    assert {found.id for found in checks.check_aliases()} == {'netbox_jobs_netbox.W001'}


def test_a_check_reports_a_plugin_that_stands_before_the_app(monkeypatch):
    monkeypatch.setattr(apps, 'app_configs', dict(reversed(apps.app_configs.items())))
    (found,) = checks.check_order()
    assert found.id == 'netbox_jobs_netbox.W002'
    assert PLUGIN in found.msg


def test_a_check_reports_apps_that_a_plugin_needs(monkeypatch):
    monkeypatch.setattr(InventoryConfig, 'django_apps', ['django_rq', 'a_missing_app'])
    (found,) = checks.check_needed_apps()
    assert found.id == 'netbox_jobs_netbox.E001'
    assert 'a_missing_app' in found.msg and 'django_rq' not in found.msg

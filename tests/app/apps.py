import os

from netbox_jobs.plugins import PluginConfig
from netbox_jobs.signals import job_end


class TestAppConfig(PluginConfig):
    name = 'tests.app'
    label = 'testapp'
    queues = ['work', 'bulk']
    default_settings = {'limit': 7, 'token': 'default'}
    required_settings = ['token']

    def ready(self):  # like the page: without super()
        from . import jobs  # noqa: F401

        install_faults()


def install_faults():
    """Have this process die where its environment says so."""
    from . import faults

    if step := os.environ.get('TEST_KILL_AT'):
        faults.install(step)
    if folder := os.environ.get('TEST_CHAOS'):
        faults.install_before_claim(folder)
        job_end.connect(faults.trace_end)
    if path := os.environ.get('TEST_FORKS_FAIL'):
        faults.install_failing_forks(path)

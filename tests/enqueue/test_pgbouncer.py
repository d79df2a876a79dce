"""P5 and all else behind PgBouncer, which gives a session to another client after each transaction.

Not collected where there is no `pgbouncer` (a Debian package), and on other databases than PostgreSQL.
"""

import os
import socket
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection

from netbox_jobs.broker import delivery
from netbox_jobs.models import Job
from tests import nursery
from tests.app.jobs import Dying, Plain, Sleeping, Talking
from tests.app.models import Thing
from tests.processes import environment, status, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.process]


@pytest.fixture
def pooled():
    """The environment of processes that reach the test's database through PgBouncer, four sessions for all."""
    own = settings.DATABASES['default']
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / 'users.txt').write_text(f'"{own["USER"]}" "{own["PASSWORD"]}"\n')
        (folder / 'pgbouncer.ini').write_text(
            f'[databases]\n* = host={own["HOST"]} port={own["PORT"] or 5432}\n'
            f'[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n'
            f'auth_type = trust\nauth_file = {folder}/users.txt\npool_mode = transaction\ndefault_pool_size = 4\n'
            'max_client_conn = 200\n'
        )
        user = ['-u', 'nobody'] if os.getuid() == 0 else []  # it refuses to run as root
        with (folder / 'output').open('wb') as output:
            process = subprocess.Popen(
                ['pgbouncer', *user, str(folder / 'pgbouncer.ini')], stdout=output, stderr=subprocess.STDOUT
            )
        try:
            wait_for(lambda: _listens(port) or process.poll() is not None, 60, 'PgBouncer')
            assert process.poll() is None, (folder / 'output').read_text()
            parts = urlsplit(os.environ['TEST_DATABASE_URL'])
            login = parts.netloc.rpartition('@')[0]
            yield {'TEST_DATABASE_URL': f'postgres://{login}@127.0.0.1:{port}{parts.path}'}
        finally:
            process.terminate()
            process.wait(60)


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


def test_p5_enqueue_once_means_once_behind_pgbouncer_in_transaction_mode(pooled):
    Thing.objects.create()
    called = nursery.run(['-m', 'tests.app.callers', '16', '20', '1'], environment(**pooled))
    assert called.stdout == '0 calls failed\n', called.stderr[-3000:]
    assert Sleeping.get_jobs().waiting().count() == Job.objects.count() == 1
    assert delivery.queue('default').job_ids == [str(Job.objects.get().job_id)]


def test_workers_behind_pgbouncer_run_jobs_and_account_for_the_dead(pooled, start_worker):
    start_worker(**pooled)
    start_worker(**pooled)
    jobs = [Plain.enqueue() for _ in range(10)]
    talking, dying = Talking.enqueue(lines=50), Dying.enqueue(interval=10)
    wait_for(lambda: not Job.objects.filter(status__in=('pending', 'running')).exists(), 60)
    assert {status(job) for job in jobs} == {'completed'}
    assert (status(talking), len(talking.log_entries), status(dying)) == ('completed', 50, 'errored')
    assert Dying.get_jobs().waiting().count() == 1
    assert connection.vendor == 'postgresql'


def test_nothing_is_prepared_behind_pgbouncer_where_each_statement_may_reach_another_session(pooled, start_worker):
    start_worker('--fast', **pooled)
    jobs = Plain.enqueue_many([{}] * 200)
    wait_for(lambda: not Job.objects.filter(status__in=('pending', 'running')).exists(), 60)
    assert {status(job) for job in jobs} == {'completed'}
    with connection.cursor() as cursor:  # what a session has sent last stays to be read
        cursor.execute('SELECT query FROM pg_stat_activity WHERE datname = current_database()')
        assert not [query for (query,) in cursor if query.startswith(('PREPARE', 'EXECUTE'))]

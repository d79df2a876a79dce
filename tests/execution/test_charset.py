"""MariaDB with tables of three bytes for a character: nothing is lost, and a check says so."""

import pytest
from django.db import connection

from netbox_jobs import checks
from netbox_jobs.core import charset
from netbox_jobs.exceptions import JobFailed
from netbox_jobs.jobs import JobRunner, Limit, Rate
from netbox_jobs.models import Job, Schedule
from netbox_jobs.workflows import Workflow
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)
COLUMNS = [
    ('job', 'name', 'varchar(200)'),
    ('job', 'error', 'longtext'),
    ('job', 'arguments_shown', 'longtext'),
    ('schedule', 'name', 'varchar(200)'),
    ('schedule', 'suspended', 'longtext'),
    ('joblogentry', 'message', 'longtext'),
    ('progress', 'message', 'varchar(255)'),
    ('job', '`limit`', 'varchar(255)'),
    ('job', 'rate', 'varchar(255)'),
    ('limitrow', 'name', 'varchar(255)'),
    ('jobstep', 'name', 'varchar(200)'),
    ('jobsignal', 'name', 'varchar(200)'),
    ('workflow', 'name', 'varchar(200)'),
    ('workflowmember', 'name', 'varchar(200)'),
    ('jobattempt', 'error', 'longtext'),
]


def convert(name):
    with connection.cursor() as cursor:
        for table, column, kind in COLUMNS:
            cursor.execute(f'ALTER TABLE netbox_jobs_{table} MODIFY {column} {kind} CHARACTER SET {name} NOT NULL')
    charset.forget()


@pytest.fixture(params=['utf8mb3', 'latin1'])
def narrow(request):
    convert(request.param)
    yield request.param
    convert('utf8mb4')


class Cheering(JobRunner):
    def run(self, word, how='end'):
        self.logger.info('caf\u00e9 %s', word)
        self.progress(1, 2, word)
        self.job.data = {'word': word}
        if how == 'fail':
            raise JobFailed(word)
        if how == 'error':
            raise ValueError(word)


class Naming(JobRunner):
    class Meta:
        limit = Limit(2, key='word')
        rate = Rate(50, per=1, key='word')

    def run(self, word):
        done = self.step(word, str, 'done')
        self.job.data = [done, self.wait_for(word)]


class Chanting(JobRunner):
    async def run(self, word):
        self.logger.info(word)


@pytest.mark.parametrize('how', ['end', 'fail', 'error'])
def test_text_that_the_tables_lack_is_escaped_and_nothing_is_lost(narrow, work, how):
    job = Cheering.enqueue_once(name='Party \U0001f389', word='\U0001f600', how=how, interval=5, max_retries=0)
    assert job.name == 'Party \\U0001f389'
    work()
    assert status(job) == {'end': 'completed', 'fail': 'failed', 'error': 'errored'}[how]
    assert job.log_entries[0]['message'] == 'caf\u00e9 \\U0001f600'
    assert job.progress.message == '\\U0001f600'
    assert job.data == {'word': '\U0001f600'}
    assert job.get_arguments()['word'] == '\U0001f600'
    assert ('\\U0001f600' in job.error) == (how != 'end')
    assert 'Data' not in job.error
    assert Job.objects.waiting().count() == Schedule.objects.count() == 1


def test_names_that_the_tables_lack_are_escaped_and_found_again(narrow, work):
    job = Naming.enqueue(word='\U0001f389', max_retries=0)
    assert job.limit.endswith('word=\\U0001f389')
    assert job.rate.endswith('word=\\U0001f389')
    work()
    assert status(job) == 'scheduled', job.error
    job.signal('\U0001f389', 'received')
    work()
    assert (status(job), job.error, job.data) == ('completed', '', ['done', 'received'])
    assert [step.name for step in job.steps.all()] == 2 * ['\\U0001f389']
    with Workflow.begin(name='\U0001f389') as workflow:
        workflow.add('\U0001f389', Cheering, word='x')
        workflow.add('second', Cheering, word='x', after=['\U0001f389'])
    assert workflow.job('\U0001f389').name == 'Cheering'


def test_the_first_line_of_a_coroutine_is_escaped(narrow, work):
    job = Chanting.enqueue(word='\U0001f389', max_retries=0)
    charset.forget()
    work()
    assert (status(job), job.error) == ('completed', '')
    assert job.log_entries[0]['message'] == '\\U0001f389'


def test_a_check_names_the_character_set(narrow):
    (warning,) = checks.check_charset(databases=['default'])
    assert warning.id == 'netbox_jobs.W002'
    assert narrow in warning.msg


def test_tables_of_all_of_unicode_keep_it(work):
    charset.forget()
    assert checks.check_charset(databases=['default']) == []
    job = Cheering.enqueue(name='Party \U0001f389', word='\U0001f600')
    work()
    job.refresh_from_db()
    assert (job.name, job.log_entries[0]['message']) == ('Party \U0001f389', 'caf\u00e9 \U0001f600')

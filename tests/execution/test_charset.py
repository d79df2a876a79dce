"""MariaDB with tables of three bytes for a character: nothing is lost, and a check says so."""

import pytest
from django.apps import apps
from django.db import connection, models
from django.utils import timezone

from netbox_jobs import checks
from netbox_jobs.core import charset, queues
from netbox_jobs.exceptions import JobFailed
from netbox_jobs.execution.heartbeat import Lease
from netbox_jobs.jobs import JobRunner, Limit, Rate
from netbox_jobs.models import Job, Schedule, Worker
from netbox_jobs.models.text import IdentitiesField, IdentityField
from netbox_jobs.monitoring import counts
from netbox_jobs.monitoring import queues as queue_views
from netbox_jobs.workflows import Workflow
from tests.processes import status

pytestmark = pytest.mark.django_db(transaction=True)
#: For columns that are neither text nor numbers.
FILLING = {'DateTimeField': timezone.now(), 'BinaryField': b'', 'BooleanField': False, 'JSONField': {}}
KINDS = models.CharField | models.TextField
TEXTS = {
    model: [field for field in model._meta.local_concrete_fields if isinstance(field, KINDS)]
    for model in apps.get_app_config('netbox_jobs').get_models()
}


def definition(field, charset):
    """The SQL of a column of text, as migrations make it, in a character set. (Django writes JSON as ASCII.)"""
    kind, _, collation = field.db_type(connection).partition(' COLLATE ')
    collation = f'COLLATE {collation}' if collation and charset == 'utf8mb4' else ''
    return f'{kind} CHARACTER SET {charset} {collation} {"NULL" if field.null else "NOT NULL"}'


def convert(name):
    with connection.cursor() as cursor, connection.constraint_checks_disabled():
        for model, fields in TEXTS.items():
            parts = [f'MODIFY `{field.column}` {definition(field, name)}' for field in fields]
            if parts:
                cursor.execute(f'ALTER TABLE {model._meta.db_table} {", ".join(parts)}')
    charset.forget()


@pytest.fixture(scope='module', params=['utf8mb3', 'latin1'])
def tables(request, django_db_setup, django_db_blocker):
    """All tables in one character set: they are converted once, as that takes seconds."""
    with django_db_blocker.unblock():
        convert(request.param)
        yield request.param
        convert('utf8mb4')


@pytest.fixture
def narrow(tables):
    charset.forget()
    return tables


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
        version = '\U0001f389'
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


def filled(model, given, number):
    """An instance with these values, and some value in each column that takes no NULL."""
    row = model(**given)
    for field in model._meta.local_concrete_fields:
        if field.attname in given or field.null or field.get_internal_type() == 'BigAutoField':
            continue
        if getattr(row, field.attname) is None:
            setattr(row, field.attname, FILLING.get(field.get_internal_type(), number))
    return row


def test_every_column_of_text_takes_all_of_unicode_and_finds_it_again(narrow):
    """Whatever model or column is added: texts that escapes make too long, too, and keys as they were given."""
    for model, fields in TEXTS.items():
        for length in (1, 50):
            given = {field.attname: '\U0001f389' * min(length, field.max_length or length) for field in fields}
            with connection.constraint_checks_disabled():
                filled(model, given, length).save_base(raw=True)
                rows = model._base_manager.filter(**given)
                (stored,) = rows.values(*given)
                assert rows.update(**given) in (0, 1)
                rows.delete()
            keys = {field.attname for field in fields if isinstance(field, IdentityField | IdentitiesField)}
            fitting = {field.attname for field in fields if 10 * length <= (field.max_length or 500)}
            for name in fitting:
                assert stored[name] == (given[name] if name in keys else '\\U0001f389' * length), (model, name)


def test_queues_versions_and_workers_have_names_of_all_of_unicode(narrow, work, settings):
    settings.RQ_QUEUES = {**settings.RQ_QUEUES, '\U0001f389': settings.RQ_QUEUES['default'], '\U0001f389' * 11: {}}
    job = Naming.enqueue(word='\U0001f389', queue_name='\U0001f389', max_retries=0)
    job.refresh_from_db()
    assert job.queue_name == '\U0001f389'
    assert counts.values('queue_name') == ['\U0001f389']
    assert counts.groups({1: Job.objects.values('queue_name')[:5]}) == {1: {('\U0001f389',): 1}}
    Lease('a' * 32, '\U0001f477' * 255, '\U0001f389 high').beat()
    worker = Worker.objects.get(token='a' * 32)
    assert queue_views.served_by(worker) == ['\U0001f389', 'high']
    assert len(worker.name) <= 255
    work('\U0001f389')
    assert status(job) == 'scheduled', job.error
    job.signal('\U0001f389', 'received')
    work('\U0001f389')
    assert (status(job), job.error, job.data) == ('completed', '', ['done', 'received'])
    with pytest.raises(ValueError, match='longer than the 100 characters'):
        queues.check('\U0001f389' * 11)
    others = [Naming.enqueue(word=word, queue_name='\U0001f389', priority=9) for word in 'abc']
    assert {status(job) for job in others} == {'pending'}


def test_a_check_names_the_character_set(narrow):
    (warning,) = checks.check_charset(databases=['default'])
    assert warning.id == 'netbox_jobs.W002'
    assert narrow in warning.msg


@pytest.mark.parametrize('tables', ['utf8mb4'], indirect=True, scope='module')
def test_tables_of_all_of_unicode_keep_it(narrow, work):
    assert checks.check_charset(databases=['default']) == []
    job = Cheering.enqueue(name='Party \U0001f389', word='\U0001f600')
    work()
    job.refresh_from_db()
    assert (job.name, job.log_entries[0]['message']) == ('Party \U0001f389', 'caf\u00e9 \U0001f600')

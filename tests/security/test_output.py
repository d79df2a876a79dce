"""Control characters and markup in what a job says: never raw in the terminal, in JSON or in files."""

import io
import json
import re

import pytest
from django.core.management import call_command

from netbox_jobs.context import acting
from netbox_jobs.jobs import JobRunner
from netbox_jobs.models import Job, PausedQueue

pytestmark = pytest.mark.django_db(transaction=True)

#: CSI in seven and in eight bits, OSC, a bell, an override of the direction, and markup.
EVIL = 'a\x1b[31mb\x9b2Jc\x1b]0;title\x07d\u202ee\u2066f\x7fg<script>h'
RAW = re.compile('[\x00-\x08\x0b-\x1f\x7f-\x9f]')


class Evil(JobRunner):
    class Meta:
        name = 'Evil output'

    def run(self, word):
        self.logger.warning('log %s', word)
        self.progress(1, 2, word)
        self.job.data = {word: [word]}
        self.step(f'step {word}', lambda: word)
        raise ValueError(word)


@pytest.fixture
def job():
    with acting(name=EVIL):
        found = Evil.enqueue(word=EVIL, name=EVIL, immediate=True)
        PausedQueue.pause('low')
        found.retry()
    return found


def commands(job):
    yield from (('list',), ('show', str(job.pk)), ('log', str(job.pk)), ('errors',), ('why', str(job.pk)))
    yield from (('audit',), ('queues',), ('workers',), ('schedules',), ('top',), ('performance',), ('doctor',))


def test_the_terminal_receives_no_control_characters_also_in_json(job):
    for command in commands(job):
        for more in ((), ('--json',)):
            out = io.StringIO()
            try:
                call_command('jobs', *command, *more, stdout=out, stderr=out)
            except SystemExit:
                pass
            assert not RAW.search(out.getvalue()), (command, more)
            if more:
                assert '\u202e' not in out.getvalue() and '\u2066' not in out.getvalue(), command
                for document in out.getvalue().splitlines() if command[0] == 'log' else [out.getvalue()]:
                    json.loads(document)


def test_json_has_the_text_unchanged_once_it_is_parsed(job):
    out = io.StringIO()
    call_command('jobs', 'show', str(job.pk), '--json', stdout=out)
    document = json.loads(out.getvalue())
    assert document['name'] == Job.objects.get(pk=job.pk).name == EVIL
    assert document['data'] == {EVIL: [EVIL]}


def test_files_and_pages_have_neither_control_characters_nor_markup(job, admin_client):
    root = '/admin/netbox_jobs'
    for part in ('change/', 'log/', 'log.txt', 'arguments.txt', 'data.json', 'error.txt', 'live/'):
        response = admin_client.get(f'{root}/job/{job.pk}/{part}')
        assert response.status_code == 200, part
        text = (response.getvalue() if response.streaming else response.content).decode()
        assert not RAW.search(text), part
        if response['Content-Type'].startswith('text/html'):
            assert '<script>h' not in text, part
        else:
            assert response['Content-Type'].startswith('text/plain') and response['X-Content-Type-Options'] == 'nosniff'
    for page in ('job/', 'job/errors/', 'job/overview/', 'auditentry/'):
        text = admin_client.get(f'{root}/{page}').content.decode()
        assert not RAW.search(text) and '<script>h' not in text, page

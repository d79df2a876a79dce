"""The translations: complete, with the same placeholders, compiled, and used by the pages."""

import ast
import gettext
import re
from pathlib import Path

import pytest
from django.utils import timezone, translation

from netbox_jobs.core import formatting
from netbox_jobs.models import Job

FOLDER = Path(__file__).parent.parent / 'netbox_jobs' / 'locale'
LANGUAGES = sorted(path.name for path in FOLDER.iterdir())
_LINE = re.compile(r'(msgctxt|msgid_plural|msgid|msgstr(?:\[\d\])?) (".*")$')
_PLACEHOLDER = re.compile(r'%\(\w+\)[sdr]|%%|%s|\{\}')


def entries(language):
    """The entries of a language's file, each a dictionary of its parts; the first is the header."""
    found, part = [], ''
    for line in (FOLDER / language / 'LC_MESSAGES' / 'django.po').read_text().splitlines():
        if match := _LINE.match(line):
            part, text = match.groups()
            if part == 'msgctxt' or (part == 'msgid' and (not found or 'msgid' in found[-1])):
                found.append({})
            found[-1][part] = ast.literal_eval(text)
        elif line.startswith('"'):
            found[-1][part] += ast.literal_eval(line)
    return found


def texts(entry):
    return [text for part, text in entry.items() if part.startswith('msgstr')]


@pytest.mark.parametrize('language', LANGUAGES)
def test_no_message_is_untranslated_or_fuzzy(language):
    header, *messages = entries(language)
    assert header['msgid'] == '' and len(messages) > 450
    assert [entry['msgid'] for entry in messages if not all(texts(entry))] == []
    assert '#, fuzzy' not in (FOLDER / language / 'LC_MESSAGES' / 'django.po').read_text()


@pytest.mark.parametrize('language', LANGUAGES)
def test_translations_have_the_placeholders_of_their_messages(language):
    for entry in entries(language)[1:]:
        wanted = sorted(_PLACEHOLDER.findall(entry.get('msgid_plural', entry['msgid'])))
        if 'msgid_plural' in entry:
            assert len(texts(entry)) >= 2, entry
            assert sorted(_PLACEHOLDER.findall(texts(entry)[-1])) == wanted, entry
        else:
            assert sorted(_PLACEHOLDER.findall(texts(entry)[0])) == wanted, entry


@pytest.mark.parametrize('language', LANGUAGES)
def test_the_compiled_file_has_the_same_messages(language):
    with (FOLDER / language / 'LC_MESSAGES' / 'django.mo').open('rb') as file:
        compiled = gettext.GNUTranslations(file)
    for entry in entries(language)[1:]:
        context = entry.get('msgctxt')
        if 'msgid_plural' in entry:
            found = [compiled.ngettext(entry['msgid'], entry['msgid_plural'], number) for number in (1, 2)]
        elif context:
            found = [compiled.pgettext(context, entry['msgid'])]
        else:
            found = [compiled.gettext(entry['msgid'])]
        assert found == texts(entry)


@pytest.mark.django_db
def test_the_pages_are_in_german(admin_client, settings):
    settings.LANGUAGE_CODE = 'de'
    job = Job.objects.create(name='x', status='running', runner='a.B', started=timezone.now(), attempt=1)
    listed = admin_client.get('/admin/netbox_jobs/job/').content.decode()
    assert 'Warteschlange' in listed and 'Diese Liste exportieren:' in listed and 'Läuft' in listed
    page = admin_client.get(f'/admin/netbox_jobs/job/{job.pk}/change/').content.decode()
    assert 'Was er gerade tut' in page and 'Zeitverlauf' in page and 'Stoppen…' in page
    for path in ('job/overview/', 'job/errors/', 'job/performance/', 'schedule/', 'schedule/calendar/', 'worker/'):
        assert admin_client.get(f'/admin/netbox_jobs/{path}').status_code == 200, path


def test_numbers_and_times_are_in_german():
    with translation.override('de'):
        assert formatting.percent(25) == '25 %'
        assert formatting.recurrence(5) == 'alle 5 Minuten'
        assert formatting.amount(1200, 4800) == '1.200 von 4.800'

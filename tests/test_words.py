"""The language of the source: comments, docstrings, names and templates name the actor, as CONTRIBUTING.md asks for."""

import re

import pytest

from .test_house import ROOT

#: Words that hide the actor, or that are no words of the field.
AVOIDED = re.compile('nobody|somebody|everybody|anybody|whoever|farewell|keeper', re.IGNORECASE)
#: PgBouncer refuses to run as root; this is a user of the system.
EXCEPT = "user = ['-u', 'nobody']"
FOLDERS = ('netbox_jobs', 'example_plugin', 'project', 'tests', 'bench')
HERE = ('tests/test_words.py', 'tests/docs/test_facts.py')


@pytest.mark.parametrize('folder', FOLDERS)
def test_the_source_uses_plain_words(folder):
    found = []
    for path in sorted((ROOT / folder).rglob('*')):
        name = str(path.relative_to(ROOT))
        if path.suffix in ('.py', '.html', '.js', '.css') and name not in HERE:
            lines = enumerate(path.read_text().splitlines(), 1)
            found += [f'{name}:{n}: {line}' for n, line in lines if AVOIDED.search(line) and EXCEPT not in line]
    assert found == []

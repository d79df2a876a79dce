"""The code blocks and tables of the README and of the pages in `docs/`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import django

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / 'docs'
PAGES = sorted(path for path in DOCS.rglob('*.md') if '_build' not in path.parts)
#: Pages with blocks that continue in the project of the tutorial; the others are followed to the letter.
TUTORIAL = [DOCS / 'tutorial' / 'first-job.md', DOCS / 'tutorial' / 'pages.md']

#: Stands before a block that shows the typed API.
TYPED_API = 'typed API'

_FENCE = re.compile(
    r'^(?:<!-- (?P<mark>[^\n]*) -->\n)?^```(?P<info>[^\n`{][^\n`]*)\n(?P<text>.*?)^```$', re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what the rest of its info string names, and the comment before it."""

    page: Path
    line: int
    language: str
    name: str
    text: str
    mark: str

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f'{self.page.relative_to(ROOT)}:{self.line}'


def blocks(page: Path) -> list[Block]:
    """All blocks of a page, in order, without Sphinx's directives."""
    return list(_blocks(page))


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in _FENCE.finditer(text):
        language, _, name = found['info'].strip().partition(' ')
        line = text[: found.start('text')].count('\n') + 1
        yield Block(page, line, language, name, _for_this_django(found['text']), found['mark'] or '')


def _for_this_django(text: str) -> str:
    """A block with the imports of the package django-tasks in place of Django's own, where Django has no tasks."""
    return text if django.VERSION >= (6, 0) else text.replace('from django.tasks import', 'from django_tasks import')


def block(page: Path, info: str) -> str:
    """The text of the one block of a page with this info string."""
    found = [each.text for each in blocks(page) if f'{each.language} {each.name}'.strip() == info]
    assert len(found) == 1, f'{len(found)} blocks {info!r} in {page.name}'
    return found[0]


def rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading of a page."""
    section = f'\n{page.read_text()}'.split(f'\n{heading}\n')[1]
    table = re.search(r'^\|.*?(?=^[^|]|\Z)', section, re.DOTALL | re.MULTILINE)
    assert table, f'no table below {heading} in {page.name}'
    return [[cell.strip() for cell in line.strip('|\n').split(' | ')] for line in table.group().splitlines()[2:]]


def names(cell: str) -> list[str]:
    """What a cell names in backticks."""
    return re.findall(r'`([^`]+)`', cell)

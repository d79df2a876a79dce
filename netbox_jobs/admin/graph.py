"""The graph of a workflow as SVG: boxes with links, from left to right, and lines between them."""

from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ..core import formatting
from ..monitoring.workflows import MemberState, levels
from . import markup

#: A larger graph is not drawn: the list of members says the same.
MOST = 60
_WIDTH, _HEIGHT, _GAP, _ROW = 190, 44, 60, 58


def graph(members: list[MemberState], url: Any) -> SafeString | str:
    """Return the graph; empty if there is no order among the members, or there are too many.

    Args:
        members: All members of the workflow.
        url: Returns the address of a job's page.
    """
    if len(members) > MOST or not any(member.level for member in members):
        return ''
    places = {
        member.name: (column * (_WIDTH + _GAP), row * _ROW)
        for column, level in enumerate(levels(members))
        for row, member in enumerate(level)
    }
    width = max(x for x, _y in places.values()) + _WIDTH
    height = max(y for _x, y in places.values()) + _HEIGHT
    lines = [
        (*_line(places[name], places[member.name]), ' nj-on-failure' if failing else '')
        for member in members
        for names, failing in ((member.after, False), (member.on_failure_of, True))
        for name in names
    ]
    return format_html(
        '<svg class="nj-graph" viewBox="-2 -2 {0} {1}" width="{0}" height="{1}" role="group" aria-label="{2}">'
        '{3}{4}</svg>',
        width + 4,
        height + 4,
        _('Graph of the workflow; the table below says the same'),
        format_html_join('', '<path class="nj-edge{4}" d="M{0} {1} C{2} {1} {2} {3} {5} {3}"/>', map(_curve, lines)),
        format_html_join('', '{}', ((_box(member, places[member.name], url),) for member in members)),
    )


def _line(start: tuple[int, int], end: tuple[int, int]) -> tuple[int, int, int, int]:
    return start[0] + _WIDTH, start[1] + _HEIGHT // 2, end[0], end[1] + _HEIGHT // 2


def _curve(line: tuple[int, int, int, int, str]) -> tuple[Any, ...]:
    x, y, to_x, to_y, kind = line
    return x, y, (x + to_x) // 2, to_y, kind, to_x


def _box(member: MemberState, place: tuple[int, int], url: Any) -> SafeString:
    word = formatting.status(member.status)
    box = format_html(
        '<rect x="{}" y="{}" width="{}" height="{}" rx="5"/><text x="{}" y="{}">{}</text>'
        '<text class="nj-graph-status" x="{}" y="{}">{}</text>',
        *(place[0], place[1], _WIDTH, _HEIGHT),
        *(place[0] + 12, place[1] + 18, formatting.cut(member.name, 24)),
        *(place[0] + 12, place[1] + 35, word),
    )
    inner = format_html(
        '<g class="nj-node nj-{}"><title>{}: {}</title>{}</g>', markup.color(member.status), member.name, word, box
    )
    return format_html('<a href="{}">{}</a>', url(member.job), inner) if member.job is not None else inner

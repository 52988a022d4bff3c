"""Draws boxes and arrows as an SVG: columns from where calls begin to how far they can go.

Ways between beginnings, menus and collections are arrows.  Where a way leaves them, to a target,
the agent or the end, a mark at the row says so: nearly every row has one.
"""

import textwrap
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from .flow_graph import Box, BoxKind, Row

__all__ = ["flow_svg"]

_WIDTH: Final = 360  # of a box
_GAP: Final = 90  # between columns, for the arrows
_SPACE: Final = 26  # between boxes of a column
_HEAD: Final = 30
_LINE: Final = 22
_SAID_LINE: Final = 16
_SAID_LINES: Final = 3  # of what is said in a place, at most
_FOOT: Final = 8
_MARGIN: Final = 24
_LABEL: Final = 100  # where a row's words begin
_LETTER: Final = 6.6  # the width of one, about
_OUTSIDE: Final[tuple[BoxKind, ...]] = ("target", "agent", "end")

_COLOURS: Final[dict[BoxKind, str]] = {
    "start": "#3b6fb6",
    "rules": "#7a5fa8",
    "menu": "#2f8f6b",
    "collect": "#2f7f8f",
    "target": "#b5722a",
    "agent": "#a83f6f",
    "end": "#666666",
}
_STYLE: Final = """
  svg { background: #ffffff; font: 12px system-ui, sans-serif; }
  .box { fill: #ffffff; stroke: #c8ccd2; }
  .head { fill: #ffffff; font-weight: 600; }
  .label { fill: #30343a; font-weight: 600; }
  .words { fill: #555b63; }
  .said { fill: #555b63; font-style: italic; }
  .mark { fill: #ffffff; font-size: 11px; text-anchor: middle; }
  .arrow { fill: none; stroke: #8a919b; stroke-width: 1.3; }
  .back { stroke-dasharray: 5 3; }
  .tip { fill: #8a919b; }
  @media (prefers-color-scheme: dark) {
    svg { background: #16181c; }
    .box { fill: #1f2228; stroke: #3a3f47; }
    .label { fill: #e6e8eb; }
    .words, .said { fill: #aab1bb; }
  }
"""


@dataclass(slots=True)
class _Placed:
    """A box where it stands, in pixels from the top left."""

    box: Box
    x: int
    y: int

    @property
    def said(self) -> list[str]:
        """What is said there, in lines."""
        lines = textwrap.wrap(self.box.heard, int((_WIDTH - 24) / _LETTER))
        more = "…" if len(lines) > _SAID_LINES else ""
        return [*lines[: _SAID_LINES - 1], *(line + more for line in lines[_SAID_LINES - 1 :][:1])]

    @property
    def top(self) -> int:
        """Where the rows begin."""
        lines = len(self.said)
        return self.y + _HEAD + (_SAID_LINE * lines + _FOOT if lines else 0)

    @property
    def bottom(self) -> int:
        """Where the box ends."""
        rows = len(self.box.rows)
        return self.top + _LINE * rows + (_FOOT if rows else 0)


def flow_svg(boxes: Sequence[Box], title: str) -> str:
    """Return a picture of the boxes, to be looked at in any browser."""
    placed = _place(boxes)
    outside = {box.id: box for box in boxes if box.kind in _OUTSIDE}
    width = max(one.x for one in placed.values()) + _WIDTH + _MARGIN
    height = max(one.bottom for one in placed.values()) + _MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path class="tip" d="M0,0 L8,4 L0,8 z"/></marker></defs>',
    ]
    for one in placed.values():
        lines += _arrows(one, placed)
    for one in placed.values():
        lines += _drawn(one, outside)
    return "\n".join([*lines, "</svg>", ""])


def _place(boxes: Sequence[Box]) -> dict[str, _Placed]:
    """Give each box its place: a column by how many steps it is from a beginning."""
    columns = _columns(boxes)
    below: dict[int, int] = {}
    placed = {}
    for box in boxes:
        if box.kind in ("agent", "end"):
            continue  # their marks say all
        column = columns[box.id]
        one = _Placed(box, _MARGIN + column * (_WIDTH + _GAP), below.get(column, _MARGIN))
        below[column] = one.bottom + _SPACE
        placed[box.id] = one
    return placed


def _columns(boxes: Sequence[Box]) -> dict[str, int]:
    """Return each box's column; targets stand below the beginnings."""
    known = {box.id: box for box in boxes if box.kind not in _OUTSIDE}
    columns = {box.id: 0 for box in boxes if box.kind == "target"}
    waiting = deque((box.id, 0) for box in boxes if box.kind in ("start", "rules"))
    while waiting:
        place, column = waiting.popleft()
        if place in columns or place not in known:
            continue
        columns[place] = column
        waiting += [(to, column + 1) for row in known[place].rows for to in row.leads_to]
    return {box.id: columns.get(box.id, 1) for box in boxes}


def _arrows(one: _Placed, placed: dict[str, _Placed]) -> list[str]:
    arrows = []
    for number, row in enumerate(one.box.rows):
        y = one.top + _LINE * number + _LINE // 2 + 2
        inner = [placed[to] for to in row.leads_to if to in placed]
        arrows += [_arrow(one.x, y, to) for to in inner if to.box.kind not in _OUTSIDE]
    return arrows


def _arrow(left: int, y: int, to: _Placed) -> str:
    """Return a curve from a row to a box: on its right from row to head, on its left if it is back.

    Within a column it stays on the right side.
    """
    right, end_y = left + _WIDTH, to.y + _HEAD // 2
    way = "arrow"
    if to.x > left:
        begin, end, out = right, to.x, max(40, (to.x - right) // 2)
        path = f"M{begin},{y} C{begin + out},{y} {end - out},{end_y} {end},{end_y}"
    elif to.x < left:
        way, end, out = "arrow back", to.x + _WIDTH, max(40, (left - to.x - _WIDTH) // 2)
        path = f"M{left},{y} C{left - out},{y} {end + out},{end_y} {end},{end_y}"
    else:
        out = _MARGIN
        path = f"M{right},{y} C{right + out},{y} {right + out},{end_y} {right},{end_y}"
    return f'<path class="{way}" d="{path}" marker-end="url(#tip)"/>'


def _drawn(one: _Placed, outside: Mapping[str, Box]) -> list[str]:
    x, y, colour = one.x, one.y, _COLOURS[one.box.kind]
    head = _fitting(one.box.title, _WIDTH - 24)
    lines = [
        f'<g><rect class="box" x="{x}" y="{y}" width="{_WIDTH}" height="{one.bottom - y}" rx="7"/>',
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEAD}" rx="7" fill="{colour}"/>',
        f'<text class="head" x="{x + 12}" y="{y + 20}">{escape(head)}</text>',
    ]
    for number, said in enumerate(one.said):
        height = y + _HEAD + _SAID_LINE * number + 18
        lines.append(f'<text class="said" x="{x + 12}" y="{height}">{escape(said)}</text>')
    for number, row in enumerate(one.box.rows):
        lines += _written(row, x, one.top + _LINE * number + 18, outside)
    return [*lines, "</g>"]


def _written(row: Row, x: int, y: int, outside: Mapping[str, Box]) -> list[str]:
    """Return a row: its label, its words, and the marks of where it leaves to."""
    lines, right = [], x + _WIDTH - 10
    for box in (outside[to] for to in reversed(row.leads_to) if to in outside):
        name = _fitting(box.title, _LABEL)
        width = round(len(name) * _LETTER * 0.95) + 14
        right -= width
        lines += [
            f'<rect class="way" x="{right}" y="{y - 13}" width="{width}" height="18" rx="9" '
            f'fill="{_COLOURS[box.kind]}"/>',
            f'<text class="mark" x="{right + width / 2:g}" y="{y}">{escape(name)}</text>',
        ]
        right -= 6
    label = _fitting(row.label, _LABEL - 18)
    words = _fitting(row.words, right - x - _LABEL)
    return [
        f'<text class="label" x="{x + 12}" y="{y}">{escape(label)}'
        f"<title>{escape(row.label)}</title></text>",
        f'<text class="words" x="{x + _LABEL}" y="{y}">{escape(words)}'
        f"<title>{escape(row.words)}</title></text>",
        *lines,
    ]


def _fitting(text: str, width: float) -> str:
    most = max(2, int(width / _LETTER))
    return text if len(text) <= most else text[: most - 1] + "…"

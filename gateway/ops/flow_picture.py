"""Draws boxes and arrows as an SVG: columns from where calls begin to where they end."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from .flow_graph import Box, BoxKind, Row

__all__ = ["flow_svg"]

_WIDTH: Final = 380  # of a box
_GAP: Final = 130  # between columns, for the arrows
_SPACE: Final = 26  # between boxes of a column
_HEAD: Final = 30
_LINE: Final = 22
_MARGIN: Final = 24
_LABEL: Final = 138  # where a row's words begin
_LETTER: Final = 6.9  # the width of one, about

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
  .arrow { fill: none; stroke: #8a919b; stroke-width: 1.3; }
  .tip { fill: #8a919b; }
  @media (prefers-color-scheme: dark) {
    svg { background: #16181c; }
    .box { fill: #1f2228; stroke: #3a3f47; }
    .label { fill: #e6e8eb; }
    .words { fill: #aab1bb; }
  }
"""


@dataclass(slots=True)
class _Placed:
    """A box where it stands, in pixels from the top left."""

    box: Box
    x: int
    y: int

    @property
    def height(self) -> int:
        return _HEAD + _LINE * len(self.box.rows) + (8 if self.box.rows else 0)


def flow_svg(boxes: Sequence[Box], title: str) -> str:
    """Return a picture of the boxes, to be looked at in any browser."""
    placed = _place(boxes)
    width = max(one.x for one in placed.values()) + _WIDTH + _MARGIN
    height = max(one.y + one.height for one in placed.values()) + _MARGIN
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
        lines += _drawn(one)
    return "\n".join([*lines, "</svg>", ""])


def _place(boxes: Sequence[Box]) -> dict[str, _Placed]:
    """Give each box its place: a column by how many steps it is from a beginning."""
    columns = _columns(boxes)
    tops: dict[int, int] = {}
    placed = {}
    for box in boxes:
        column = columns[box.id]
        one = _Placed(box, _MARGIN + column * (_WIDTH + _GAP), tops.get(column, _MARGIN))
        tops[column] = one.y + one.height + _SPACE
        placed[box.id] = one
    return placed


def _columns(boxes: Sequence[Box]) -> dict[str, int]:
    """Return each box's column; the places that calls go to in the end share the last one."""
    known = {box.id: box for box in boxes}
    columns: dict[str, int] = {}
    waiting = deque((box.id, 0) for box in boxes if box.kind in ("start", "rules"))
    while waiting:
        place, column = waiting.popleft()
        if place in columns or place not in known:
            continue
        columns[place] = column
        waiting += [(to, column + 1) for row in known[place].rows for to in row.leads_to]
    inner = [
        columns.get(box.id, 1) for box in boxes if box.kind in ("start", "rules", "menu", "collect")
    ]
    last = max(inner, default=0) + 1
    for box in boxes:
        is_final = box.kind in ("target", "agent", "end")
        columns[box.id] = last if is_final else columns.get(box.id, 1)
    return columns


def _arrows(one: _Placed, placed: dict[str, _Placed]) -> list[str]:
    arrows = []
    for number, row in enumerate(one.box.rows):
        y = one.y + _HEAD + _LINE * number + _LINE // 2 + 2
        arrows += [_arrow(one.x, y, placed[to]) for to in row.leads_to if to in placed]
    return arrows


def _arrow(left: int, y: int, to: _Placed) -> str:
    """Return a curve from a row's right end to a box: its left side, or its right if behind."""
    x, end_y = left + _WIDTH, to.y + _HEAD // 2
    if to.x > left:
        end, bend = to.x, max(40, (to.x - x) // 2)
        path = f"M{x},{y} C{x + bend},{y} {end - bend},{end_y} {end},{end_y}"
    else:
        end = to.x + _WIDTH
        path = f"M{x},{y} C{x + 70},{y} {end + 70},{end_y} {end},{end_y}"
    return f'<path class="arrow" d="{path}" marker-end="url(#tip)"/>'


def _drawn(one: _Placed) -> list[str]:
    x, y, colour = one.x, one.y, _COLOURS[one.box.kind]
    head = _fitting(one.box.title, _WIDTH - 24)
    lines = [
        f'<g><rect class="box" x="{x}" y="{y}" width="{_WIDTH}" height="{one.height}" rx="7"/>',
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEAD}" rx="7" fill="{colour}"/>',
        f'<text class="head" x="{x + 12}" y="{y + 20}">{escape(head)}</text>',
    ]
    for number, row in enumerate(one.box.rows):
        lines += _written(row, x, y + _HEAD + _LINE * number + 18)
    return [*lines, "</g>"]


def _written(row: Row, x: int, y: int) -> list[str]:
    label = _fitting(row.label, _LABEL - 18)
    words = _fitting(row.words, _WIDTH - _LABEL - 12)
    return [
        f'<text class="label" x="{x + 12}" y="{y}">{escape(label)}'
        f"<title>{escape(row.label)}</title></text>",
        f'<text class="words" x="{x + _LABEL}" y="{y}">{escape(words)}'
        f"<title>{escape(row.words)}</title></text>",
    ]


def _fitting(text: str, width: float) -> str:
    most = int(width / _LETTER)
    return text if len(text) <= most else text[: most - 1] + "…"

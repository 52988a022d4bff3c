"""How calls look on a terminal; what anybody said or called themselves is text and nothing else."""

from datetime import datetime
from typing import Any, Final, Literal

from rich.table import Table
from rich.text import Text

from ..ops.archive import CallPage
from .output import progress, say, show

__all__ = ["show_call", "show_page"]

_ODD: Final = "\N{REPLACEMENT CHARACTER}"
_LISTED: Final = ("began", "from", "to", "lasted", "ended by", "MOS", "id")
_RIGHT: Final = ("lasted", "MOS")
_TOLD: Final = ("trunk", "leg", "reason", "q850", "codec", "transport", "recording")


def show_page(page: CallPage) -> None:
    """Print calls as a table, and how to see the next ones."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in _LISTED:
        side: Literal["left", "right"] = "right" if heading in _RIGHT else "left"
        table.add_column(heading, overflow="fold", justify=side, no_wrap=heading == "id")
    for call in page.calls:
        table.add_row(*(_plain(cell) for cell in _row(call)))
    show(table)
    if page.next:
        progress(f"There are more: --cursor {page.next}")


def show_call(call: dict[str, Any]) -> None:
    """Print one call: its facts, and what was said."""
    facts = Table.grid(padding=(0, 2))
    cost = (call.get("usage") or {}).get("cost")
    told = [*zip(_LISTED, _row(call), strict=True), *((name, call.get(name)) for name in _TOLD)]
    for name, cell in [*told, ("cost", f"{cost:.4f}" if cost else "")]:
        if cell not in ("", None):
            facts.add_row(Text(name, style="dim"), _plain(cell))
    show(facts)
    said = [item for item in call.get("transcript") or [] if item.get("text") or item.get("name")]
    if said:
        table = Table("seconds", "who", "said", pad_edge=False)
        for item in said:
            words = item.get("heard") if item.get("is_cut") else item.get("text")
            text = _plain(words or item.get("text") or item.get("name"))
            if item.get("is_cut"):
                text.append(" — cut", style="dim")
            table.add_row(
                f"{item.get('at', 0.0):.1f}", _plain(item.get("role") or item.get("type")), text
            )
        show(table)
    say(f"{len(call.get('timeline') or [])} entries in its timeline; --json shows them", "dim")


def _row(call: dict[str, Any]) -> tuple[object, ...]:
    mos, seconds = (call.get("media") or {}).get("mos"), float(call.get("duration") or 0.0)
    return (
        datetime.fromtimestamp(call.get("started_at") or 0.0).strftime("%Y-%m-%d %H:%M"),
        call.get("caller"),
        call.get("called"),
        f"{seconds // 60:.0f}:{seconds % 60:02.0f}",
        call.get("ended_by") or call.get("state"),
        f"{mos:.1f}" if mos is not None else "",
        call.get("call_id"),
    )


def _plain(cell: object) -> Text:
    """Return text that no terminal takes for an order, nor the table for a style."""
    text = "" if cell is None else str(cell)
    return Text("".join(letter if letter.isprintable() else _ODD for letter in text))

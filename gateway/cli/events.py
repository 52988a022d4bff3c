"""`voice-gateway events`: what the service can say, and what the gateway does about it."""

from collections.abc import Iterable

from rich.table import Table

from ..control.event_table import EVENT_TABLE, OWN_TABLE
from ..realtime.events import TRANSPORTS
from .output import say_json, show

__all__ = ["events"]


def events(*, json: bool = False) -> int:
    """List the service's 47 events: the transports that carry each, who handles it, and how.

    The gateway's own events, which rules may name as well, follow them in the table.

    Args:
        json: Print one JSON array instead, of the service's events alone.

    """
    rows = [
        {
            "event": name,
            "transports": sorted(TRANSPORTS[name]),
            "handler": handling.handler,
            "default": handling.default,
        }
        for name, handling in EVENT_TABLE.items()
    ]
    if json:
        say_json(rows)
        return 0
    theirs = (
        (name, ", ".join(sorted(TRANSPORTS[name])), handling.handler, handling.default)
        for name, handling in EVENT_TABLE.items()
    )
    _show(f"The {len(rows)} server events", ("event", "transports"), theirs)
    ours = ((name, handling.handler, handling.default) for name, handling in OWN_TABLE.items())
    _show(f"The gateway's own {len(OWN_TABLE)} events", ("event",), ours)
    return 0


def _show(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    table = Table(title=title, title_justify="left", pad_edge=False)
    for heading in (*columns, "handler", "default action"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    show(table)

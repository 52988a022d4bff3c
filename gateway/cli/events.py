"""`voice-gateway events`: what the service can say, and what the gateway does about it."""

import sys
from collections.abc import Iterable
from typing import Any

from rich.table import Table

from ..control.event_table import EVENT_TABLE, MADE_HERE, OWN_TABLE, Handling
from ..realtime.events import TRANSPORTS
from .events_page import LINKS, events_page
from .output import say_json, show

__all__ = ["events"]


def events(*, json: bool = False, markdown: bool = False) -> int:
    """List the service's 47 events: the links that carry each, who handles it, and how.

    The gateway's own events, which rules may name as well, follow them in the table.

    Args:
        json: Print one JSON array instead, of the service's events alone.
        markdown: Print the page docs/events.md instead.

    """
    if json:
        say_json([_row(name, handling) for name, handling in EVENT_TABLE.items()])
    elif markdown:
        sys.stdout.write(events_page())
    else:
        _show_tables()
    return 0


def _row(name: str, handling: Handling) -> dict[str, Any]:
    """Return what is known of one of the service's events, as data."""
    return {
        "event": name,
        "transports": _sorted(TRANSPORTS[name]),
        "made_by_gateway": _sorted(MADE_HERE.get(name, ())),
        "handler": handling.handler,
        "default": handling.default,
    }


def _show_tables() -> None:
    theirs = (
        (name, ", ".join(_sorted(TRANSPORTS[name])), handling.handler, handling.default)
        for name, handling in EVENT_TABLE.items()
    )
    _show(f"The {len(EVENT_TABLE)} server events", ("event", "transports"), theirs)
    ours = ((name, handling.handler, handling.default) for name, handling in OWN_TABLE.items())
    _show(f"The gateway's own {len(OWN_TABLE)} events", ("event",), ours)


def _sorted(links: Iterable[str]) -> list[str]:
    """Return links in the order they are always named in."""
    return sorted(links, key=LINKS.index)


def _show(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    table = Table(title=title, title_justify="left", pad_edge=False)
    for heading in (*columns, "handler", "default action"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    show(table)

"""`voice-gateway events`: what the service can say, and what the gateway does about it."""

from rich.table import Table

from ..control.event_table import EVENT_TABLE
from ..realtime.events import TRANSPORTS
from .output import say_json, show

__all__ = ["events"]


def events(*, json: bool = False) -> int:
    """List the service's 47 events: the transports that carry each, who handles it, and how.

    Args:
        json: Print one JSON array instead of a table.

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
    table = Table(title=f"The {len(rows)} server events", title_justify="left", pad_edge=False)
    for heading in ("event", "transports", "handler", "default action"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(
            str(row["event"]),
            ", ".join(row["transports"]),
            str(row["handler"]),
            str(row["default"]),
        )
    show(table)
    return 0

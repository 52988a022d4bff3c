"""What a user agent does outside of calls for as long as it runs: registering, and looking round.

Each such duty is a machine without a socket: it says when the way to its server must be found, is
told the way, sends its requests by it, and tells what changed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from ..flow import Flow
from ..wire.uri import Uri

__all__ = ["Changed", "Duty", "DutyEvent", "Reported", "WayDue"]


@dataclass(slots=True)
class WayDue:
    """The way to a server must be found: call ``go``, or ``no_way`` where there is none."""

    uri: Uri


@dataclass(slots=True)
class Changed:
    """It stands otherwise with the server than before: well or not, and why, in words."""

    is_well: bool
    why: str


DutyEvent: TypeAlias = WayDue | Changed


class Duty(Protocol):
    """One thing to be done again and again."""

    on_event: Callable[[DutyEvent], None]

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        ...

    def go(self, flows: Sequence[Flow], now: float) -> None:
        """Take one of the ways that were found, best first."""
        ...

    def no_way(self, why: str, now: float) -> None:
        """Take note that there is none."""
        ...

    def wake(self, now: float) -> None:
        """Do what is due at ``now``."""
        ...

    def lose(self, flow: Flow, now: float) -> None:
        """Take note that a connection is gone."""
        ...

    def move(self, now: float) -> None:
        """Take note that we may be reached at another address than before."""
        ...

    def end(self, now: float) -> None:
        """Undo what was done, and stop."""
        ...

    def events(self) -> list[DutyEvent]:
        """Drain what happened since the last call."""
        ...


@dataclass(slots=True)
class Reported:
    """A duty has something to tell, to whoever set it: ``duty.on_event``."""

    duty: Duty
    event: DutyEvent

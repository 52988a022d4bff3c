"""What a tick has to tell the event loop, carried over in one go."""

from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["Outbox", "Parcel"]

Parcel: TypeAlias = list[tuple[Callable[[Any], None], Any]]
"""Functions and what to call each with, in order."""


class Outbox:
    """Calls for the loop to make, gathered during a tick."""

    __slots__ = ("_late", "on_late", "parcel")

    def __init__(self) -> None:
        self.parcel: Parcel = []
        self.on_late: Callable[[], None] | None = None  # wakes whoever ticks
        self._late: deque[Callable[[float], tuple[Callable[[Any], None], Any]]] = deque()

    def add_late(self, make: Callable[[float], tuple[Callable[[Any], None], Any]]) -> None:
        """Have the next tick add what ``make(now)`` returns; may be called on any thread."""
        self._late.append(make)
        if self.on_late is not None:
            self.on_late()

    @property
    def is_waiting(self) -> bool:
        """Whether there is something for the next tick to add."""
        return bool(self._late)

    def take(self, now: float) -> Parcel:
        """Return what was gathered, and begin anew."""
        while self._late:
            self.parcel.append(self._late.popleft()(now))
        parcel, self.parcel = self.parcel, []
        return parcel

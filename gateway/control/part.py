"""What a part of a controller is: something that owns one concern of a call and its state."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from .actions import Request
from .events import Event

__all__ = ["ControlPart", "TimedPart"]


class ControlPart(Protocol):
    """Takes the events that the table sends it."""

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in an event; returns what is to be done after everything already planned."""
        ...


@runtime_checkable
class TimedPart(Protocol):
    """A part that also waits for something."""

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        ...

    def wake(self) -> Sequence[Request]:
        """Run whatever is due at the moment's ``Context.now``; returns what follows."""
        ...

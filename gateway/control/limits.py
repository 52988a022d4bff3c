"""How long one call may last."""

from collections.abc import Callable, Sequence

from .actions import Request
from .context import Context
from .events import CallStarted, Event

__all__ = ["Limits"]


class Limits:
    """Ends a call that reached its longest duration, with a goodbye."""

    def __init__(self, context: Context, say_goodbye: Callable[[str], None]) -> None:
        self.deadline: float | None = None
        self._context = context
        self._say_goodbye = say_goodbye

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in the call's beginning."""
        if isinstance(event, CallStarted):
            self.deadline = self._context.now + self._context.settings.call.max_seconds
        return ()

    def wake(self) -> Sequence[Request]:
        """End the call where its time is up."""
        if self.deadline is not None and self._context.now >= self.deadline:
            self.deadline = None
            self._say_goodbye("time limit")
        return ()

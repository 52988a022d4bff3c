"""Who answered a call that we placed: a human, or a machine and when it listens."""

from collections.abc import Sequence

from .actions import Request
from .context import Context
from .events import Event

__all__ = ["Answering"]


class Answering:
    """Judges an answer by how it sounds."""

    def __init__(self, context: Context) -> None:
        self.deadline: float | None = None
        self._context = context

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in voices, silences and beeps."""
        del event
        return ()

    def wake(self) -> Sequence[Request]:
        """Decide where time has run out."""
        return ()

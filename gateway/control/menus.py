"""Menus and collections: what the caller hears, which keys are taken, what follows."""

from collections.abc import Sequence

from .actions import Collect, OpenMenu, Request
from .context import Context
from .events import Event
from .speech import Speech

__all__ = ["Menus"]


class Menus:
    """The menus a call is in, the innermost last."""

    def __init__(self, context: Context, speech: Speech) -> None:
        self.deadline: float | None = None
        self._context = context
        self._speech = speech

    @property
    def is_open(self) -> bool:
        """Whether a menu or a collection waits for keys."""
        return False

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in what changes the place the caller is at."""
        del event
        return ()

    def open(self, request: OpenMenu | Collect) -> Sequence[Request]:
        """Begin, repeat or leave a menu; returns what is to be heard."""
        del request
        return ()

    def take_key(self, key: str) -> Sequence[Request] | None:
        """Return what a key does here, or ``None`` where it is for somebody else."""
        del key
        return None

    def settle(self, *, is_quiet: bool) -> None:
        """Begin to wait once everything was heard."""
        del is_quiet

    def wake(self) -> Sequence[Request]:
        """Go on where no key came in time."""
        return ()

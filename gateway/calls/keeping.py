"""Who keeps the records of calls, as a call sees it."""

from typing import Protocol

from .registry import CallRecord

__all__ = ["Keeper"]


class Keeper(Protocol):
    """Keeps what calls were, beyond the process's own end."""

    @property
    def patience(self) -> float:
        """Seconds that the far end may be kept waiting for the word that all is kept."""
        ...

    def note_begin(self) -> None:
        """Take the news that a call is there, which the registry has."""
        ...

    async def keep(self, record: CallRecord) -> None:
        """Keep a call that is over; returns once that is done, or cannot be, or takes too long."""
        ...

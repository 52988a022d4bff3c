"""Few words of many alike: one in a while, with the number of those left unsaid."""

from collections.abc import Hashable
from typing import Final

__all__ = ["Seldom"]

_MOST: Final = 1024  # kinds that are remembered


class Seldom:
    """Lets one of a kind through in so many seconds, and counts the others; time is an argument."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._unsaid: dict[Hashable, tuple[float, int]] = {}  # until when, and how many

    def unsaid(self, kind: Hashable, now: float) -> int | None:
        """Return how many of a kind were left unsaid before this one; nothing if it is another."""
        until, count = self._unsaid.get(kind, (now, 0))
        if now < until:
            self._unsaid[kind] = until, count + 1
            return None
        if len(self._unsaid) >= _MOST:
            self._unsaid.clear()
        self._unsaid[kind] = now + self._seconds, 0
        return count

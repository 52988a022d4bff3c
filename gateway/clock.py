"""Time and chance, handed in: the two things a protocol object may not fetch for itself."""

import itertools
import secrets
import time
from typing import Protocol

__all__ = ["Clock", "CountedIds", "Ids", "RandomIds", "monotonic"]

monotonic = time.monotonic


class Clock(Protocol):
    """Anything that tells monotonic seconds."""

    def __call__(self) -> float:
        """Return now, in seconds, monotonic."""
        ...


class Ids(Protocol):
    """A source of identifiers that nobody else makes."""

    def token(self, bits: int = 64) -> str:
        """Return a new hexadecimal token of at least ``bits`` bits."""
        ...

    def number(self, below: int) -> int:
        """Return an unpredictable integer in ``range(below)``."""
        ...


class RandomIds:
    """Identifiers an outsider cannot guess (RFC 3261 section 19.3)."""

    def token(self, bits: int = 64) -> str:
        """Return a new hexadecimal token of at least ``bits`` bits."""
        return secrets.token_hex((bits + 7) // 8)

    def number(self, below: int) -> int:
        """Return an unpredictable integer in ``range(below)``."""
        return secrets.randbelow(below)


class CountedIds:
    """Identifiers that count up: the same in every run, for tests and replays."""

    def __init__(self, prefix: str = "id") -> None:
        self._prefix = prefix
        self._count = itertools.count(1)

    def token(self, bits: int = 64) -> str:
        """Return the next token; ``bits`` is ignored."""
        del bits
        return f"{self._prefix}{next(self._count)}"

    def number(self, below: int) -> int:
        """Return the next number, wrapped into ``range(below)``."""
        return next(self._count) % below

"""The latest events, kept for whoever lost the connection; the oldest go first."""

from collections import deque
from collections.abc import Iterator
from typing import Final

__all__ = ["Ring"]

_MOST: Final = 4096
_MOST_BYTES: Final = 2 * 1024 * 1024


class Ring:
    """Names events ``EPOCH-NUMBER``, and keeps as many as there is room for."""

    def __init__(self, epoch: str, *, most: int = _MOST, most_bytes: int = _MOST_BYTES) -> None:
        self._epoch = epoch
        self._most, self._most_bytes = most, most_bytes
        self._number = 0  # of the latest
        self._bytes = 0
        self._kept: deque[tuple[str, bytes]] = deque()

    @property
    def mark(self) -> bytes:
        """What tells a stream the name of the latest event, and nothing else."""
        return f"id: {self._epoch}-{self._number}\n\n".encode()

    def add(self, call_id: str, data: bytes) -> bytes:
        """Return the event that tells ``data``, one line of a call."""
        self._number += 1
        event = b"id: %s-%d\ndata: %s\n\n" % (self._epoch.encode(), self._number, data)
        self._kept.append((call_id, event))
        self._bytes += len(event)
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            self._bytes -= len(self._kept.popleft()[1])
        return event

    def since(self, last_id: str, call_id: str = "") -> Iterator[bytes] | None:
        """Return what came after an event, of all calls or of one; ``None`` if not all is kept."""
        epoch, _, number = last_id.rpartition("-")
        if epoch != self._epoch or not (number.isascii() and number.isdecimal()):
            return None
        missed = self._number - int(number[:20])
        if not 0 <= missed <= len(self._kept):
            return None
        kept = list(self._kept)[len(self._kept) - missed :]
        return (event for whose, event in kept if call_id in ("", whose))

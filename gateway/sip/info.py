"""INFO requests of ours, one at a time so that they arrive in order (RFC 6086)."""

from collections import deque
from typing import Final, NamedTuple

__all__ = ["InfoQueue", "Information"]

_MOST: Final = 64


class Information(NamedTuple):
    """The content of one INFO."""

    content_type: str
    body: bytes


class InfoQueue:
    """What waits for the answer to the INFO before it; of more than 64 the newest are dropped."""

    def __init__(self) -> None:
        self.dropped = 0
        self._waiting: deque[Information] = deque()
        self._is_busy = False

    def push(self, information: Information) -> None:
        """Line up one more."""
        if len(self._waiting) < _MOST:
            self._waiting.append(information)
        else:
            self.dropped += 1

    def pop(self) -> Information | None:
        """Return what may be sent now."""
        if self._is_busy or not self._waiting:
            return None
        self._is_busy = True
        return self._waiting.popleft()

    def answered(self) -> None:
        """Take note that the one under way has its final response."""
        self._is_busy = False

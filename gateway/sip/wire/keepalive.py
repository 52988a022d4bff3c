"""Signs of life asked for on a connection that we opened (RFC 5626 section 4.4.1)."""

from typing import Final

__all__ = ["LONGEST_REST", "PING", "SHORTEST_REST", "KeepAlive"]

PING: Final = b"\r\n\r\n"  # no message, and no part of one

SHORTEST_REST: Final = 24.0  # seconds between two; section 4.4.1 wants 80 to 100 % of the longest
LONGEST_REST: Final = 30.0

_PATIENCE: Final = 10.0  # seconds until an answer


class KeepAlive:
    """When to ask, and whether the silence that follows means that nobody is there.

    Only a peer that has answered once is expected to go on doing so: many know
    nothing of this, and of those the system's own errors have to tell.

    Args:
        now: The time at which the connection stood.
        rest: Seconds between two questions, chosen at random by the owner.

    """

    def __init__(self, now: float, rest: float) -> None:
        self._rest = rest
        self._ask_at = now + rest
        self._dead_at: float | None = None
        self._has_answered = False

    @property
    def deadline(self) -> float:
        """When :meth:`wake` must next be called."""
        return self._ask_at if self._dead_at is None else min(self._ask_at, self._dead_at)

    def is_dead(self, now: float) -> bool:
        """Whether the peer owes an answer for too long."""
        return self._dead_at is not None and now >= self._dead_at

    def wake(self, now: float) -> bool:
        """Return whether to ask now."""
        if now < self._ask_at:
            return False
        self._ask_at = now + self._rest
        if self._has_answered and self._dead_at is None:
            self._dead_at = now + _PATIENCE
        return True

    def answered(self) -> None:
        """Take note of an answer."""
        self._has_answered = True
        self._dead_at = None

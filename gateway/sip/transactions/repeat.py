"""The repeats of a response to an INVITE, until somebody says that it has come.

They go end to end, so they are the user agent's to send and are sent on every transport: a 2xx
until its ACK, after T1, twice that, and so on up to T2 apart (RFC 3261 section 13.3.1.4); a
reliable provisional response until its PRACK, twice as late each time (RFC 3262 section 3).
64 × T1 after the first, hope is given up.
"""

from .timers import Timers

__all__ = ["Repeater"]


class Repeater:
    """Says when a response is due again, and when to stop; ``longest`` is T2 unless given."""

    def __init__(self, timers: Timers, now: float, longest: float | None = None) -> None:
        self._longest = timers.t2 if longest is None else longest
        self._wait = timers.t1
        self._repeat_at = now + self._wait
        self._expires_at = now + timers.patience
        self.is_expired = False

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        return None if self.is_expired else min(self._repeat_at, self._expires_at)

    def wake(self, now: float) -> bool:
        """Return whether the response is to be sent again at ``now``."""
        if now >= self._expires_at:
            self.is_expired = True
        elif now >= self._repeat_at:
            self._wait = min(2 * self._wait, self._longest)
            self._repeat_at = now + self._wait
            return True
        return False

"""The repeats of a 2xx to an INVITE, until its ACK (RFC 3261 section 13.3.1.4).

They go end to end, so they are the user agent's to send and are sent on every
transport: after T1, twice that, and so on up to T2 apart; 64 × T1 after the
first, hope is given up.
"""

from .timers import Timers

__all__ = ["Repeater"]


class Repeater:
    """Says when a 2xx is due again, and when to stop."""

    def __init__(self, timers: Timers, now: float) -> None:
        self._longest = timers.t2
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

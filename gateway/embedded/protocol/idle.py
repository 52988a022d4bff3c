"""The idle timeout: when a silence is long enough for the service to speak up.

The silence counts from the moment the caller has heard the last response (its
end, as far as the service can tell: when it was done, plus what was left of its
audio), and it is measured on the clock of the caller's audio.
"""

__all__ = ["IdleTimer"]


class IdleTimer:
    """Watches for one silence at a time."""

    def __init__(self) -> None:
        self._counts_from: float | None = None
        self._start_ms: int | None = None

    def arm(self, at: float) -> None:
        """Begin to count at the moment ``at``."""
        self._counts_from, self._start_ms = at, None

    def disarm(self) -> None:
        """Stop counting: the caller or the service speaks."""
        self._counts_from = self._start_ms = None

    def check(self, clock_ms: int, now: float, timeout_ms: int | None) -> tuple[int, int] | None:
        """Return where the silence began and ended if it is over, and stop counting."""
        if timeout_ms is None or self._counts_from is None or now < self._counts_from:
            return None
        if self._start_ms is None:
            self._start_ms = clock_ms
        start_ms = self._start_ms
        if clock_ms - start_ms < timeout_ms:
            return None
        self.disarm()
        return start_ms, clock_ms

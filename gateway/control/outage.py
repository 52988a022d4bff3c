"""One outage of the service: when to try again, and when enough was tried.

Pauses double from a quarter of a second to eight, each shortened by up to a half.  By how
much follows from the call and the attempt alone: calls that lost the service together do
not come back together, and a call played again does as it did.
"""

import zlib
from typing import Final

__all__ = ["Outage", "pause_before"]

_FIRST: Final = 0.25  # seconds
_LONGEST: Final = 8.0
_STEADY_SECONDS: Final = 10.0  # a link that lasted so long was not part of the outage before


def pause_before(call_id: str, attempt: int) -> float:
    """Return how long to wait before an attempt, in seconds; the first attempt is number 0."""
    whole = min(_LONGEST, _FIRST * 2.0 ** min(attempt, 16))
    chance = zlib.crc32(f"{call_id}/{attempt}".encode()) / 2**32
    return whole * (1 - chance / 2)


class Outage:
    """Counts the attempts from the first loss until the service has answered again.

    Attributes:
        since: When it began, or ``None`` while all is well.

    """

    def __init__(self) -> None:
        self.since: float | None = None
        self._attempts = 0
        self._up_since: float | None = None
        self._call_id = ""

    def name(self, call_id: str) -> None:
        """Say which call this is."""
        self._call_id = call_id

    def begin(self, now: float, *, was_mute: bool = False) -> None:
        """Note that the service is lost: in the same outage as before, if it never answered.

        Args:
            now: The time.
            was_mute: Whether it is lost for not answering, however long it was there.

        """
        is_steady = self._up_since is not None and now - self._up_since >= _STEADY_SECONDS
        if is_steady and not was_mute:
            self.end()
        self._up_since = None
        if self.since is None:
            self.since = now

    def retry_at(self, now: float) -> float:
        """Count an attempt, and return when it is due."""
        pause = pause_before(self._call_id, self._attempts)
        self._attempts += 1
        return now + pause

    def come_up(self, now: float) -> None:
        """Note that there is a session again; whether it is of use is yet to be seen."""
        self._up_since = now

    def end(self) -> None:
        """The service answers: all is well."""
        self.since = self._up_since = None
        self._attempts = 0

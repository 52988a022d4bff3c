"""Reaching the service: when to try, how long an attempt may take, and when enough was tried.

Pauses double from a quarter of a second to two, each shortened by up to a half.  By how
much follows from the call and the attempt alone: calls that lost the service together do
not come back together, and a call played again does as it did.
"""

import enum
import zlib
from typing import Final

from ..config import RealtimeSettings

__all__ = ["Due", "Outage", "pause_before"]

_FIRST: Final = 0.25  # seconds
_LONGEST: Final = 2.0
_STEADY_SECONDS: Final = 10.0  # a link that lasted so long was not part of the outage before
_LEAVING_SECONDS: Final = 5.0  # a goodbye does not wait longer for a service that is away
_GRACE: Final = 1.0  # the link itself gives up an attempt a little before we do


class Due(enum.Enum):
    """What the time has come for."""

    TRY = enum.auto()  # another attempt
    FAIL = enum.auto()  # the attempt under way took too long
    GIVE_UP = enum.auto()


def pause_before(call_id: str, attempt: int) -> float:
    """Return how long to wait before an attempt, in seconds; the first attempt is number 0."""
    whole = min(_LONGEST, _FIRST * 2.0 ** min(attempt, 16))
    chance = zlib.crc32(f"{call_id}/{attempt}".encode()) / 2**32
    return whole * (1 - chance / 2)


class Outage:
    """Counts the attempts from the first loss until the service has answered again.

    Attributes:
        since: When it began, or ``None`` while all is well.
        was_up: Whether there was a session before.
        retry_at: When the next attempt is due.

    """

    def __init__(self, settings: RealtimeSettings) -> None:
        self.since: float | None = None
        self.was_up = False
        self.retry_at: float | None = None
        self._settings = settings
        self._ready_by: float | None = None  # else the attempt under way has failed
        self._give_up_at: float | None = None
        self._attempts = 0
        self._up_since: float | None = None
        self._call_id = ""

    @property
    def deadline(self) -> float | None:
        """When something is due next, or ``None``."""
        times = (self.retry_at, self._ready_by, self._give_up_at)
        return min((time for time in times if time is not None), default=None)

    def due(self, now: float) -> Due | None:
        """Return what the time has come for."""
        for time, due in (
            (self._give_up_at, Due.GIVE_UP),
            (self.retry_at, Due.TRY),
            (self._ready_by, Due.FAIL),
        ):
            if time is not None and now >= time:
                return due
        return None

    def start(self, call_id: str, now: float) -> None:
        """A call begins."""
        self._call_id = call_id
        self.allow(now)

    def allow(self, now: float) -> None:
        """Give the service ``connect_seconds`` from now to be there at all."""
        self._give_up_at = now + self._settings.connect_seconds

    def attempt(self, now: float) -> None:
        """An attempt begins."""
        self.retry_at = None
        self._ready_by = now + self._settings.connect_seconds + _GRACE

    def open(self, now: float) -> None:
        """The link is open; the session is to be confirmed in time."""
        self.retry_at = None
        self._ready_by = now + self._settings.connect_seconds

    def come_up(self, now: float) -> None:
        """There is a session again; whether it is of use is yet to be seen."""
        self.was_up, self._up_since = True, now
        self.stop()

    def begin(self, now: float, *, was_mute: bool = False) -> None:
        """Note a loss: in the same outage as before, if the service never answered.

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

    def try_again(self, now: float, *, is_leaving: bool) -> bool:
        """Plan the next attempt, and tell whether there is still time for one.

        Args:
            now: The time.
            is_leaving: Whether the call only waits for a goodbye.

        """
        pause = pause_before(self._call_id, self._attempts)
        self._attempts += 1
        if self.was_up:
            seconds = self._settings.reconnect_seconds
            seconds = min(seconds, _LEAVING_SECONDS) if is_leaving else seconds
            self._give_up_at = (now if self.since is None else self.since) + seconds
        self._ready_by, self.retry_at = None, now + pause
        return self._give_up_at is None or self.retry_at < self._give_up_at

    def end(self) -> None:
        """The service answers: all is well."""
        self.since = self._up_since = None
        self._attempts = 0

    def stop(self) -> None:
        """Nothing more is due."""
        self.retry_at = self._ready_by = self._give_up_at = None

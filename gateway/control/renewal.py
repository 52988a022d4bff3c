"""Replacing a session before the service ends it, in a moment when nobody would notice.

A session lives for an hour at most.  From ``renew_seconds`` before its end the first quiet
moment is taken, and shortly before the end any.  A hosted call cannot be renewed: its session
is the call.
"""

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["Renewal"]

_LIFETIME: Final = 3600.0  # seconds, where the service does not say
_SHORTEST: Final = 5.0  # a session that ends sooner is not told to: a calendar is wrong
_RESERVE: Final = 10.0  # before the end, what is left to set up the next one


class Renewal:
    """When the present session ends, and from when it may and must be replaced."""

    def __init__(self, renew_seconds: float) -> None:
        self.ends_at: float | None = None
        self.may_from: float | None = None
        self.must_at: float | None = None
        self.is_possible = True
        self._renew_seconds = renew_seconds
        self._opened_at = 0.0
        self._unix_time = 0.0

    def open(self, now: float, unix_time: float, *, is_possible: bool = True) -> None:
        """Note that a link opened, and to a session that was there before if it must last.

        Args:
            now: By our clock.
            unix_time: By the calendar; 0 where it is not known.
            is_possible: Whether another session may take this one's place.

        """
        self._opened_at, self._unix_time = now, unix_time
        if is_possible or self.ends_at is None:
            self._live(_LIFETIME, is_possible=is_possible)

    def note(self, session: Mapping[str, Any]) -> None:
        """Take in when the service says the session ends (``expires_at``, unix seconds)."""
        expires_at = session.get("expires_at")
        if self._unix_time <= 0 or not isinstance(expires_at, int | float):
            return
        lifetime = expires_at - self._unix_time
        if _SHORTEST <= lifetime <= 10 * _LIFETIME:  # else one of the two clocks is wrong
            self._live(lifetime, is_possible=self.is_possible)

    def stop(self) -> None:
        """There is no session to renew, until the next link opens."""
        self.may_from = self.must_at = None

    def _live(self, lifetime: float, *, is_possible: bool) -> None:
        self.is_possible = is_possible
        self.ends_at = self._opened_at + lifetime
        if not is_possible:
            return
        self.may_from = self.ends_at - min(self._renew_seconds, lifetime / 2)
        self.must_at = max(self.may_from, self.ends_at - min(_RESERVE, lifetime / 4))

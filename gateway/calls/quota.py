"""The service's rate limits as the calls of this process hear of them, and what is left of them.

A limit belongs to an account, not to a call: what one call is told holds for the next caller
too.  While too little is left, new callers are turned away rather than answered by a service
that will refuse to speak to them.
"""

from collections.abc import Iterable
from typing import Final

from ..clock import Clock, monotonic
from ..realtime.items import RateLimit

__all__ = ["Quota"]

_LONGEST: Final = 300.0  # seconds; a service that never takes a word back is asked again
_MOST_NAMES: Final = 16


class Quota:
    """What is left of each limit; ``floor`` is the share of it below which callers must wait."""

    def __init__(self, floor: float, clock: Clock = monotonic) -> None:
        self.shortages = 0  # how often a limit fell below the floor
        self._floor = floor
        self._clock = clock
        self._short_until: dict[str, float] = {}  # by the limit's name

    def note(self, limits: Iterable[RateLimit]) -> None:
        """Take in what the service says is left."""
        now = self._clock()
        for limit in limits:
            name = limit.name or ""
            if limit.limit is None or limit.remaining is None or limit.limit <= 0:
                continue
            if limit.remaining / limit.limit >= self._floor:
                self._short_until.pop(name, None)
            elif name in self._short_until or len(self._short_until) < _MOST_NAMES:
                self.shortages += name not in self._short_until
                wait = min(max(limit.reset_seconds or 0.0, 0.0), _LONGEST)
                self._short_until[name] = now + wait

    @property
    def wait_seconds(self) -> float:
        """How long until all that is short is there again; 0 where nothing is."""
        now = self._clock()
        self._short_until = {n: until for n, until in self._short_until.items() if until > now}
        return max(self._short_until.values(), default=now) - now

"""What the log is told of calls that are refused: whose, and why, but not each of a flood."""

from typing import Final

import structlog

from ..clock import Clock, monotonic
from ..legs.naming import name_of
from ..sip.wire.message import Request

__all__ = ["Refusals"]

_PAUSE: Final = 1.0  # seconds until more of the same is told
_MOST: Final = 1024  # trunks and statuses that are remembered
_LONGEST: Final = 100  # characters of what a caller chose


class Refusals:
    """Tells of a trunk's refusals with one status once a second; ``more`` were not told before."""

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._untold: dict[tuple[str, int], tuple[float, int]] = {}  # until when, and how many

    def tell(self, request: Request, trunk: str, status: int, why: str) -> None:
        """Log one, or count it."""
        now, which = self._clock(), (trunk, status)
        until, more = self._untold.get(which, (now, 0))
        if now < until:
            self._untold[which] = until, more + 1
            return
        if len(self._untold) >= _MOST:
            self._untold.clear()
        self._untold[which] = now + _PAUSE, 0
        structlog.get_logger().warning(
            "refused",
            trunk=trunk,
            caller=name_of(request.from_.uri)[:_LONGEST],
            call_id=request.call_id[:_LONGEST],
            status=status,
            why=why,
            more=more,
        )

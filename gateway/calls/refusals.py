"""What the log is told of calls that are refused: whose, and why, but not each of a flood."""

from typing import Final

import structlog

from ..clock import Clock, monotonic
from ..legs.naming import name_of
from ..seldom import Seldom
from ..sip.wire.message import Request

__all__ = ["Refusals"]

_PAUSE: Final = 1.0  # seconds until more of the same is told
_LONGEST: Final = 100  # characters of what a caller chose


class Refusals:
    """Tells of a trunk's refusals with one status once a second; ``more`` were not told before."""

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._seldom = Seldom(_PAUSE)

    def tell(self, request: Request, trunk: str, status: int, why: str) -> None:
        """Log one, or count it."""
        more = self._seldom.unsaid((trunk, status), self._clock())
        if more is None:
            return
        structlog.get_logger().warning(
            "refused",
            trunk=trunk,
            caller=name_of(request.from_.uri)[:_LONGEST],
            call_id=request.call_id[:_LONGEST],
            status=status,
            why=why,
            more=more,
        )

"""The connections that strangers hold: few of each, few of all, and none that is idle.

How many connections there may be at all is the affair of the sockets; neighbours, and those who
are vouched for, have nothing else to mind.
"""

import math
from collections import Counter
from typing import Final

from ..flow import Flow
from .guard import Guard, block_of

__all__ = ["Visitors"]

_MOST_OF_ONE: Final = 8
_MOST_OF_ALL: Final = 256
_PATIENCE: Final = 32.0  # seconds between two messages


class Visitors:
    """Keeps count of the strangers who are connected to us.

    Whoever :meth:`admits` has let in must be taken leave of by :meth:`leaves`.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._present: dict[Flow, str] = {}
        self._of_one: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._present)

    def admits(self, flow: Flow, now: float) -> bool:
        """Decide whether whoever connects may stay."""
        if self._is_welcome(flow, now):
            return True
        block = block_of(flow.remote[0])
        is_full = self._of_one[block] >= _MOST_OF_ONE or len(self._present) >= _MOST_OF_ALL
        if is_full or self._guard.is_banned(flow, now):
            self._guard.stats.dropped_connections += 1
            return False
        self._present[flow] = block
        self._of_one[block] += 1
        return True

    def leaves(self, flow: Flow) -> None:
        """Take note that a connection is over, or that whoever holds it is no stranger."""
        block = self._present.pop(flow, None)
        if block is not None:
            self._of_one[block] -= 1
            if not self._of_one[block]:
                del self._of_one[block]

    def patience(self, flow: Flow, now: float) -> float:
        """Return how many seconds may pass until the next message: for ever for whom we know."""
        if self._is_welcome(flow, now):
            self.leaves(flow)
            return math.inf
        return 0.0 if self._guard.is_banned(flow, now) else _PATIENCE

    def _is_welcome(self, flow: Flow, now: float) -> bool:
        return not self._guard.is_stranger(flow, now) or self._guard.is_vouched(flow, now)

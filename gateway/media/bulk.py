"""Order and statistics of a stream whose undisturbed packets are counted many at a time.

Nearly every packet is exactly the one that was due.  The receiver checks and stores those
for all lanes at once, without touching these objects; before a packet that is anything else
they are told how far the stream has got meanwhile.
"""

from typing import Final

from ..rtp.order import GapHold
from ..rtp.receive import Reception

__all__ = ["BulkHold", "BulkReception"]

_MEMORY: Final = (1 << 64) - 1


class BulkHold(GapHold):
    """A gap-hold that can be moved forward over packets it did not see."""

    __slots__ = ()

    @property
    def next_sequence(self) -> int | None:
        """The sequence number that is due."""
        return self._next

    def advance(self, next_sequence: int, count: int) -> None:
        """Take note that ``count`` packets went on in order, up to before ``next_sequence``."""
        self._next = next_sequence
        seen = min(count, 64)
        self._delivered = (self._delivered << seen | (1 << seen) - 1) & _MEMORY


class BulkReception(Reception):
    """A reception that can be moved forward over packets it did not see."""

    __slots__ = ()

    def advance(
        self, sequence: int, timestamp: int, now: float, count: int, jitter_units: float
    ) -> None:
        """Take note of ``count`` packets in order, the last of them as given."""
        if sequence < self._highest:
            self._cycles += 0x10000
        self._highest = sequence
        self._received += count
        self.packets += count
        self.jitter_units = jitter_units
        self._transit = now * self.clock - timestamp

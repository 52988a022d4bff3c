"""A network that loses datagrams: each by itself, or in bursts."""

import random
from typing import Final

__all__ = ["Loss"]

_CERTAIN: Final = 1.0


class Loss:
    """Says which datagrams of one direction are lost: the two states of Gilbert's model.

    Args:
        share: Part of the datagrams that is lost in the long run, 0 to 1.
        burst: How many in a row are lost on average; 1 for a loss that has no memory.

    """

    __slots__ = ("_is_bad", "burst", "share")

    def __init__(self, share: float = 0.0, burst: float = 1.0) -> None:
        self.share = share
        self.burst = burst
        self._is_bad = False

    def is_next_lost(self, rng: random.Random) -> bool:
        """Say whether the next datagram is lost."""
        if self.burst <= 1.0 or self.share >= _CERTAIN:
            return rng.random() < self.share
        if self._is_bad:
            self._is_bad = rng.random() >= 1 / self.burst
        else:
            self._is_bad = rng.random() < self.share / (self.burst * (1 - self.share))
        return self._is_bad

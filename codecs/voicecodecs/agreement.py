"""By which delay what comes back agrees best with what went out (for :mod:`.echo`).

What it does: compares the bands of two sounds in many calls at once, for every delay there may be,
and tells the best and how well it agrees: 0 for sounds that have nothing to do with each other.

How: the logarithms of the bands' powers are correlated over about half a second, each band about
its own mean, so that no filter in between matters.  Where the sound that comes back drowns in the
line's noise its logarithm does not follow; so that the other's does not either, it is scaled to be
as loud as what comes back, whatever the delay, and given the same noise.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .bands import BANDS

__all__ = ["Agreement"]

Float: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]
Rows: TypeAlias = NDArray[np.intp]

_MEMORY: Final = np.float32(0.96)
_LEAST: Final = np.float32(1e-3)


class Agreement:
    """Compares a batch of calls, each row of the batch remembering its own past.

    Args:
        lanes: Rows of the batch.
        delays: How many are tried, in frames from 0 on.

    """

    def __init__(self, lanes: int, delays: int) -> None:
        shape = (lanes, delays, BANDS)
        self._sent = np.zeros(shape, np.float32)  # sums over the frames compared
        self._squares = np.zeros(shape, np.float32)
        self._products = np.zeros(shape, np.float32)
        self._back = np.zeros((lanes, BANDS), np.float32)
        self._back_squares = np.zeros((lanes, BANDS), np.float32)
        self._weight = np.zeros(lanes, np.float32)
        self._powers = np.zeros((lanes, 2), np.float32)  # of what went out, and of what came

    def reset(self, rows: Rows | int) -> None:
        """Forget the past of some rows."""
        for sums in (self._sent, self._squares, self._products, self._back, self._back_squares):
            sums[rows] = 0
        self._weight[rows] = 0
        self._powers[rows] = 0

    def compare(
        self, sent: Float, back: Float, noise: Float, rows: Rows
    ) -> tuple[Float, Rows, Float]:
        """Compare the next frame.

        Args:
            sent: Powers of what went out, shape ``(rows, delays, bands)``, the newest first.
            back: Powers of what came, shape ``(rows, bands)``.
            noise: Of which so much is the line's own.
            rows: The row each line belongs to.

        Returns:
            How well each line agrees at its best, up to 1; the delay of that; and how loud what
            came was against what went out, as a ratio of powers.

        """
        weight = self._keep(self._weight, rows, np.float32(1))
        totals = np.stack([sent.sum(axis=2).mean(axis=1), back.sum(axis=1)], axis=1)
        powers = self._keep(self._powers, rows, totals)
        scale: Float = (powers[:, 1] / np.maximum(powers[:, 0], 1)).astype(np.float32)
        x = np.log(sent * scale[:, None, None] + noise[:, None])
        y = np.log(back + noise)
        mean_y = self._keep(self._back, rows, y) / weight[:, None]
        spread_y = self._keep(self._back_squares, rows, y * y) / weight[:, None] - mean_y**2
        mean_x = self._keep(self._sent, rows, x) / weight[:, None, None]
        spread_x = self._keep(self._squares, rows, x * x) / weight[:, None, None] - mean_x**2
        product = self._keep(self._products, rows, x * y[:, None]) / weight[:, None, None]
        common = (product - mean_x * mean_y[:, None]).sum(axis=2)
        both = spread_x.sum(axis=2) * spread_y.sum(axis=1)[:, None]
        agreement = common / np.sqrt(np.maximum(both, _LEAST))
        best = agreement.argmax(axis=1)
        return agreement[np.arange(len(rows)), best], best, scale

    @staticmethod
    def _keep(sums: Float, rows: Rows, more: Float | np.float32) -> Float:
        """Add to the sums of some rows, in which older frames count for less."""
        kept: Float = sums[rows] * _MEMORY + more
        sums[rows] = kept
        return kept

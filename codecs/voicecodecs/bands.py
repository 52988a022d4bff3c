"""The sound of many calls by bands, frame by frame (for :mod:`.echo`)."""

import itertools
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["BANDS", "FRAME", "BandMeter"]

Float: TypeAlias = NDArray[np.float32]
Rows: TypeAlias = NDArray[np.intp]

FRAME: Final = 160
"""Samples of a frame: 20 ms at 8 kHz."""

_EDGES: Final = (
    *(200, 300, 400, 500, 620, 750, 900, 1050, 1220),
    *(1400, 1600, 1820, 2080, 2380, 2720, 3100, 3600),
)  # Hz, about one critical band each
BANDS: Final = len(_EDGES) - 1

_WINDOW: Final = np.hanning(2 * FRAME + 1)[:-1].astype(np.float32)


def _sums() -> Float:
    hertz = np.arange(FRAME + 1) * 25
    bins = [(hertz >= low) & (hertz < high) for low, high in itertools.pairwise(_EDGES)]
    return (np.array(bins).T / (FRAME * float(np.sum(_WINDOW**2)))).astype(np.float32)


_SUMS: Final = _sums()


class BandMeter:
    """Measures the bands of a batch of calls, each frame together with the one before it."""

    def __init__(self, lanes: int) -> None:
        self._last = np.zeros((lanes, FRAME), np.float32)

    def reset(self, rows: Rows | int) -> None:
        """Forget the frame before."""
        self._last[rows] = 0

    def measure(self, x: NDArray[Any], rows: Rows) -> Float:
        """Return the mean square of each band, shape ``(rows, 16)``; ``x`` is ``(rows, 160)``."""
        signal = np.concatenate([self._last[rows], x], axis=1)
        self._last[rows] = x
        spectrum = np.fft.rfft(signal * _WINDOW)
        power = spectrum.real**2 + spectrum.imag**2
        powers: Float = power.astype(np.float32) @ _SUMS
        return powers

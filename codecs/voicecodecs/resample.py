"""Sample-rate conversion for streams: 8, 16, 24, 48 kHz and any other pair.

What it does: converts many calls' audio at once, a frame at a time, as if each
call were one endless signal.  Whatever the size of the frames and however many
calls share a batch, each call's output is the same to the last bit.

How: one linear-phase low-pass filter at the least common rate (Kaiser window,
80 dB), applied as polyphase blocks: a block of output is a row of input, old
samples included, times a constant matrix, so a whole batch is a few matrix
products.  Coefficients and samples are put on binary grids on which every
product and every sum fits a double exactly.  So the order in which the matrix
product adds, which differs with its shape and the machine, cannot show.

Figures: image and alias rejection at least 80 dB, pass-band ripple below
0.01 dB; nothing is withheld beyond the filter's own delay.

=========  =============  ==========  ========
Lower of   Pass band      Stop band   Delay
=========  =============  ==========  ========
8 kHz      to 3.4 kHz     4.6 kHz     2.17 ms
16 kHz     to 7 kHz       9 kHz       1.31 ms
24 kHz     to 10.8 kHz    13.2 kHz    1.08 ms
=========  =============  ==========  ========
"""

import functools
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin, kaiser_beta

__all__ = ["Resampler", "StreamResampler", "to_int16"]

Pcm: TypeAlias = NDArray[np.int16]
Rows: TypeAlias = NDArray[np.intp]
Float: TypeAlias = NDArray[np.float32]
Double: TypeAlias = NDArray[np.float64]

# 15 bits and a sign before the point, 8 after; 24 after for the taps, whose
# absolute sum is below 16: 15 + 8 + 24 + 4 = 51 bits, and a double holds 53.
_SAMPLE_GRID: Final = 2.0**8
_TAP_GRID: Final = 2.0**24

_ATTENUATION_DB: Final = 82.0
_BLOCK_S: Final = 0.002

# Numbers in the left side of one product.  So many stay in the cache, and so small
# an array is memory that the allocator keeps from one frame to the next.
_PIECE: Final = 26_000

_NOTHING: Final[NDArray[np.int16]] = np.zeros(0, np.int16)


def to_int16(samples: NDArray[Any]) -> Pcm:
    """Round to the nearest 16-bit sample; what is louder than 16 bits is clipped."""
    rounded = np.rint(samples)
    rounded.clip(-32768, 32767, out=rounded)
    pcm: Pcm = rounded.astype(np.int16)
    return pcm


@dataclass(frozen=True, slots=True)
class _Filter:
    """A designed conversion, shared by everything that converts between the same rates."""

    up: int
    down: int
    history: int  # input samples needed before the first of a block
    block: int  # input samples in a whole block
    matrix: Double  # (history + block, block * up / down)
    delay: float  # seconds


@functools.cache
def _design(rate_in: int, rate_out: int) -> _Filter:
    """Design the filter between two rates, and lay it out as a block matrix."""
    ratio = Fraction(rate_out, rate_in)
    up, down = ratio.numerator, ratio.denominator
    rate = rate_in * up
    lower = min(rate_in, rate_out)
    half_transition = {8000: 600, 16000: 1000, 24000: 1200}.get(lower, lower * 0.05)
    width = 2 * half_transition / rate
    half = int(np.ceil((_ATTENUATION_DB - 7.95) / (2.285 * 2 * np.pi * width) / 2))
    taps = firwin(2 * half + 1, lower / 2, window=("kaiser", kaiser_beta(_ATTENUATION_DB)), fs=rate)
    taps = np.rint(taps * up * _TAP_GRID) / _TAP_GRID

    history = (len(taps) - 1) // up + 1
    block = -(-int(rate_in * _BLOCK_S) // down) * down
    sample = np.arange(history + block)[:, None] - history
    output = np.arange(block * up // down)[None, :]
    tap = output * down - sample * up
    inside = (tap >= 0) & (tap < len(taps))
    matrix = np.where(inside, taps[tap.clip(0, len(taps) - 1)], 0.0)
    return _Filter(up, down, history, block, matrix, half / rate)


class Resampler:
    """Converts a batch of calls, each row of the batch remembering its own past.

    Args:
        rate_in: Samples a second going in.
        rate_out: Samples a second coming out.
        lanes: Rows of the batch.

    """

    def __init__(self, rate_in: int, rate_out: int, lanes: int = 1) -> None:
        self._filter = _design(rate_in, rate_out)
        # 16-bit until the first frame that is not: the smaller, the sooner copied.
        self._past: NDArray[Any] = np.zeros((lanes, self._filter.history), np.int16)

    @property
    def lanes(self) -> int:
        """How many rows the batch has."""
        return len(self._past)

    @property
    def delay(self) -> float:
        """How much later a sound comes out than it went in, in seconds."""
        return self._filter.delay

    @property
    def granule(self) -> int:
        """The least number of input samples that makes a whole number of output samples."""
        return self._filter.down

    def resize(self, lanes: int) -> None:
        """Change the number of rows; rows that stay keep their past."""
        kept = min(lanes, self.lanes)
        past = np.zeros((lanes, self._filter.history), self._past.dtype)
        past[:kept] = self._past[:kept]
        self._past = past

    def reset(self, row: int) -> None:
        """Forget one row's past, for a new call."""
        self._past[row] = 0

    def process(self, x: NDArray[Any]) -> Float:
        """Convert the next frame of every row.

        Args:
            x: int16 or float samples on the 16-bit scale, shape ``(lanes, n)``
                with ``n`` a multiple of :attr:`granule`.

        Returns:
            Shape ``(lanes, n * rate_out / rate_in)``, on the same scale.

        """
        return self._process(slice(None), x, np.float32)

    def process_pcm(self, x: Pcm, rows: Rows | None = None) -> Pcm:
        """Convert the next frame of every row, or of ``rows``, to rounded and clipped int16."""
        pcm: Pcm = self._process(slice(None) if rows is None else rows, x, np.int16)
        return pcm

    def _process(self, rows: Rows | slice, x: NDArray[Any], kind: type[np.generic]) -> NDArray[Any]:
        """Set the new samples behind the old ones, keep the last, and convert to ``kind``."""
        history, size = self._filter.history, x.shape[1]
        if size % self._filter.down:
            raise ValueError(f"{size} samples: not a multiple of {self._filter.down}")
        if x.dtype != np.int16:
            x = np.rint(x * _SAMPLE_GRID) / _SAMPLE_GRID
            self._past = self._past.astype(np.float64, copy=False)
        signal = np.empty((len(x), history + size), self._past.dtype)
        signal[:, :history] = self._past[rows]
        signal[:, history:] = x
        self._past[rows] = signal[:, size:]
        return _convert(signal, self._filter, kind)


def _convert(signal: NDArray[Any], design: _Filter, kind: type[np.generic]) -> NDArray[Any]:
    """Multiply out all blocks of ``signal``, shape ``(lanes, history + n)``."""
    history, block, matrix = design.history, design.block, design.matrix
    width, made = matrix.shape
    blocks, rest = divmod(signal.shape[1] - history, block)
    left = rest * design.up // design.down
    result = np.empty((len(signal), blocks * made + left), kind)
    row, item = signal.strides
    most = max(1, _PIECE // width)
    some = max(1, min(blocks, most))
    lanes = most // some
    for i in range(0, len(signal), lanes):
        for j in range(0, blocks, some):
            shape = min(lanes, len(signal) - i), min(some, blocks - j), width
            start = i * row + j * block * item
            windows: NDArray[Any] = np.ndarray(
                shape, signal.dtype, signal, start, (row, block * item, item)
            )
            product = windows.astype(np.float64).reshape(-1, width) @ matrix
            end = (j + shape[1]) * made
            _store(product, result[i : i + lanes, j * made : end])
    if rest:  # the head of a block needs only the head of the matrix
        tail = signal[:, blocks * block :].astype(np.float64)
        _store(tail @ matrix[: history + rest, :left], result[:, blocks * made :])
    return result


def _store(product: Double, place: NDArray[Any]) -> None:
    """Put exact samples, which are lost, where they belong, rounded if that is of integers."""
    if place.dtype == np.int16:
        np.rint(product, out=product)
        np.maximum(product, -32768, out=product)
        np.minimum(product, 32767, out=product)
    place[:] = product.reshape(place.shape)


class StreamResampler:
    """Converts one stream that arrives in pieces of any length, such as a service's audio."""

    def __init__(self, rate_in: int, rate_out: int) -> None:
        self._resampler = Resampler(rate_in, rate_out)
        self._rest: Pcm = _NOTHING

    @property
    def delay(self) -> float:
        """How much later a sound comes out than it went in, in seconds."""
        return self._resampler.delay

    def process(self, x: Pcm) -> Pcm:
        """Convert the next piece, shape ``(n,)``; samples too few for a whole one wait."""
        joined = np.concatenate([self._rest, x]) if len(self._rest) else x
        over = len(joined) % self._resampler.granule
        whole = len(joined) - over
        self._rest = joined[whole:].copy() if over else _NOTHING
        pcm: Pcm = self._resampler.process_pcm(joined[None, :whole])[0]
        return pcm

    def reset(self) -> None:
        """Forget the past, for a new stream."""
        self._resampler.reset(0)
        self._rest = _NOTHING

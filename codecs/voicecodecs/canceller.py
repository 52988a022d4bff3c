"""Takes the echo out of what comes back, in many calls at once.

What it does: is shown what goes to each caller and what comes from them, and returns what came
without the echo of what went, a frame for a frame and without delay.

How: a partitioned-block frequency-domain adaptive filter of 160 ms, from one frame before the
delay at which the echo was found.  Each bin of each partition has a Kalman filter of its own
(Enzner and Vary, 2006; in partitions: Kuech, Mabande and Enzner, 2014): how far it follows depends
on how sure it is of its coefficient, and on how much of the sound is not its echo.  So it learns
fast at first and holds still while both talk, without any detector of that.  The wrap-around of
the transform is taken out of two partitions a frame, in turn.
"""

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .bands import FRAME
from .echo import RING

__all__ = ["EchoCanceller"]

Float: TypeAlias = NDArray[np.float32]
Rows: TypeAlias = NDArray[np.intp]

_PARTITIONS: Final = 8
_BINS: Final = FRAME + 1
_TURNS: Final = 2  # partitions freed of the wrap-around a frame

_DRIFT: Final = np.float32(0.9995**2)  # how much of an echo path is left after a frame
_FIRST_DOUBT: Final = np.float32(0.05)  # of a coefficient
_NEAR_MEMORY: Final = np.float32(0.9)
_FIRST_NEAR: Final = 1e3
_LEAST: Final = np.float32(1e3)  # power of a bin


class EchoCanceller:
    """Cancels in a batch of calls, each row of the batch remembering its own past.

    Args:
        lanes: Rows of the batch.

    """

    def __init__(self, lanes: int) -> None:
        shape = (lanes, _PARTITIONS, _BINS)
        self._sent = np.zeros((lanes, RING, _BINS), np.complex64)  # spectra
        self._last_sent = np.zeros((lanes, FRAME), np.float32)
        self._count = np.zeros(lanes, np.int64)
        self._filter = np.zeros(shape, np.complex64)
        self._doubt = np.zeros(shape, np.float32)  # how far each coefficient may be off, squared
        self._near = np.zeros((lanes, _BINS), np.float32)  # power of what is no echo
        self._start = np.zeros(lanes, np.intp)  # delay of the first partition
        self._turn = 0

    def reset(self, row: int) -> None:
        """Forget one row's past, for a new call."""
        self._sent[row] = self._last_sent[row] = 0
        self._start[row] = -RING

    def wake(self, rows: Rows) -> None:
        """Begin anew after a time in which nothing was sent."""
        self._last_sent[rows] = 0

    def send(self, x: NDArray[Any], rows: Rows) -> None:
        """Take in the next frame that goes out, samples at 8 kHz, shape ``(rows, 160)``."""
        signal = np.concatenate([self._last_sent[rows], x], axis=1)
        self._last_sent[rows] = x
        self._sent[rows, self._count[rows] % RING] = np.fft.rfft(signal)
        self._count[rows] += 1

    def cancel(self, x: NDArray[Any], rows: Rows, late: Rows, delay: Rows) -> Float:
        """Return the next frame that comes, without its echo.

        Args:
            x: As for :meth:`send`.
            rows: The row each line of ``x`` belongs to.
            late: Frames that were sent since the one that went out as this came in.
            delay: Frames by which the echo is late.

        """
        self._aim(rows, delay)
        newest = self._count[rows] - 1 - late - self._start[rows]
        sent = self._sent[rows[:, None], (newest[:, None] - np.arange(_PARTITIONS)) % RING]
        echo = np.fft.irfft(np.einsum("npb,npb->nb", self._filter[rows], sent))[:, FRAME:]
        rest = (x - echo).astype(np.float32)
        self._adapt(sent, rest, rows)
        return rest

    def _aim(self, rows: Rows, delay: Rows) -> None:
        """Begin anew where the echo lies elsewhere."""
        start = np.maximum(delay - 1, 0)
        moved = np.abs(start - self._start[rows]) > 1
        if moved.any():
            self._start[rows[moved]] = start[moved]
            self._filter[rows[moved]] = 0
            self._doubt[rows[moved]] = _FIRST_DOUBT
            self._near[rows[moved]] = _FIRST_NEAR

    def _adapt(self, sent: NDArray[np.complex64], rest: Float, rows: Rows) -> None:
        """Follow what is left of the echo, as far as it may be echo."""
        spectrum = np.fft.rfft(np.concatenate([np.zeros_like(rest), rest], axis=1))
        spectrum = spectrum.astype(np.complex64)
        near = self._near[rows]
        near += (1 - _NEAR_MEMORY) * (spectrum.real**2 + spectrum.imag**2 - near)
        self._near[rows] = near
        doubt, coefficients = self._doubt[rows], self._filter[rows]
        unsure = doubt * (sent.real**2 + sent.imag**2)
        share = 1 / (unsure.sum(axis=1) + 2 * near + _LEAST)[:, None]
        coefficients += doubt * sent.conj() * (share * spectrum[:, None])
        doubt *= 1 - unsure * share / 2
        doubt *= _DRIFT
        doubt += (1 - _DRIFT) * (coefficients.real**2 + coefficients.imag**2)
        for _ in range(_TURNS):
            self._turn = (self._turn + 1) % _PARTITIONS
            response = np.fft.irfft(coefficients[:, self._turn])
            response[:, FRAME:] = 0
            coefficients[:, self._turn] = np.fft.rfft(response)
        self._doubt[rows], self._filter[rows] = doubt, coefficients

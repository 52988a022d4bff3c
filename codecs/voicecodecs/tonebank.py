"""The keypad's eight frequencies, measured in many calls at once (for :mod:`.dtmf`).

What it does: correlates the last 20 ms of every call, each 5 ms, with the
eight frequencies of ITU-T Q.23, and fits the strongest row and column of a
window as two sines.

How: a correlation over 160 samples mixes the two tones of a key a little and
loses up to 4 dB of one that is 1.5 % off.  Both errors are known once the
frequencies are, and these come from how far the phases turned since the window
before.  So the two sines are found by solving the correlations for them, first
with the frequencies the raw phases give, then with those the solution gives.
Phases are counted from the middle of the window, where the equations are real.
"""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .tones import COLUMNS, ROWS

__all__ = [
    "FRAME",
    "HOP",
    "HOPS",
    "WINDOW",
    "Pairs",
    "Windows",
    "correlate",
    "correlate_last",
    "fit",
]

Float: TypeAlias = NDArray[np.float32]
Double: TypeAlias = NDArray[np.float64]
Complex: TypeAlias = NDArray[np.complex128]
Index: TypeAlias = NDArray[np.intp]

RATE: Final = 8000
FRAME: Final = 160
"""Samples a call gives at a time: 20 ms."""

WINDOW: Final = 160
HOP: Final = 40
HOPS: Final = FRAME // HOP

_TONES: Final = np.array([*ROWS, *COLUMNS], float)
_RADIANS: Final = _TONES * (2 * np.pi / RATE)
_TURNS: Final = np.exp(-1j * _RADIANS * HOP)
_FARTHEST: Final = 0.035  # no key is further off its frequency
_PASSES: Final = 2


def _bank() -> Float:
    """Return the correlator, shape (160, 16): real and imaginary part of each tone."""
    time = np.arange(WINDOW) - (WINDOW - 1) / 2
    waves = np.exp(-1j * np.outer(time, _RADIANS)).astype(np.complex64)
    return np.ascontiguousarray(waves.view(np.float32))


_BANK: Final = _bank()


@dataclass(slots=True)
class Windows:
    """What the four windows that end in a frame hold, for every lane.

    ``correlations`` has the window before them, too: shape ``(5, lanes, 8)``.
    ``powers`` is the power of each tone, ``(4, lanes, 8)``, and ``energies``
    that of everything, ``(4, lanes)``, both as a mean square.
    """

    correlations: NDArray[np.complex64]
    powers: Float
    energies: Float


@dataclass(slots=True)
class Pairs:
    """The strongest row and column of some windows; the last axis is row, column.

    ``detunes`` is how far each is off its frequency, as a fraction of it;
    ``turns`` the turn of its phase since the window before, beyond what the
    nominal frequency makes; ``runners_up`` the next strongest row and column,
    in powers of the strongest; ``shares`` the pair's part in all the power.
    """

    keys: Index
    powers: Double
    detunes: Double
    turns: Complex
    runners_up: Double
    shares: Double


def correlate(signal: Float) -> Windows:
    """Measure a frame.

    Args:
        signal: Shape ``(lanes, 320)``: the frame, 160 samples before it in front.

    """
    spectrum = np.empty((HOPS + 1, len(signal), 16), np.float32)
    for hop in range(HOPS + 1):
        np.matmul(signal[:, hop * HOP : hop * HOP + WINDOW], _BANK, out=spectrum[hop])
    blocks = signal.reshape(len(signal), signal.shape[1] // HOP, HOP)
    sums = np.einsum("lbs,lbs->bl", blocks, blocks)
    energies = sums[1 : HOPS + 1].copy()
    for later in range(1, WINDOW // HOP):
        energies += sums[later + 1 : later + 1 + HOPS]
    squares = spectrum[1:] ** 2
    powers = (squares[..., ::2] + squares[..., 1::2]) * np.float32(2 / WINDOW**2)
    return Windows(spectrum.view(np.complex64), powers, energies / np.float32(WINDOW))


def correlate_last(frames: Float) -> tuple[Float, Float]:
    """Measure only the window that is the frame itself.

    Args:
        frames: Shape ``(lanes, 160)``.

    Returns:
        The power of each tone, shape ``(8, lanes)``, and that of everything, ``(lanes,)``.

    """
    spectrum = _BANK.T @ frames.T
    np.square(spectrum, out=spectrum)
    powers = (spectrum[::2] + spectrum[1::2]) * np.float32(2 / WINDOW**2)
    energies = np.einsum("ls,ls->l", frames, frames) / np.float32(WINDOW)
    return powers, energies


def fit(windows: Windows, hops: Index, lanes: Index) -> Pairs:
    """Fit a row and a column to each of some windows, given by hop and lane."""
    powers = windows.powers[hops, lanes]
    ranked = np.sort(powers.reshape(-1, 2, 4), axis=-1)
    tones = powers.reshape(-1, 2, 4).argmax(axis=-1) + np.array([0, 4])
    both = np.stack([hops, hops + 1])[..., None]  # the window before, the window
    z = windows.correlations[both, lanes[:, None], tones].astype(np.complex128)

    turns = z[1] * z[0].conj() * _TURNS[tones]
    for _ in range(_PASSES):
        sines = _solve(z, tones, _detune(turns, tones).clip(-_FARTHEST, _FARTHEST))
        turns = sines[1] * sines[0].conj() * _TURNS[tones]
    squares: Double = (sines[1].real ** 2 + sines[1].imag ** 2) / 2
    return Pairs(
        keys=tones[:, 0] * 4 + tones[:, 1] - 4,
        powers=squares,
        detunes=_detune(turns, tones),
        turns=turns,
        runners_up=(ranked[..., 2] / ranked[..., 3]).astype(np.float64),
        shares=squares.sum(axis=-1) / windows.energies[hops, lanes],
    )


def _detune(turns: Complex, tones: Index) -> Double:
    detunes: Double = np.angle(turns) / (HOP * _RADIANS[tones])
    return detunes


def _solve(z: Complex, tones: Index, detunes: Double) -> Complex:
    """Return the amplitudes of two sines, shape of ``z``, that make its correlations."""
    nominal = _RADIANS[tones]
    actual = nominal * (1 + detunes)
    apart = _kernel(actual[:, None, :] - nominal[:, :, None])
    mirror = _kernel(actual[:, None, :] + nominal[:, :, None])
    real = _cramer(apart + mirror, z.real)
    imaginary = _cramer(apart - mirror, z.imag)
    return 2 * (real + 1j * imaginary)


def _kernel(radians: Double) -> Double:
    """Return the sum over a window, from its middle, of a wave of ``radians`` a sample."""
    half = radians / 2 + 1e-12  # the limit at zero is right, the quotient there is not
    kernel: Double = np.sin(half * WINDOW) / np.sin(half)
    return kernel


def _cramer(matrix: Double, right: Any) -> Double:
    """Solve equations in two unknowns: ``matrix`` (m, 2, 2), ``right`` (…, m, 2)."""
    (a, b), (c, d) = matrix[:, 0].T, matrix[:, 1].T
    determinant = a * d - b * c
    first = (right[..., 0] * d - right[..., 1] * b) / determinant
    second = (right[..., 1] * a - right[..., 0] * c) / determinant
    return np.stack([first, second], axis=-1)

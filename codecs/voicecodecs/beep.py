"""Hears the beep of an answering machine, in many calls at once.

What it does: takes 20 ms of every call and tells where a single steady tone has ended in
silence, as that after which a machine records.

How: of a sine, each sample and the two around it make one ratio, twice the cosine of its
frequency.  The best ratio of a frame gives the frequency, and the correlation with that sine the
share of everything else, for which two tones at once leave far too much, and speech nearly
always.  Frames in which one frequency is alone and stays where it is, with its level, make a run;
a run is a beep when it was long enough and silence follows.

=========================  ================================================
heard                      500 to 2500 Hz, 120 ms to 2 s, -45 dBov and up
everything else            up to 4 % of the power
frequency and level        within 2 % and 3 dB of where the run stands
not heard                  call progress tones (ITU-T E.180: below 500 Hz),
                           tones that follow another (the information tone,
                           of three), keys (ITU-T Q.23: of two tones)
a fax that calls (T.30)    1100 Hz for 500 ms: heard, and told like a beep;
                           those who were called do not send it
a fax that answers         2100 Hz for 2.6 s or more: too long
=========================  ================================================
"""

import math
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Beep", "BeepDetector"]

Mask: TypeAlias = NDArray[np.bool_]
Rows: TypeAlias = NDArray[np.intp]
Float: TypeAlias = NDArray[np.float32]

_RATE: Final = 8000
_FRAME_MS: Final = 20
_LOWEST, _HIGHEST = 500.0, 2500.0
_LEAST: Final = 32768.0**2 * 10**-4.5
_OTHERS: Final = 0.04
_DETUNE: Final = 0.02
_BALANCE: Final = 2.0
_TIME: Final = np.arange(160)
_SHORTEST_MS, _LONGEST_MS = 115, 2010  # the edges cost or add some
_SILENCE: Final = 0.03  # of the tone's power: 15 dB below it
_END: Final = 3  # frames: one that may hold the last of the tone, and silent ones
_ALONE: Final = 15  # frames without a tone before a beep


@dataclass(slots=True)
class Beep:
    """A beep that has ended."""

    row: int
    hertz: int
    duration_ms: int


class _Run:
    """What one call's tone is at, frame by frame."""

    __slots__ = ("ending", "energy", "frames", "hertz", "is_alone", "power", "since")

    def __init__(self) -> None:
        self.hertz = 0.0  # 0 while there is none
        self.power = 0.0  # of a frame full of it
        self.energy = 0.0  # of all its frames
        self.frames = 0
        self.ending = 0  # frames since its last
        self.is_alone = True  # none was shortly before it
        self.since = _ALONE  # frames since there was one

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way, and nothing to be remembered."""
        return not self.hertz and self.since >= _ALONE

    def step(
        self, hertz: float, power: float, is_tone: bool, before: float
    ) -> tuple[int, int] | None:
        """Take in a frame; return hertz and milliseconds of a beep that is over with it.

        ``before`` is the power of the frame before, in which a tone may have begun.
        """
        if self.hertz and self._goes_on(hertz, power, is_tone):
            return None
        if self.hertz and power < self.power * _BALANCE and not (self.ending and is_tone):
            return self._end(power)
        self.is_alone = self.since >= _ALONE and not self.hertz
        self.since = 0 if is_tone or self.hertz else self.since + 1
        self.hertz = hertz if is_tone else 0.0
        self.power, self.energy = power, power + min(before, power)
        self.frames, self.ending = 1, 0
        return None

    def _goes_on(self, hertz: float, power: float, is_tone: bool) -> bool:
        # The first frame may hold less of the tone than those that follow.
        fits = power < self.power * _BALANCE or self.frames == 1
        fits &= power > self.power / _BALANCE and not self.ending
        if not (is_tone and fits and abs(hertz - self.hertz) < _DETUNE * self.hertz):
            return False
        if self.frames == 1:
            self.hertz = hertz
        self.power = max(self.power, power)
        self.energy += power
        self.frames += 1
        return True

    def _end(self, power: float) -> tuple[int, int] | None:
        """Take in a frame after the tone, or with the last of it."""
        self.ending += 1
        self.since = 0
        if self.ending == 1:
            self.energy += power
        elif power > self.power * _SILENCE:
            self.hertz = 0.0
        if not self.hertz or self.ending < _END:
            return None
        hertz, self.hertz = round(self.hertz), 0.0
        duration = round(self.energy / self.power * _FRAME_MS)
        is_beep = self.is_alone and _SHORTEST_MS <= duration <= _LONGEST_MS
        return (hertz, duration) if is_beep else None


class BeepDetector:
    """Finds the beeps in a batch of calls, each row remembering its own past.

    Args:
        lanes: Rows of the batch.

    """

    def __init__(self, lanes: int = 1) -> None:
        self._runs: dict[int, _Run] = {}  # of rows that have something to remember
        self._before = np.zeros(lanes, np.float32)  # power of the last frame

    def reset(self, row: int) -> None:
        """Forget one row's past, for a new call."""
        self._runs.pop(row, None)
        self._before[row] = 0

    def process(self, x: NDArray[Any], rows: Rows, heard: Mask) -> list[Beep]:
        """Hear the next frame.

        Args:
            x: int16 samples at 8 kHz, shape ``(rows, 160)``.
            rows: The row each line of ``x`` belongs to.
            heard: Lines that are a sound of theirs, and not a frame made up or a key.

        """
        hertz, power, is_tone = _tones(x.astype(np.float32))
        is_tone &= heard
        before = self._before[rows]
        self._before[rows] = power
        beeps = []
        for i, row in enumerate(rows.tolist()):
            if not is_tone[i] and row not in self._runs:
                continue
            run = self._runs.setdefault(row, _Run())
            found = run.step(float(hertz[i]), float(power[i]), bool(is_tone[i]), float(before[i]))
            if found is not None:
                beeps.append(Beep(row, *found))
            if run.is_idle:
                del self._runs[row]
        return beeps


def _tones(x: Float) -> tuple[Float, Float, Mask]:
    """Return of each frame the frequency of its tone, its power, and whether it is a tone."""
    samples = x.shape[1]
    energy = np.einsum("ls,ls->l", x, x)
    power: Float = energy / np.float32(samples)
    hertz = np.zeros(len(x), np.float32)
    is_tone: Mask = power > _LEAST
    for i in np.flatnonzero(is_tone).tolist():
        hertz[i], share = _fit(x[i], float(energy[i]))
        is_tone[i] = share > 1 - _OTHERS and _LOWEST < hertz[i] < _HIGHEST
    return hertz, power, is_tone


def _fit(x: Float, energy: float) -> tuple[float, float]:
    """Return the frequency of a frame as a sine, and the sine's share of its power."""
    middle, around = x[1:-1], x[2:] + x[:-2]
    inner = float(middle @ middle)
    if inner * 2 < energy:  # it has only begun
        return 0.0, 0.0
    ratio = float(middle @ around) / inner
    rest = around - np.float32(ratio) * middle
    # Noise comes through with its sum of squares - 1, 1 and the ratio's - and lessens the ratio.
    others = float(rest @ rest) / (2 + ratio**2) / inner
    if others > _OTHERS:
        return 0.0, 0.0
    radians = math.acos(max(-1.0, min(1.0, ratio / 2 / (1 - others))))
    part = abs(np.dot(x, np.exp(1j * radians * _TIME))) ** 2 * 2 / len(x)
    return radians * _RATE / (2 * math.pi), float(part) / energy

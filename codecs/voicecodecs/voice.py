"""Hears when somebody speaks, in many calls at once: by loudness, or by a judge of its own.

What it does: takes 20 ms of every call and tells where a voice starts and where it has stopped.

How: a judge says of each frame whether it may be speech.  Frames that may be count up to the
length from which a sound is a voice, others count back down, so that a click or a single loud
frame is none.  A voice has stopped after 240 ms without.  What is no sound of the caller's - a
frame made up for a lost one, a key's tone, an echo - is given as not heard, and is never speech.

:class:`EnergyJudge` goes by loudness: a frame may be speech when it stands 10 dB out of the
line's noise, which is the quietest frame of the last two seconds, and is above -55 dBov.  A
sound that hardly changes its level for 100 ms is a tone or a noise, and not speech: that is what
a tone or a fan is known by that sets in.  Music and other people are speech to it, though;
:mod:`.silero` knows them better.
"""

from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .level import level_dbov

__all__ = ["EnergyJudge", "Judge", "VoiceDetector", "VoiceEdge"]

Mask: TypeAlias = NDArray[np.bool_]
Rows: TypeAlias = NDArray[np.intp]

FRAME_MS: Final = 20

_HANGOVER: Final = 12
"""Frames without speech after which a voice has stopped."""

_PAST: Final = 100  # frames; a speaker pauses for one of them at least this often
_LEARN: Final = 10  # frames in which nothing is known of the noise yet
_FLOOR_LIMITS: Final = (-75.0, -30.0)  # dBov
_OUT_OF_NOISE: Final = 10.0  # dB
_HYSTERESIS: Final = 3.0  # dB by which a voice may fade once it speaks
_QUIETEST: Final = -55.0  # dBov
_STEADY_FRAMES: Final = 5
_STEADY_RANGE: Final = 2.0  # dB; 20 ms of white noise vary by half a dB


class Judge(Protocol):
    """Says of frames whether they may be speech, each row remembering its own past."""

    def reset(self, row: int) -> None:
        """Forget one row's past."""
        ...

    def judge(self, x: NDArray[Any], rows: Rows, heard: Mask, speaking: Mask) -> Mask:
        """Judge the next frame of some rows.

        Args:
            x: int16 samples at 8 kHz, shape ``(rows, 160)``.
            rows: The row each line of ``x`` belongs to.
            heard: Lines that are the caller's own sound.  Of others nothing is learnt.
            speaking: Lines in which a voice is heard already.

        """
        ...


@dataclass(slots=True)
class VoiceEdge:
    """A voice started (``duration_ms`` 0), or stopped after so long."""

    row: int
    is_on: bool
    duration_ms: int


class VoiceDetector:
    """Finds the voices in a batch of calls by what a judge says.

    Args:
        lanes: Rows of the batch.
        judge: Says which frames may be speech; for as many rows.

    """

    def __init__(self, lanes: int, judge: Judge) -> None:
        self._judge = judge
        self._needed = np.ones(lanes, np.int32)  # frames that make a voice
        self._run = np.zeros(lanes, np.int32)
        self._quiet = np.zeros(lanes, np.int32)  # frames since the last with speech
        self._spoken = np.zeros(lanes, np.int32)  # frames since the voice started
        self._speaking: Mask = np.zeros(lanes, np.bool_)

    def reset(self, row: int, voice_ms: int) -> None:
        """Begin with a new call, in which a sound of ``voice_ms`` is a voice."""
        self._judge.reset(row)
        self._needed[row] = max(1, -(-voice_ms // FRAME_MS))
        self._run[row] = self._quiet[row] = self._spoken[row] = 0
        self._speaking[row] = False

    def process(self, x: NDArray[Any], rows: Rows, heard: Mask) -> list[VoiceEdge]:
        """Hear the next frame; arguments as for :meth:`Judge.judge`."""
        was_speaking = self._speaking[rows]
        speech = self._judge.judge(x, rows, heard, was_speaking) & heard
        run = np.where(speech, self._run[rows] + 1, np.maximum(self._run[rows] - 1, 0))
        quiet = np.where(speech, 0, self._quiet[rows] + 1)
        starts = ~was_speaking & (run >= self._needed[rows])
        stops = was_speaking & (quiet >= _HANGOVER)
        run[starts | was_speaking] = 0
        spoken = np.where(starts, self._needed[rows], self._spoken[rows] + 1)
        self._run[rows], self._quiet[rows], self._spoken[rows] = run, quiet, spoken
        changed = starts | stops
        if not changed.any():
            return []
        self._speaking[rows] = was_speaking ^ changed
        lengths = (spoken - quiet) * FRAME_MS
        return [
            VoiceEdge(int(rows[i]), bool(starts[i]), 0 if starts[i] else int(lengths[i]))
            for i in np.flatnonzero(changed).tolist()
        ]


class EnergyJudge:
    """Takes for speech what stands out of the noise and changes; ``lanes`` rows."""

    def __init__(self, lanes: int) -> None:
        self._levels = np.zeros((lanes, _PAST), np.float32)  # dBov; 0 where nothing is known
        self._count = np.zeros(lanes, np.int64)

    def reset(self, row: int) -> None:
        """Forget one row's past."""
        self._levels[row] = 0.0
        self._count[row] = 0

    def judge(self, x: NDArray[Any], rows: Rows, heard: Mask, speaking: Mask) -> Mask:
        """Judge the next frame of some rows, as :meth:`Judge.judge`."""
        level = level_dbov(x).astype(np.float32)
        count = self._count[rows]
        learnt = rows[heard]
        self._levels[learnt, count[heard] % _PAST] = level[heard]
        self._count[learnt] += 1
        levels = self._levels[rows]
        floor = levels.min(axis=1).clip(*_FLOOR_LIMITS)
        gate = floor + np.where(speaking, _OUT_OF_NOISE - _HYSTERESIS, _OUT_OF_NOISE)
        speech: Mask = level > np.maximum(gate, _QUIETEST)
        speech &= count >= _LEARN
        if (candidates := np.flatnonzero(speech & ~speaking)).size:
            last = (count[candidates, None] - np.arange(_STEADY_FRAMES)) % _PAST
            speech[candidates] = np.ptp(levels[candidates[:, None], last], axis=1) > _STEADY_RANGE
        return speech

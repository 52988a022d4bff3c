"""The echo guard: keeps from the service what a telephone gives back of our own sound.

It is told of every frame that goes out, and asked about every frame that came.  A frame that is
nothing but echo is replaced by noise as loud as the line's own: after silence, that noise itself
would be a sound that begins.  A voice over the echo is heard from where it began: what is heard
of the lane is then two frames late, until the caller pauses.  Where the lane has a canceller, the
voice is heard without the echo under it.

What is sent and what comes have clocks of their own.  Frames are counted on both sides, and those
of one number are of one moment; one that comes late was held up by the network.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.canceller import EchoCanceller
from voicecodecs.echo import DELAYS, RING, EchoGate
from voicecodecs.resample import to_int16

from .arrays import FRAME, Rows

__all__ = ["EchoGuard", "Guarded", "noise"]

Pcm: TypeAlias = NDArray[np.int16]
Float: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]

LOOK_BACK: Final = EchoGate.LOOK_BACK

_LINGER: Final = 30
"""Silent frames after which nothing that was sent can come back any more."""
_LATEST: Final = RING - DELAYS
"""Frames by which one may come late before the two clocks are set anew."""
_KEPT: Final = LOOK_BACK + 1
_FIRST_LOOK: Final = 150
"""Frames with sound in which an echo is looked for: three seconds of an agent."""
_WATCH: Final = 300
"""Frames from the beginning of one look at a line without echo to that of the next."""
_LOOK: Final = 60
"""Frames that a later look takes: a little more than an echo needs to be known by."""
_SILENT: Final = 25
"""Frames without sound that end a look: while somebody talks an echo may hide."""
_MOST_NOISE: Final = np.float32(32768.0**2 * 10**-4.5)
_QUIET: Final = 4.0  # 6 dB above the noise
_NOISE: Final[Float] = np.random.default_rng(1).standard_normal(50 * FRAME).astype(np.float32)
"""A second of it, for every call the same."""


@dataclass(slots=True)
class Guarded:
    """What becomes of a frame of each line.

    Attributes:
        frames: What is heard of it, shape ``(rows, 160)``.
        is_echo: It is nothing but echo.
        late: Frames by which what is heard is late.
        noise: The noise that takes an echo's place: its power, and where it begins.

    """

    frames: Pcm
    is_echo: Mask
    late: Rows
    noise: Float
    beat: int


class EchoGuard:
    """Guards the lanes that want it while something is played to them; ``lanes`` rows."""

    def __init__(self, lanes: int) -> None:
        self._gate = EchoGate(lanes)
        self._canceller = EchoCanceller(lanes)
        self._cancels: Mask = np.zeros(lanes, np.bool_)
        self._quiet = np.zeros(lanes, np.int64)  # frames sent since the last with sound
        self._sent = np.zeros(lanes, np.int64)  # frames with sound
        self._behind = np.zeros(lanes, np.intp)  # frames sent and not come
        self._late = np.zeros(lanes, np.intp)
        self._was_echo: Mask = np.zeros(lanes, np.bool_)
        self._noise = np.zeros(lanes, np.float32)
        self._kept = np.zeros((lanes, _KEPT, FRAME), np.float32)  # the newest last
        self._beat = 0

    def reset(self, row: int, *, cancels: bool) -> None:
        """Begin with a new lane."""
        self._gate.reset(row)
        self._cancels[row] = cancels
        if cancels:
            self._canceller.reset(row)
        self._quiet[row] = _LINGER + 1
        self._sent[row] = 0
        self._late[row] = self._behind[row] = 0
        self._was_echo[row] = False

    def follow(self, rows: Rows, is_quiet: Mask) -> Rows:
        """Count the frames that go out, some of which are silence; return the lines to be shown.

        The frames of these lines are then given to :meth:`say`.
        """
        before, was_dozing = self._quiet[rows], self._dozes(rows)
        self._quiet[rows] = quiet = np.where(is_quiet, before + 1, 0)
        self._sent[rows] += ~is_quiet
        dozes = self._dozes(rows)
        if (wakes := ((before > _LINGER) & ~is_quiet) | (was_dozing & ~dozes)).any():
            self._wake(rows[wakes])
        return np.flatnonzero((quiet <= _LINGER) & ~dozes)

    def say(self, frames: Pcm, rows: Rows) -> None:
        """Take in frames that go out, shape ``(rows, 160)``."""
        sent = frames.astype(np.float32)
        self._behind[rows] += 1
        self._gate.send(sent, rows)
        if (cancels := self._cancels[rows]).any():
            self._canceller.send(sent[cancels], rows[cancels])

    def attend(self, frames: Pcm, rows: Rows) -> Mask:
        """Count the frames that came, and say which must be shown to :meth:`hear`.

        Nothing need be done where nothing can come back, and on a line without echo while
        nothing comes.
        """
        late = self._late[rows] > 0
        attended: Mask = ((self._quiet[rows] <= _LINGER) & ~self._dozes(rows)) | late
        if (lines := np.flatnonzero(attended)).size:
            chosen = rows[lines]
            behind = np.maximum(self._behind[chosen] - 1, 0)
            self._behind[chosen] = np.where(behind > _LATEST, 0, behind)
            sound = frames[lines].astype(np.float32)
            power = np.einsum("ls,ls->l", sound, sound) / FRAME
            attended[lines] = late[lines] | ~self._gate.is_idle(power, chosen)
        return attended

    def hear(self, frames: Pcm, rows: Rows, heard: Mask) -> Guarded:
        """Guard frames that came, of rows that must be attended to; shape ``(rows, 160)``.

        Args:
            frames: The sound.
            rows: The row of each line.
            heard: Lines that are the caller's own sound.  Others, as those made up for lost
                ones, are treated as the one before.

        """
        came = frames.astype(np.float32)
        was_echo = self._was_echo[rows]
        if (lines := np.flatnonzero(heard)).size:
            self._judge(came, lines, rows[lines])
        is_echo, level = self._was_echo[rows], self._noise[rows]
        kept = np.concatenate([self._kept[rows, 1:], came[:, None]], axis=1)
        self._kept[rows] = kept
        late = np.where(is_echo, 0, np.where(was_echo, LOOK_BACK, self._late[rows]))
        every = np.arange(len(rows))
        heard_now = kept[every, LOOK_BACK - late]
        power = np.einsum("ls,ls->l", heard_now, heard_now) / FRAME
        late -= (late > 0) & (power < _QUIET * level)  # so the lane comes back to its own time
        self._late[rows] = late
        self._beat += 1
        masked = np.where(is_echo[:, None], self._noise_of(level), kept[every, LOOK_BACK - late])
        return Guarded(to_int16(masked), is_echo, late, level, self._beat)

    def _dozes(self, rows: Rows) -> Mask:
        """Say which lines are not looked at now: they had no echo when they last were."""
        sent = self._sent[rows]
        is_between = (sent >= _FIRST_LOOK) & (sent % _WATCH >= _LOOK)
        is_calm = ~self._gate.is_known[rows] & (self._gate.silent[rows] >= _SILENT)
        dozing: Mask = is_between & is_calm
        return dozing

    def _judge(self, came: Float, lines: Rows, rows: Rows) -> None:
        """Judge some lines of what came, and take out of it the echo that can be."""
        sound, behind = came[lines], self._behind[rows]
        left = None
        if (cancels := self._cancels[rows]).any():
            left = sound.copy()
            if len(known := np.flatnonzero(cancels & self._gate.is_known[rows])):
                chosen = rows[known]
                left[known] = self._canceller.cancel(
                    sound[known], chosen, behind[known], self._gate.delay[chosen]
                )
            came[lines] = left
        verdict = self._gate.judge(sound, rows, behind, left)
        self._was_echo[rows] = verdict.is_echo
        self._noise[rows] = np.minimum(verdict.noise, _MOST_NOISE)

    def _noise_of(self, power: Float) -> Float:
        return np.sqrt(power)[:, None] * noise(self._beat, FRAME)

    def _wake(self, rows: Rows) -> None:
        """Begin anew after a time in which nothing was sent."""
        self._gate.wake(rows)
        self._canceller.wake(rows[self._cancels[rows]])
        self._behind[rows] = 0
        self._was_echo[rows] = False
        self._kept[rows] = 0


def noise(beat: int, samples: int) -> Float:
    """Return white noise of power 1 that does not repeat from one beat to the next."""
    start = beat * 1009 % (len(_NOISE) - samples)
    return _NOISE[start : start + samples]

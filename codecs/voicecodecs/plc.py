"""Packet-loss concealment: what to play in place of a packet that did not come.

What it does: stands in for lost audio by going on with the last sound heard.

How: in the manner of ITU-T G.711 Appendix I, at any rate and without its 3.75 ms
of delay.  The pitch of the last sound (66 to 200 Hz) is the lag at which it
correlates best with itself.  Its last period is repeated for 10 ms, the last
two for the next 10 ms, then the last three, so that the ear finds no buzz; each
repetition starts by fading over from the one before for a quarter of a period.
From 10 ms on it grows fainter, and from 60 ms on it is silence.  The first good
samples fade in over 4 ms, or 4 ms for each 20 ms lost, up to 10 ms.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Concealer"]

Pcm: TypeAlias = NDArray[np.int16]
Float: TypeAlias = NDArray[np.float32]

_SHORTEST_S: Final = 0.005  # one period at 200 Hz
_LONGEST_S: Final = 0.015  # one period at 66 Hz
_COMPARED_S: Final = 0.020
_STEP_S: Final = 0.010
_SILENT_S: Final = 0.060
_MOST_PERIODS: Final = 3


class Concealer:
    """Conceals the losses of one stream.

    Give every frame, in order, either to :meth:`good` or, lost, to :meth:`lost`.

    Args:
        rate: Samples a second.

    """

    def __init__(self, rate: int = 8000) -> None:
        self._shortest = round(rate * _SHORTEST_S)
        self._longest = round(rate * _LONGEST_S)
        self._compared = round(rate * _COMPARED_S)
        self._step = round(rate * _STEP_S)
        self._silent = round(rate * _SILENT_S)
        longest_source = self._longest * _MOST_PERIODS + self._longest // 4 + 1
        size = max(longest_source, self._longest + self._compared)
        self._past: Float = np.zeros(size, np.float32)  # stays as it is during a loss
        self._stand_in: Float = self._past[:0]  # what a loss was filled with
        self._made = 0  # samples made up since the last good one
        self._period = self._shortest
        self._cycle: Float = self._past[:1]
        self._at = 0  # where in the cycle to go on

    def good(self, frame: Pcm) -> Pcm:
        """Take in a frame that came; return it, faded in if it ends a loss."""
        if self._made and len(frame):
            frame = self._fade_in(frame)
            self._remember(self._stand_in)
            self._made = 0
        self._remember(frame)
        return frame

    def lost(self, samples: int) -> Pcm:
        """Return ``samples`` in place of as many that did not come."""
        if not self._made:
            self._period = self._find_period()
            self._cycle, self._at = self._loop(1), 0
            self._stand_in = self._past[:0]
        sound = self._extend(samples)
        self._stand_in = np.concatenate([self._stand_in, sound])[-len(self._past) :]
        pcm: Pcm = np.rint(sound).clip(-32768, 32767).astype(np.int16)
        return pcm

    def _remember(self, frame: Pcm | Float) -> None:
        size = len(self._past)
        if len(frame) >= size:
            self._past[:] = frame[-size:]
        elif len(frame):
            self._past[: -len(frame)] = self._past[len(frame) :]
            self._past[-len(frame) :] = frame

    def _find_period(self) -> int:
        """Return the lag at which the last 20 ms are most like what came before."""
        latest = self._past[-self._compared :]
        reach = self._past[-self._compared - self._longest : -self._shortest]
        earlier = np.lib.stride_tricks.sliding_window_view(reach, self._compared)
        power = np.einsum("ij,ij->i", earlier, earlier) + 1.0
        likeness = (earlier @ latest) / np.sqrt(power)
        return self._longest - int(likeness.argmax())

    def _loop(self, periods: int) -> Float:
        """Return the last periods, their end made to lead into their beginning."""
        length = periods * self._period
        quarter = self._period // 4
        loop = self._past[-length:].copy()
        before = self._past[-length - quarter : -length]
        rise = np.linspace(0, 1, quarter, dtype=np.float32)
        loop[-quarter:] += (before - loop[-quarter:]) * rise
        return loop

    def _extend(self, samples: int) -> Float:
        """Go on with the sound for ``samples`` more."""
        pieces = []
        while samples:
            if self._made >= self._silent:
                pieces.append(np.zeros(samples, np.float32))
                self._made += samples
                break
            left_of_step = self._step - self._made % self._step
            count = min(samples, left_of_step)
            pieces.append(self._take(count) * self._gain(count))
            self._made += count
            samples -= count
        return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)

    def _take(self, count: int) -> Float:
        """Return the next of the loop, which grows by a period at the next steps."""
        periods = self._made // self._step + 1
        fresh = self._made % self._step == 0
        if not (fresh and 1 < periods <= _MOST_PERIODS):
            return self._turn(count)
        quarter = min(count, self._period // 4)
        at = self._at
        leaving = self._turn(quarter)
        self._cycle, self._at = self._loop(periods), at % self._period
        sound = self._turn(count)
        rise = np.linspace(0, 1, quarter, dtype=np.float32)
        sound[:quarter] = leaving + (sound[:quarter] - leaving) * rise
        return sound

    def _turn(self, count: int) -> Float:
        """Read on round the loop."""
        index = (self._at + np.arange(count)) % len(self._cycle)
        self._at = (self._at + count) % len(self._cycle)
        return self._cycle[index]

    def _gain(self, count: int) -> Float:
        position = self._made + np.arange(count, dtype=np.float32)
        return (1 - (position - self._step) / (self._silent - self._step)).clip(0, 1)

    def _fade_in(self, frame: Pcm) -> Pcm:
        """Let the made-up sound run on under the start of a good frame."""
        steps = max(1, self._made // (2 * self._step))
        length = min(len(frame), self._step, self._step * 2 // 5 * steps)
        made_up = self._extend(length)
        rise = np.linspace(0, 1, length, dtype=np.float32)
        mixed = frame.copy()
        mixed[:length] = np.rint(made_up + (frame[:length] - made_up) * rise).clip(-32768, 32767)
        return mixed

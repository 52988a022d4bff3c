"""Packet-loss concealment: what a listener would have heard, had the packet come.

What it does: fills lost frames from what was heard before, and joins the two ends smoothly.

How: in the manner of ITU-T G.711 Appendix I, for any rate and without its added delay.  The
pitch of the last 20 ms is found by normalised cross-correlation between 66 and 200 Hz; the last
period is repeated, its end faded into its beginning over a quarter of it; after 10 ms two periods
are repeated and after 20 ms three, so that the sound does not buzz.  From 10 ms on it fades by
20 % each 10 ms and is silent after 60 ms.  The first samples that come again are faded in
over 4 ms, and 4 ms more for each 10 ms lost, 10 ms at most.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

__all__ = ["Concealer"]

Pcm: TypeAlias = NDArray[np.int16]
Float: TypeAlias = NDArray[np.float32]

_PAST_MS: Final = 60.0  # kept: three periods of the lowest pitch, and a quarter
_MATCH_MS: Final = 20.0  # compared to find the pitch
_SHORTEST_MS: Final = 5.0  # the period of 200 Hz
_LONGEST_MS: Final = 15.0  # the period of 66 Hz
_HOLD_MS: Final = 10.0  # at full level
_FADED_MS: Final = 60.0  # silent from here on
_NOISE_ENERGY: Final = 1e3  # added below the fraction, so that silence has no pitch


class Concealer:
    """One call's concealment.

    Args:
        rate: Samples a second.

    """

    def __init__(self, rate: int = 8000) -> None:
        self._per_ms = rate / 1000
        self._past: Float = np.zeros(self._samples(_PAST_MS), np.float32)
        self._before: Float = self._past  # what was heard before the loss
        self._cycle: Float = self._past[:0]
        self._period = 0
        self._place = 0  # in the cycle, of the next sample
        self._lost = 0  # samples made up since the last good one

    def good(self, frame: Pcm) -> Pcm:
        """Take in a frame that came; returns it, faded in where it follows a loss."""
        heard = frame.astype(np.float32)
        if self._lost:
            lost_ms = self._lost / self._per_ms
            length = min(len(frame), self._samples(min(10.0, 4.0 + 4.0 * (lost_ms - 10.0) / 10.0)))
            length = max(length, min(len(frame), self._samples(4.0)))
            made_up = self._continue(length)
            rise = np.linspace(0.0, 1.0, length, dtype=np.float32)
            heard[:length] = heard[:length] * rise + made_up * (1.0 - rise)
            self._lost = 0
        self._remember(heard)
        return _to_int16(heard)

    def lost(self, count: int) -> Pcm:
        """Return ``count`` int16 samples in place of those that did not come."""
        if not self._lost:
            self._before = self._past
            self._period = self._find_period()
            self._place = 0
        made_up = np.concatenate([self._next(size) for size in self._steps(count)])
        self._remember(made_up)
        return _to_int16(made_up)

    def _samples(self, milliseconds: float) -> int:
        return round(milliseconds * self._per_ms)

    def _steps(self, count: int) -> list[int]:
        """Cut ``count`` samples where the cycle changes: each 10 ms of loss."""
        step, sizes, lost = self._samples(10.0), [], self._lost
        while count:
            size = min(count, step - lost % step)
            sizes.append(size)
            lost += size
            count -= size
        return sizes

    def _next(self, count: int) -> Float:
        """Return the next ``count`` samples, within one step of 10 ms."""
        periods = min(3, 1 + self._lost // self._samples(10.0))
        if not self._lost or len(self._cycle) != periods * self._period:
            self._cycle = self._repeatable(periods)
        made_up = self._continue(count)
        self._lost += count
        return made_up

    def _continue(self, count: int) -> Float:
        """Go on in the cycle, at the level that the length of the loss allows."""
        places = (self._place + np.arange(count)) % len(self._cycle)
        self._place += count
        late_ms = (self._lost + np.arange(count)) / self._per_ms
        level = 1.0 - (late_ms - _HOLD_MS) / (_FADED_MS - _HOLD_MS)
        return self._cycle[places] * np.clip(level, 0.0, 1.0).astype(np.float32)

    def _repeatable(self, periods: int) -> Float:
        """Return the last ``periods`` periods, the end faded into what came before the start."""
        length, quarter = periods * self._period, self._period // 4
        cycle = self._before[-length:].copy()
        lead_in = self._before[-length - quarter : -length]
        rise = np.linspace(0.0, 1.0, quarter, dtype=np.float32)
        cycle[-quarter:] = cycle[-quarter:] * (1.0 - rise) + lead_in * rise
        return cycle

    def _find_period(self) -> int:
        """Return the lag, in samples, at which the past resembles itself most."""
        shortest, longest = self._samples(_SHORTEST_MS), self._samples(_LONGEST_MS)
        size = self._samples(_MATCH_MS)
        latest = self._past[-size:]
        windows = sliding_window_view(self._past[-size - longest :], size)
        shifted = windows[longest - np.arange(shortest, longest + 1)]
        energy = np.einsum("ij,ij->i", shifted, shifted) + _NOISE_ENERGY
        likeness = shifted @ latest / np.sqrt(energy)
        return shortest + int(np.argmax(likeness))

    def _remember(self, heard: Float) -> None:
        self._past = np.concatenate([self._past, heard])[-len(self._past) :]


def _to_int16(samples: Float) -> Pcm:
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)

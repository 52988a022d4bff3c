"""Hears telephone keys (DTMF, ITU-T Q.23 and Q.24) in the audio of many calls at once.

What it does: takes 20 ms of every call and tells which keys went down and up.

How: every 5 ms the last 20 ms are measured at the keypad's frequencies (see
:mod:`.tonebank`).  A window looks like a key when one row and one column stand
out and hold most of its power; it is in tune when both phases turn at the
right speed.  Windows in tune that name one key in a row make a run.  A run of
five goes down as a key when, taken together, its phases turn at the right
speed and steadily, the two tones are balanced (*twist*), and they hold the
bulk of the power, which speech hardly ever does.  The key comes up after 35 ms
without it, so that a short hole does not type it twice.

Every run of five windows has one that ends with a frame.  So of a lane that has
nothing down and no run under way only that one is looked at, and the other three
if it may be a key.

=========================  ================================================
always heard from          34 ms
never heard up to          24 ms
frequency                  heard within 1.5 %, never beyond 3.5 %
twist                      heard from -8 dB to +4 dB, column over row
level of each tone         heard from -42 dBm0 to +3 dBm0
holes bridged              20 ms
=========================  ================================================
"""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .level import sine_amplitude
from .tonebank import FRAME, HOP, HOPS, WINDOW, Pairs, correlate, correlate_last, fit
from .tones import COLUMNS, KEYS, ROWS

__all__ = ["FRAME", "DtmfDetector", "DtmfEdge"]

Mask: TypeAlias = NDArray[np.bool_]
Rows: TypeAlias = NDArray[np.intp]

# Of one window.  Shares are of all its power, ratios are of powers.
_LEAST: Final = sine_amplitude(-42.5) ** 2 / 2
_SUSPECT_SHARE: Final = 0.32  # before the fit, which may double a tone that is off
_SLACK: Final = 0.999  # single precision: one measurement may differ so much from another
_SHARE: Final = 0.625  # that much of the window inside the key
_RUNNER_UP: Final = 10**-0.5
_COLUMN_OVER_ROW: Final = 10**0.7
_ROW_OVER_COLUMN: Final = 10**1.1
_DETUNE: Final = 0.027

# Of a whole run.
_RUN: Final = 5
_RUN_SHARE: Final = 0.82
_RUN_COLUMN_OVER_ROW: Final = 10**0.47
_RUN_ROW_OVER_COLUMN: Final = 10**0.87
_RUN_DETUNE: Final = 0.0185
_STEADINESS: Final = 0.992  # 1 is a turn that never varies

_MISSES: Final = 7  # windows without the key before it counts as up
_LOST: Final = 6  # frames lost in a row before a key counts as up: 120 ms

# A window looks like a key from 101 of its 160 samples on, hops are 40 apart:
# so, on average, lies the edge of a key against the end of the outermost window.
_STARTED_BEFORE: Final = 120
_ENDED_BEFORE: Final = 40


@dataclass(slots=True)
class DtmfEdge:
    """A key went down or came up.

    ``sample`` counts the row's samples since it was reset, and estimates when
    the caller's finger moved, which is some 30 ms before it is known.
    """

    row: int
    key: str
    is_on: bool
    sample: int


@dataclass(slots=True)
class _Hop:
    """A window that looks like a key."""

    key: int
    is_tuned: bool
    share: float
    row_turn: complex
    column_turn: complex


class _Press:
    """What one call is pressing, window by window.

    A turn is as long as the tone is strong.  The sums over a run count each by
    its length once more, as windows partly outside the key turn less reliably.
    """

    __slots__ = (
        "began",
        "candidate",
        "column_size",
        "column_turn",
        "key",
        "last_heard",
        "lost",
        "misses",
        "row_size",
        "row_turn",
        "run",
        "share",
    )

    def __init__(self) -> None:
        self.key = -1  # what is down
        self.last_heard = 0
        self.misses = 0
        self.lost = 0
        self.candidate = -1  # what the present run names
        self.began = 0
        self.run = 0
        self._clear_sums()

    def _clear_sums(self) -> None:
        self.row_turn = self.column_turn = 0j
        self.row_size = self.column_size = self.share = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is down and nothing looks like it."""
        return self.key < 0 and self.candidate < 0

    def step(self, hop: _Hop | None, end: int) -> list[tuple[int, bool, int]]:
        """Take in the window that ends at sample ``end``; return (key, is_on, sample) edges."""
        self.lost = 0
        if hop is not None and hop.key == self.key:
            self.misses, self.last_heard = 0, end
        else:
            self.misses += 1
        self._extend_run(hop, end)
        if self.run >= _RUN and self.candidate != self.key and self._is_pure():
            edges = self._come_up()
            self.key, self.misses, self.last_heard = self.candidate, 0, end
            return [*edges, (self.key, True, max(0, self.began - _STARTED_BEFORE))]
        return self._come_up() if self.misses >= _MISSES else []

    def lose(self) -> list[tuple[int, bool, int]]:
        """Take in a lost frame: a key stays down, for a while."""
        self.candidate, self.run = -1, 0
        self.lost += 1
        return self._come_up() if self.lost >= _LOST else []

    def _come_up(self) -> list[tuple[int, bool, int]]:
        if self.key < 0:
            return []
        key, self.key = self.key, -1
        return [(key, False, self.last_heard - _ENDED_BEFORE)]

    def _extend_run(self, hop: _Hop | None, end: int) -> None:
        if hop is None or not hop.is_tuned:
            self.candidate, self.run = -1, 0
        elif hop.key != self.candidate:
            self.candidate, self.run, self.began = hop.key, 1, end
            self._clear_sums()
        else:  # the first window, partly outside the key, is left out of the sums
            self.run += 1
            row_size, column_size = abs(hop.row_turn), abs(hop.column_turn)
            self.row_turn += hop.row_turn * row_size
            self.column_turn += hop.column_turn * column_size
            self.row_size += row_size**2
            self.column_size += column_size**2
            self.share += hop.share

    def _is_pure(self) -> bool:
        """Whether the run as a whole is the two tones and hardly anything else."""
        balance = (self.column_size / self.row_size) ** 0.5
        return (
            self.share >= _RUN_SHARE * (self.run - 1)
            and 1 / _RUN_ROW_OVER_COLUMN <= balance <= _RUN_COLUMN_OVER_ROW
            and _is_steady(self.row_turn, self.row_size, ROWS[self.candidate // 4])
            and _is_steady(self.column_turn, self.column_size, COLUMNS[self.candidate % 4])
        )


def _is_steady(turn: complex, size: float, tone: int) -> bool:
    """Whether turns that add up to ``turn`` agree with each other and with the tone."""
    off = abs(np.angle(turn)) * 8000 / (2 * np.pi * HOP * tone)
    return bool(off <= _RUN_DETUNE and abs(turn) >= _STEADINESS * size)


class DtmfDetector:
    """Finds the keys in a batch of calls, each row of the batch remembering its own past.

    Args:
        lanes: Rows of the batch.

    Attributes:
        maybe: For each row, whether a key may be sounding: true from the first
            window that looks like one, 20 ms or more before the key goes down, and
            after a lost frame whose stand-in sounds like one.

    """

    def __init__(self, lanes: int = 1) -> None:
        self._past: NDArray[Any] = np.zeros((0, WINDOW), np.int16)
        self._clock: NDArray[np.int64] = np.zeros(0, np.int64)
        self._presses: list[_Press] = []
        self.maybe: Mask = np.zeros(0, np.bool_)
        self.resize(lanes)

    @property
    def lanes(self) -> int:
        """How many rows the batch has."""
        return len(self._presses)

    def resize(self, lanes: int) -> None:
        """Change the number of rows; rows that stay keep their past."""
        kept = min(lanes, self.lanes)
        self._presses = self._presses[:kept] + [_Press() for _ in range(lanes - kept)]
        self._past = _resized(self._past, lanes)
        self._clock = _resized(self._clock, lanes)
        self.maybe = _resized(self.maybe, lanes)

    def reset(self, row: int) -> None:
        """Forget one row's past, for a new call."""
        self._past[row] = 0.0
        self._clock[row] = 0
        self.maybe[row] = False
        self._presses[row] = _Press()

    def process(
        self, x: NDArray[Any], rows: Rows | None = None, frozen: Mask | None = None
    ) -> list[DtmfEdge]:
        """Hear the next frame.

        Args:
            x: int16 samples at 8 kHz, shape ``(rows, 160)``.
            rows: The row each line of ``x`` belongs to; without it, all in order.
            frozen: Lines whose frame was lost.  What stands in for it is not
                analysed, and a key that is down stays down, for up to 120 ms.

        Returns:
            The edges of each row in order of time.

        """
        rows = np.arange(self.lanes) if rows is None else rows
        self._clock[rows] += FRAME
        edges: list[DtmfEdge] = []
        if frozen is not None and frozen.any():
            self._freeze(rows[frozen], x[frozen], edges)
            rows, x = rows[~frozen], x[~frozen]
        if not len(rows):
            return edges

        lines = np.flatnonzero(_may_be_keys(x) | self.maybe[rows])
        if len(lines):
            self._follow(rows[lines], np.concatenate((self._past[rows[lines]], x[lines]), 1), edges)
        self._past[rows] = x
        return edges

    def _follow(self, rows: Rows, signal: NDArray[Any], edges: list[DtmfEdge]) -> None:
        """Look at all windows of some rows, given their last two frames."""
        hops = _look(signal.astype(np.float32))
        for line, row in enumerate(rows.tolist()):
            end = int(self._clock[row]) - FRAME
            for hop in hops.get(line, [None] * HOPS):
                end += HOP
                self._tell(row, self._presses[row].step(hop, end), edges)

    def _freeze(self, rows: Rows, x: NDArray[Any], edges: list[DtmfEdge]) -> None:
        """Pass over lost frames, which stand for a key if what was made up for them is like one."""
        suspects = self.maybe[rows] | _may_be_keys(x)
        for row in rows.tolist():
            self._past[row] = 0.0
            self._tell(row, self._presses[row].lose(), edges)
        self.maybe[rows] |= suspects

    def _tell(self, row: int, found: list[tuple[int, bool, int]], edges: list[DtmfEdge]) -> None:
        edges += [DtmfEdge(row, KEYS[key], is_on, at) for key, is_on, at in found]
        self.maybe[row] = not self._presses[row].is_idle


def _resized(old: Any, lanes: int) -> Any:
    new = np.zeros((lanes, *old.shape[1:]), old.dtype)
    kept = min(lanes, len(old))
    new[:kept] = old[:kept]
    return new


def _may_be_keys(frames: NDArray[Any]) -> Mask:
    """Say of each frame, shape ``(lanes, 160)``, whether as a window it may look like a key."""
    powers, energies = correlate_last(frames.astype(np.float32))
    rows, columns = powers[:4].max(axis=0), powers[4:].max(axis=0)
    suspects: Mask = np.minimum(rows, columns) > _LEAST * _SLACK
    suspects &= rows + columns > energies * (_SUSPECT_SHARE * _SLACK)
    return suspects


def _look(signal: NDArray[np.float32]) -> dict[int, list[_Hop | None]]:
    """Return the windows of a frame that look like a key, for the lanes that have any."""
    windows = correlate(signal)
    rows = windows.powers[..., :4].max(axis=-1)
    columns = windows.powers[..., 4:].max(axis=-1)
    suspects = np.minimum(rows, columns) > _LEAST
    suspects &= rows + columns > _SUSPECT_SHARE * windows.energies
    at, lanes = np.nonzero(suspects)
    found: dict[int, list[_Hop | None]] = {}
    if not len(at):
        return found
    pairs = fit(windows, at, lanes)
    likely, tuned = _judge(pairs)
    for i in np.flatnonzero(likely).tolist():
        row_turn, column_turn = pairs.turns[i].tolist()
        hop = _Hop(
            int(pairs.keys[i]), bool(tuned[i]), float(pairs.shares[i]), row_turn, column_turn
        )
        found.setdefault(int(lanes[i]), [None] * HOPS)[at[i]] = hop
    return found


def _judge(pairs: Pairs) -> tuple[Mask, Mask]:
    """Return which windows look like a key, and which of them are in tune."""
    row, column = pairs.powers.T
    likely: Mask = (
        (pairs.shares > _SHARE)
        & (pairs.runners_up.max(axis=-1) < _RUNNER_UP)
        & (column < row * _COLUMN_OVER_ROW)
        & (row < column * _ROW_OVER_COLUMN)
    )
    tuned: Mask = np.abs(pairs.detunes).max(axis=-1) < _DETUNE
    return likely, tuned

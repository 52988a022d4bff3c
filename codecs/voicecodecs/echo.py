"""Tells a far talker's echo from a near talker's voice, in many calls at once.

What it does: is shown what goes to each caller and what comes from them, and says of each frame
that comes whether it is nothing but the echo of what went.

How: both sounds are measured in 16 bands.  By which delay the echo comes is where the ups and
downs of the bands agree best, within 400 ms (see :mod:`.agreement`).  How loud it comes back is
tracked in each band, nine times as fast up as down, and so the loudest that the echo of a frame
will be is foretold.  A frame that is 6 dB above that in five bands or more speaks for a voice;
two such frames are one, and it lasts for as long as frames speak for it.  These two frames have
passed when it is known: see :attr:`EchoGate.LOOK_BACK`.

Nothing is known at first.  Then a sound no louder than a loud echo is doubted for half a second,
in which it is found out whether it agrees with what went out, by one delay and not too loud.  If it
does not, or if nothing comes back while there is something to come, the line has no echo, and all
that comes is heard until one has shown for a second.
"""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .agreement import Agreement
from .bands import BANDS, BandMeter

__all__ = ["DELAYS", "RING", "EchoGate", "Verdict"]

Float: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]
Rows: TypeAlias = NDArray[np.intp]

RING: Final = 32
"""Frames that are kept of what went out."""
DELAYS: Final = 22
"""Frames by which an echo may be late: 400 ms, and the rest of its frame."""

_SPREAD: Final = np.array([1, 1, 1, 0.4, 0.2, 0.1, 0.05, 0.03], np.float32)
"""How much of a frame comes back one frame before its delay, with it, and after."""
_SHIFTS: Final = np.arange(-1, len(_SPREAD) - 1)

_AUDIBLE: Final = 1000.0  # power from which a sound is one: -60 dBov
_OUT_OF_NOISE: Final = np.float32(4.0)  # 6 dB
_LEAST_NOISE: Final = np.float32(2.0)  # of a band
_NOISE_SHARE: Final = np.float32(2.0)  # of it that is taken to be in what comes
_NOISE_FALL, _NOISE_RISE = np.float32(0.2), np.float32(1.01)  # a frame

_LOUDEST: Final = np.float32(10**-0.9)  # the gain of an echo of which nothing is known
_GAIN_RISE, _GAIN_FALL = np.float32(0.09), np.float32(0.01)
_FARTHEST: Final = (np.float32(-4.6), np.float32(1.4))  # from the gain, as a logarithm of power
_MARGIN: Final = np.float32(4.0)  # 6 dB

_OVER: Final = 5  # bands of a frame that speaks for a voice
_HELD: Final = 3  # bands of one that does not speak against it
_SPEAKS, _OPENS, _CLOSES, _MOST = 3, 5, 2, 14  # frames of evidence

_DOUBT: Final = 22  # frames in which something came
_FIRST: Final = 8  # of those, from which two sounds can be compared
_AGREES: Final = 0.66
_SURE: Final = 0.8
_VOTES: Final = 12  # frames that agree by the same delay; those that are sure count twice
_MORE_VOTES: Final = 50  # where there was no echo so far
_SELDOM: Final = 3  # frames from one comparison to the next once there is an echo
_LOUD: Final = 0.5  # power of what came against what went from which it is no echo
_CALM: Final = 30  # frames in which nothing came
_CALM_GAIN: Final = 10**-3.0  # though it would have been heard with this


@dataclass(slots=True)
class Verdict:
    """What a frame of each line is: ``is_echo``, and ``noise``, the power of the line's own."""

    is_echo: Mask
    noise: Float


class EchoGate:
    """Judges a batch of calls, each row of the batch remembering its own past.

    Args:
        lanes: Rows of the batch.

    Attributes:
        delay: By how many frames the echo of each row is late.
        is_known: The rows in which there is an echo.
        silent: Frames of each row since the last with sound.

    """

    LOOK_BACK: Final = 2
    """Frames of a voice that have passed before it is known."""

    def __init__(self, lanes: int) -> None:
        self.delay = np.zeros(lanes, np.intp)
        self.is_known: Mask = np.zeros(lanes, np.bool_)
        self.silent = np.zeros(lanes, np.int64)
        self._is_free: Mask = np.zeros(lanes, np.bool_)  # there is none
        self._active = np.zeros(lanes, np.int64)  # frames in which something came
        self._agrees = np.zeros(lanes, np.float32)  # how well, when last compared
        self._votes = np.zeros(lanes, np.int64)  # for an echo by this delay
        self._calm = np.zeros(lanes, np.int64)  # frames without, since the last with
        self._sent = np.zeros((lanes, RING, BANDS), np.float32)
        self._count = np.zeros(lanes, np.int64)  # frames sent
        self._noise = np.zeros((lanes, BANDS), np.float32)
        self._gain = np.full((lanes, BANDS), _LOUDEST)
        self._evidence = np.zeros(lanes, np.int64)
        self._is_open: Mask = np.zeros(lanes, np.bool_)
        self._agreement = Agreement(lanes, DELAYS)
        self._meters = BandMeter(lanes), BandMeter(lanes), BandMeter(lanes)

    def reset(self, row: int) -> None:
        """Forget one row's past, for a new call."""
        for array in (
            self.delay,
            self.silent,
            self._active,
            self._votes,
            self._calm,
            self._evidence,
            self._agrees,
        ):
            array[row] = 0
        self.is_known[row] = self._is_free[row] = self._is_open[row] = False
        self._sent[row] = self._noise[row] = 0
        self._gain[row] = _LOUDEST
        self._agreement.reset(row)
        for meter in self._meters:
            meter.reset(row)

    def wake(self, rows: Rows) -> None:
        """Begin anew after a time in which nothing was shown of what went out or came."""
        self._sent[rows] = 0
        for meter in self._meters:
            meter.reset(rows)

    def is_idle(self, power: Float, rows: Rows) -> Mask:
        """Say which lines need not be judged: there is no echo, and ``power`` is but noise."""
        idle: Mask = self._is_free[rows] & (power < _OUT_OF_NOISE * self._noise[rows].sum(axis=1))
        self.silent[rows] += idle
        return idle

    def send(self, x: NDArray[Any], rows: Rows) -> None:
        """Take in the next frame that goes out, int16 samples at 8 kHz, shape ``(rows, 160)``."""
        self._sent[rows, self._count[rows] % RING] = self._meters[0].measure(x, rows)
        self._count[rows] += 1

    def judge(
        self, x: NDArray[Any], rows: Rows, late: Rows, residual: NDArray[Any] | None = None
    ) -> Verdict:
        """Judge the next frame that comes.

        Args:
            x: As for :meth:`send`.
            rows: The row each line of ``x`` belongs to.
            late: Frames that were sent since the one that went out as this came in.
            residual: What a canceller left of ``x``; then this is what is judged.

        """
        came = self._meters[1].measure(x, rows)
        left = came if residual is None else self._meters[2].measure(residual, rows)
        noise = self._follow_noise(came, rows)
        newest = self._count[rows] - 1 - late
        sent = self._sent[rows[:, None], (newest[:, None] - np.arange(DELAYS)) % RING]
        loudest = sent.sum(axis=2).max(axis=1)
        is_sound = came.sum(axis=1) > np.maximum(_OUT_OF_NOISE * noise.sum(axis=1), _AUDIBLE)
        self.silent[rows] = np.where(is_sound, 0, self.silent[rows] + 1)
        agreement = self._search(sent, came, noise, rows, is_sound & (loudest > _AUDIBLE))
        echo = self._foretell(sent, rows)
        expected = np.where(self.is_known[rows], echo.sum(axis=1), loudest * _CALM_GAIN)
        is_missed = expected > _OUT_OF_NOISE * noise.sum(axis=1)
        is_free = self._conclude(is_sound, is_missed & ~is_sound, rows)
        is_over = left > np.where(is_free, 0, _MARGIN)[:, None] * echo + _OUT_OF_NOISE * noise
        is_open = self._weigh(is_over.sum(axis=1), rows)
        learns = self.is_known[rows] & ~(is_open & (agreement < _SURE))
        self._learn(left, echo, noise, rows, learns)
        return Verdict(~is_open & ~is_free & (loudest > _AUDIBLE), noise.sum(axis=1))

    def _follow_noise(self, came: Float, rows: Rows) -> Float:
        """Return how loud the line's own noise is in each band."""
        noise = self._noise[rows]
        falling = noise + _NOISE_FALL * (came - noise)
        noise = np.where(came < noise, falling, noise * _NOISE_RISE)
        noise = np.where(self._noise[rows] == 0, came, noise)
        self._noise[rows] = noise
        least: Float = np.maximum(noise, _LEAST_NOISE)
        return least

    def _search(self, sent: Float, came: Float, noise: Float, rows: Rows, is_both: Mask) -> Float:
        """Look for the echo in the lines that may have one; return how well they agree."""
        is_turn = ~self.is_known[rows] | ((self._count[rows] + rows) % _SELDOM == 0)
        lines = np.flatnonzero(is_both & is_turn)
        if not len(lines):
            return self._agrees[rows]
        chosen = rows[lines]
        found, delay, scale = self._agreement.compare(
            sent[lines], came[lines], _NOISE_SHARE * noise[lines], chosen
        )
        self._active[chosen] += 1
        active = self._active[chosen]
        agrees = (found > _AGREES) & (active >= _FIRST) & (scale < _LOUD)
        same = agrees & (np.abs(delay - self.delay[chosen]) <= 1)
        votes = np.where(same, self._votes[chosen] + 1 + (found > _SURE), 0)
        self._votes[chosen] = votes
        self.is_known[chosen] |= votes >= np.where(self._is_free[chosen], _MORE_VOTES, _VOTES)
        self.delay[chosen] = np.where(agrees, delay, self.delay[chosen])
        self._agrees[chosen] = found
        return self._agrees[rows]

    def _conclude(self, is_sound: Mask, is_missed: Mask, rows: Rows) -> Mask:
        """Say which lines have no echo: none agreed in time, or none came that had to."""
        self._calm[rows] = calm = np.where(is_sound, 0, self._calm[rows] + is_missed)
        is_free = self._is_free[rows] | (self._active[rows] >= _DOUBT)
        is_free = (is_free & ~self.is_known[rows]) | (calm >= _CALM)
        self._is_free[rows] = is_free
        if (gone := rows[is_free & self.is_known[rows]]).size:
            self.is_known[gone] = False
            self._votes[gone] = 0
            self._agreement.reset(gone)
        return is_free

    def _foretell(self, sent: Float, rows: Rows) -> Float:
        """Return the loudest that the echo in each band will be, shape ``(rows, bands)``."""
        shifts = (self.delay[rows, None] + _SHIFTS).clip(0, DELAYS - 1)
        near = (sent[np.arange(len(rows))[:, None], shifts] * _SPREAD[:, None]).max(axis=1)
        anywhere = sent.max(axis=1)
        echo: Float = np.where(self.is_known[rows, None], near, anywhere) * self._gain[rows]
        return echo

    def _weigh(self, bands: Rows, rows: Rows) -> Mask:
        """Say which lines hold a voice, by the bands that are louder than the echo."""
        was_open, evidence = self._is_open[rows], self._evidence[rows]
        more = np.minimum(evidence + _SPEAKS, _MOST)
        less = np.where(was_open & (bands >= _HELD), evidence, np.maximum(evidence - 1, 0))
        self._evidence[rows] = evidence = np.where(bands >= _OVER, more, less)
        is_open: Mask = np.where(was_open, evidence > _CLOSES, evidence >= _OPENS)
        self._is_open[rows] = is_open
        return is_open

    def _learn(self, left: Float, echo: Float, noise: Float, rows: Rows, learns: Mask) -> None:
        """Go by how loud the echo was in the bands where it was louder than the noise."""
        off = np.log((left + 1) / (echo + 1)).clip(*_FARTHEST)
        step = np.where(off > 0, _GAIN_RISE, _GAIN_FALL)
        gain = self._gain[rows] * np.exp(off * step)
        is_plain = learns[:, None] & (echo > 2 * noise)
        self._gain[rows] = np.where(is_plain, gain, self._gain[rows])

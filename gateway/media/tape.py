"""The media thread's end of a recording: keeps frames for half a second, then hands them on."""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.resample import StreamResampler

from .formats import Format
from .recorder import Recorder, Recording

__all__ = ["Tape"]

Pcm: TypeAlias = NDArray[np.int16]

_BATCH: Final = 25
"""Frames that are handed on at once."""
_KEY_FRAMES: Final = 5
"""Frames by which a key may be known too late, and which are kept back where none may be heard."""
_LONGEST_STALL: Final = 3000
"""Frames of a stall that are put into a recording; what is longer is shorter there."""
_MOST_AHEAD: Final = 2
"""Frames by which the caller may be before the clock; it is no more than two clocks' difference."""
_MOST_BEHIND: Final = 7
"""Frames by which the caller may be behind, while the uplink still waits for them."""
_PATIENCE: Final = 10
"""Frames that are kept longer than that where those of the caller may still come."""
_GRACE: Final = 5
"""Ticks after a stall in which what came meanwhile is read from the socket."""
_TAIL_FRAMES: Final = 2
"""Frames after the end of a telephone event in which its tone may still be heard."""


class Tape:
    """One lane's recording, as its two sides hand in their frames.

    What is said is its clock: one frame a tick, and so many for each stall.  The caller's side
    keeps to that.  Silence that stands in for frames that did not come is owed: frames that
    come late take its place, and those whose place is written already are left out.

    Without ``has_keys`` there is silence where the caller pressed one.
    """

    __slots__ = (
        "_ahead",
        "_grace",
        "_heard",
        "_is_owed",
        "_kept",
        "_keys",
        "_owed",
        "_recorder",
        "_said",
        "_says",
        "_sides",
        "_tail",
        "is_paused",
        "recording",
    )

    def __init__(
        self, recorder: Recorder, recording: Recording, says: Format, *, has_keys: bool = True
    ) -> None:
        self.recording = recording
        self.is_paused = False  # silence stands for both sides
        self._kept = 0 if has_keys else _KEY_FRAMES
        self._tail = 0  # frames after a key
        self._grace = 0  # ticks in which nothing is handed on
        self._ahead = 0  # frames of the caller that were handed on before the clock's
        self._is_owed = False  # the next frame of the caller
        self._keys: set[str] = set()  # the ways by which a key is known to be down
        self._recorder = recorder
        self._says = says
        self._heard: list[bytes] = []
        self._said: list[bytes] = []
        self._sides = (_Side(recording.rate, 8000), _Side(recording.rate, says.rate))
        self._owed = _silence(8000)  # this very object stands for a frame that did not come

    def owe(self) -> None:
        """Know that the next frame of the caller is silence because none came."""
        self._is_owed = True

    def hear(self, samples: bytes, rate: int) -> None:
        """Add int16 samples from the caller."""
        if rate != self._sides[0].rate:
            self.flush()
            self._sides = (_Side(self.recording.rate, rate), self._sides[1])
            self._owed = _silence(rate)
        is_silent = self.is_paused or self._keys or self._tail
        self._tail = max(0, self._tail - 1)
        if self._is_owed:
            samples = self._owed
        elif is_silent:
            samples = bytes(len(samples))
        self._is_owed = False
        self._heard.append(samples)

    def hear_key(self, source: str, is_down: bool) -> None:
        """Take the news of a key, which began somewhat earlier."""
        if not is_down:
            if self._keys and source != "inband":  # a tone beside it may end somewhat later
                self._tail = _TAIL_FRAMES
            self._keys.discard(source)
        elif self._kept:
            self._keys.add(source)
            late = self._heard[-self._kept :]
            self._heard[-self._kept :] = [
                samples if samples is self._owed else bytes(len(samples)) for samples in late
            ]

    def say(self, frame: bytes) -> None:
        """Add a ring frame that went to the caller, or would have: one a tick."""
        self._said.append(self._says.silence if self.is_paused else frame)
        self._keep_step()
        if self._grace:
            self._grace -= 1
            return
        is_waiting = bool(self._heard) and self._heard[-1] is self._owed
        if len(self._said) >= _BATCH + self._kept + _PATIENCE * is_waiting:
            self._hand_on(self._kept)

    def skip(self, frames: int) -> None:
        """Let time pass in which the clock stood still and nobody was sent anything."""
        passed = min(frames, _LONGEST_STALL)
        self._said += [self._says.silence] * passed
        self._heard += [self._owed] * passed
        self._grace = _GRACE

    def change(self, says: Format) -> None:
        """Expect ring frames of another format."""
        self.flush()
        self._says = says
        self._sides = (self._sides[0], _Side(self.recording.rate, says.rate))

    def flush(self) -> None:
        """Hand on what is kept."""
        self._hand_on(0)

    def _keep_step(self) -> None:
        """Mend what the caller is too far before the clock, or behind it."""
        ahead = self._ahead + len(self._heard) - len(self._said)
        if ahead > _MOST_AHEAD:
            owed = [at for at, samples in enumerate(self._heard) if samples is self._owed]
            start = _last_run(owed)
            del self._heard[start : start + ahead]
        elif -ahead > _MOST_BEHIND:
            self._heard += [self._owed] * -ahead

    def _hand_on(self, but: int) -> None:
        """Hand on all frames but so many of each side."""
        heard_end, said_end = max(0, len(self._heard) - but), max(0, len(self._said) - but)
        left = np.frombuffer(b"".join(self._heard[:heard_end]), np.int16)
        right = self._says.unpack(b"".join(self._said[:said_end]))
        del self._heard[:heard_end], self._said[:said_end]
        self._ahead += heard_end - said_end
        heard, said = self._sides
        self._recorder.write(self.recording, heard.convert(left), said.convert(right))

    def stop(self) -> None:
        """End the recording."""
        self.flush()
        self._recorder.stop(self.recording)


def _silence(rate: int) -> bytes:
    """Return a frame of silence."""
    return bytes(2 * (rate // 50))


def _last_run(places: list[int]) -> int:
    """Return where the last run of places that follow each other begins, 0 without any."""
    start = places[-1] if places else 0
    for place in reversed(places):
        if start - place > 1:
            break
        start = place
    return start


class _Side:
    """One side's way to the recording's rate."""

    __slots__ = ("_resampler", "rate")

    def __init__(self, recorded: int, rate: int) -> None:
        self.rate = rate
        self._resampler = StreamResampler(rate, recorded) if rate != recorded else None

    def convert(self, pcm: Pcm) -> bytes:
        return (pcm if self._resampler is None else self._resampler.process(pcm)).tobytes()

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
"""Frames that are handed on at once, by the clock of what is sent."""
_MOST_HEARD: Final = 100
"""Frames of the caller that are handed on where nothing is sent; they may come all at once."""
_KEY_FRAMES: Final = 5
"""Frames by which a key may be known too late, and which are kept back where none may be heard."""
_LONGEST_STALL: Final = 3000
"""Frames of a stall that are put into a recording; what is longer is shorter there."""
_TAIL_FRAMES: Final = 2
"""Frames after the end of a telephone event in which its tone may still be heard."""


class Tape:
    """One lane's recording, as its two sides hand in their frames.

    Without ``has_keys`` there is silence where the caller pressed one.
    """

    __slots__ = (
        "_has_skipped",
        "_heard",
        "_kept",
        "_keys",
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
        self._has_skipped = False  # and what came meanwhile is about to be read
        self._keys: set[str] = set()  # the ways by which a key is known to be down
        self._recorder = recorder
        self._says = says
        self._heard: list[bytes] = []
        self._said: list[bytes] = []
        self._sides = (_Side(recording.rate, 8000), _Side(recording.rate, says.rate))

    def hear(self, samples: bytes, rate: int) -> None:
        """Add int16 samples from the caller."""
        if rate != self._sides[0].rate:
            self.flush()
            self._sides = (_Side(self.recording.rate, rate), self._sides[1])
        is_silent = self.is_paused or self._keys or self._tail
        self._tail = max(0, self._tail - 1)
        self._heard.append(bytes(len(samples)) if is_silent else samples)
        if len(self._heard) >= _MOST_HEARD + self._kept:
            self._hand_on(self._kept)

    def hear_key(self, source: str, is_down: bool) -> None:
        """Take the news of a key, which began somewhat earlier."""
        if not is_down:
            if self._keys and source != "inband":  # a tone beside it may end somewhat later
                self._tail = _TAIL_FRAMES
            self._keys.discard(source)
        elif self._kept:
            self._keys.add(source)
            late = self._heard[-self._kept :]
            self._heard[-self._kept :] = [bytes(len(samples)) for samples in late]

    def say(self, frame: bytes) -> None:
        """Add a ring frame that went to the caller."""
        self._said.append(self._says.silence if self.is_paused else frame)
        if self._has_skipped:
            self._has_skipped = False
        elif len(self._said) >= _BATCH + self._kept:
            self._hand_on(self._kept)

    def skip(self, frames: int) -> None:
        """Let time pass in which the clock stood still and nobody was sent anything."""
        self._said += [self._says.silence] * min(frames, _LONGEST_STALL)
        self._has_skipped = True

    def change(self, says: Format) -> None:
        """Expect ring frames of another format."""
        self.flush()
        self._says = says
        self._sides = (self._sides[0], _Side(self.recording.rate, says.rate))

    def flush(self) -> None:
        """Hand on what is kept."""
        self._hand_on(0)

    def _hand_on(self, but: int) -> None:
        """Hand on all frames but so many of each side."""
        heard_end, said_end = max(0, len(self._heard) - but), max(0, len(self._said) - but)
        left = np.frombuffer(b"".join(self._heard[:heard_end]), np.int16)
        right = self._says.unpack(b"".join(self._said[:said_end]))
        del self._heard[:heard_end], self._said[:said_end]
        heard, said = self._sides
        self._recorder.write(self.recording, heard.convert(left), said.convert(right))

    def stop(self) -> None:
        """End the recording."""
        self.flush()
        self._recorder.stop(self.recording)


class _Side:
    """One side's way to the recording's rate."""

    __slots__ = ("_resampler", "rate")

    def __init__(self, recorded: int, rate: int) -> None:
        self.rate = rate
        self._resampler = StreamResampler(rate, recorded) if rate != recorded else None

    def convert(self, pcm: Pcm) -> bytes:
        return (pcm if self._resampler is None else self._resampler.process(pcm)).tobytes()

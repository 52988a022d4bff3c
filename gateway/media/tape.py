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
"""Frames of a side that are handed on at once."""


class Tape:
    """One lane's recording, as its two sides hand in their frames."""

    __slots__ = ("_heard", "_recorder", "_said", "_says", "_sides", "is_paused", "recording")

    def __init__(self, recorder: Recorder, recording: Recording, says: Format) -> None:
        self.recording = recording
        self.is_paused = False  # silence stands for both sides
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
        self._heard.append(bytes(len(samples)) if self.is_paused else samples)
        if len(self._heard) >= _BATCH:
            self.flush()

    def say(self, frame: bytes) -> None:
        """Add a ring frame that went to the caller."""
        self._said.append(self._says.silence if self.is_paused else frame)
        if len(self._said) >= _BATCH:
            self.flush()

    def change(self, says: Format) -> None:
        """Expect ring frames of another format."""
        self.flush()
        self._says = says
        self._sides = (self._sides[0], _Side(self.recording.rate, says.rate))

    def flush(self) -> None:
        """Hand on what is kept."""
        left = np.frombuffer(b"".join(self._heard), np.int16)
        right = self._says.unpack(b"".join(self._said))
        self._heard.clear()
        self._said.clear()
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

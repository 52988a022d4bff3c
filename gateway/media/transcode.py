"""Service audio to ring frames: each delta in one piece, as one endless stream.

Runs where the audio arrives, off the media thread.  What does not fill a frame waits for
the next piece, or for the end of the response, where it is filled up with silence.
"""

from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.g711 import decode_alaw, decode_ulaw
from voicecodecs.resample import StreamResampler

from .formats import Format, Law, split

__all__ = ["BYTES_PER_MS", "SERVICE_RATE", "ServiceAudio", "Transcoder"]

Pcm: TypeAlias = NDArray[np.int16]
ServiceAudio: TypeAlias = Literal["pcm24", "pcmu", "pcma"]

SERVICE_RATE: Final = 24_000
"""Samples a second of the service's own format, 16-bit little endian, mono."""

BYTES_PER_MS: Final[dict[ServiceAudio, int]] = {"pcm24": 48, "pcmu": 8, "pcma": 8}
_LAWS: Final[dict[ServiceAudio, Law]] = {"pcm24": "", "pcmu": "ulaw", "pcma": "alaw"}


class Transcoder:
    """One lane's way from what the service sends to what its telephone understands."""

    def __init__(self, service: ServiceAudio, target: Format) -> None:
        self._law = _LAWS[service]
        self._rate = 8000 if self._law else SERVICE_RATE
        self._target = target
        self._resampler = (
            StreamResampler(self._rate, target.rate) if self._rate != target.rate else None
        )
        self._odd = b""  # half a sample
        self._rest = b""  # less than a frame
        self._is_under_way = False

    def push(self, audio: bytes) -> list[bytes]:
        """Return the ring frames that ``audio`` completes."""
        self._is_under_way = True
        if self._law and self._law == self._target.law:
            return self._frames(audio)
        return self._frames(self._target.pack(self._convert(self._samples(audio))))

    def finish(self) -> list[bytes]:
        """Return the last frame, filled up, and be ready for another response."""
        tail = b""
        if (
            self._resampler is not None and self._is_under_way
        ):  # the last sound is still inside the filter
            missing = int(np.ceil(self._resampler.delay * self._rate))
            tail = self._target.pack(self._convert(np.zeros(missing, np.int16)))
        frames = self._frames(tail)
        if self._rest:
            frames += [self._rest + self._target.silence[len(self._rest) :]]
        self.reset()
        return frames

    def reset(self) -> None:
        """Forget what is under way."""
        self._odd = self._rest = b""
        self._is_under_way = False
        if self._resampler is not None:
            self._resampler.reset()

    def _samples(self, audio: bytes) -> Pcm:
        if self._law:
            return decode_ulaw(audio) if self._law == "ulaw" else decode_alaw(audio)
        if self._odd or len(audio) & 1:
            audio = self._odd + audio
            whole = len(audio) & ~1
            self._odd = audio[whole:]
            audio = audio[:whole]
        return np.frombuffer(audio, "<i2")

    def _convert(self, pcm: Pcm) -> Pcm:
        return pcm if self._resampler is None else self._resampler.process(pcm)

    def _frames(self, data: bytes) -> list[bytes]:
        data = self._rest + data if self._rest else data
        whole = len(data) - len(data) % self._target.size
        self._rest = data[whole:]
        return split(data[:whole], self._target.size)

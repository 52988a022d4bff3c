"""What is played of the agent, for whoever listens in: as it goes out, in the service's format.

The speech that a service sends comes ahead of time, and of what it sends not all is heard.
What a tick takes out of the ring is what the caller hears, when they hear it.
"""

from collections.abc import Callable, Mapping
from typing import Final

from voicecodecs.resample import StreamResampler

from ..sdp.negotiate import Codec
from .formats import PCMU, Format
from .transcode import SERVICE_RATE, ServiceAudio

__all__ = ["Tap"]

_FORMATS: Final[Mapping[ServiceAudio, Format]] = {
    "pcm24": Format("pcm", SERVICE_RATE, SERVICE_RATE, "", SERVICE_RATE // 25, is_coded=False),
    "pcmu": PCMU,
    "pcma": Format.of(Codec("PCMA", 8000)),
}


class Tap:
    """The loop's end of a tap: turns ring frames into chunks, and hands them on.

    Args:
        audio: The format of the chunks.
        on_played: Takes each chunk of 20 ms.

    """

    def __init__(self, audio: ServiceAudio, on_played: Callable[[bytes], None]) -> None:
        self._target = _FORMATS[audio]
        self._on_played = on_played
        self._source: Format | None = None
        self._resampler: StreamResampler | None = None

    def hear(self, played: tuple[bytes, Format]) -> None:
        """Take a ring frame in the lane's format, which may be another than before."""
        frame, source = played
        if source != self._source:
            self._source, target = source, self._target
            is_same = source.rate == target.rate
            self._resampler = None if is_same else StreamResampler(source.rate, target.rate)
        if source.law and source.law == self._target.law:
            self._on_played(frame)
            return
        pcm = source.unpack(frame)
        if self._resampler is not None:
            pcm = self._resampler.process(pcm)
        self._on_played(self._target.pack(pcm))

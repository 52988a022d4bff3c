"""Telephone codecs with memory: G.722 and Opus, one object for each direction of each call.

What it does: codes and decodes 20 ms frames of 16-bit samples.

How: by FFmpeg's codecs, which come with PyAV.  Opus is coded at 24 kHz, the rate of realtime
services; its decoder always gives 48 kHz, which is halved here.

The numbers: G.722 (ITU-T G.722 at 64 kbit/s) carries 16 kHz sound at an RTP clock of 8000
(RFC 3551 section 4.5.2).  Opus (RFC 6716) has an RTP clock of 48000 whatever it carries
(RFC 7587 section 4.1).
"""

from fractions import Fraction
from typing import ClassVar, Final, Literal, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

from .resample import StreamResampler

__all__ = ["G722", "Opus"]

Pcm: TypeAlias = NDArray[np.int16]

_BIT_RATE: Final = 24_000  # bit/s of Opus speech
_OPUS_OPTIONS: Final = {"application": "voip", "frame_duration": "20"}


class _Codec:
    """A pair of FFmpeg contexts, each made when it is first used."""

    name: ClassVar[str]
    rate: ClassVar[int]  # samples a second, given and taken
    clock: ClassVar[int]  # RTP clock, in hertz
    options: ClassVar[dict[str, str]] = {}

    def __init__(self) -> None:
        self._encoder: av.AudioCodecContext | None = None
        self._decoder: av.AudioCodecContext | None = None

    def encode(self, pcm: Pcm) -> bytes:
        """Code one frame of 20 ms: int16 samples at :attr:`rate`, shape ``(n,)``."""
        if self._encoder is None:
            self._encoder = self._open("w")
        frame = av.AudioFrame.from_ndarray(pcm[None, :], format="s16", layout="mono")
        frame.sample_rate = self.rate
        frame.time_base = Fraction(1, self.rate)
        return b"".join(bytes(packet) for packet in self._encoder.encode(frame))

    def decode(self, payload: bytes) -> Pcm:
        """Decode one packet into int16 samples; one that cannot be decoded gives none."""
        if self._decoder is None:
            self._decoder = self._open("r")
        try:
            frames = self._decoder.decode(av.Packet(payload)) if payload else []
        except av.FFmpegError:
            return np.zeros(0, np.int16)
        return np.concatenate([_mono(frame) for frame in frames] or [np.zeros(0, np.int16)])

    def _open(self, mode: Literal["r", "w"]) -> av.AudioCodecContext:
        context = av.CodecContext.create(av.Codec(self.name, mode))
        assert isinstance(context, av.AudioCodecContext)
        context.sample_rate = self.rate
        context.layout = "mono"
        if mode == "w":
            context.format = "s16"
            context.options = self.options
            context.bit_rate = _BIT_RATE if self.options else 64_000
        return context


class G722(_Codec):
    """G.722 at 64 kbit/s: 16 kHz sound, 160 bytes each 20 ms."""

    name = "g722"
    rate = 16_000
    clock = 8_000


class Opus(_Codec):
    """Opus for speech, mono, at 24 kHz."""

    name = "libopus"
    rate = 24_000
    clock = 48_000
    options = _OPUS_OPTIONS

    def __init__(self) -> None:
        super().__init__()
        self._halve: StreamResampler | None = None

    def decode(self, payload: bytes) -> Pcm:
        """Decode one packet into int16 samples at 24 kHz."""
        pcm = super().decode(payload)
        if self._decoder is not None and self._decoder.sample_rate == self.rate:
            return pcm
        if self._halve is None:
            self._halve = StreamResampler(48_000, self.rate)
        return self._halve.process(pcm)


def _mono(frame: av.AudioFrame) -> Pcm:
    """Return a frame's samples as int16 of one channel, shape ``(n,)``."""
    samples = frame.to_ndarray().astype(np.float32)
    if frame.format.name.startswith("flt"):
        samples *= 32768.0
    channels = len(frame.layout.channels)
    by_channel = samples if frame.format.is_planar else samples.reshape(-1, channels).T
    mono: Pcm = np.clip(np.rint(by_channel.mean(axis=0)), -32768, 32767).astype(np.int16)
    return mono

"""Telephone codecs that remember: G.722 and Opus; and L16, which does not.

What they do: each object codes both directions of one stream, a frame at a
time, between 16-bit samples at its ``rate`` and RTP payloads, whose timestamps
run at its ``clock``.

How: Opus by libopus where that can be reached, else, and G.722, by FFmpeg's
codecs through PyAV.  By those Opus decodes to 48 kHz whatever was sent, and is
brought to 24 kHz here.

=======  =======  =======  ==================================================
Codec    rate     clock    Payload
=======  =======  =======  ==================================================
G.722    16 kHz   8 kHz    ITU-T G.722 at 64 kbit/s (RFC 3551 section 4.5.2)
Opus     24 kHz   48 kHz   RFC 7587, 20 ms to a packet sent
L16      any      rate     RFC 3551 section 4.5.11
=======  =======  =======  ==================================================
"""

import functools
from fractions import Fraction
from typing import Any, Final, TypeAlias

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from .libopus import OpusDecoder, OpusEncoder, is_present
from .resample import StreamResampler

__all__ = ["G722", "L16", "Opus"]

Pcm: TypeAlias = NDArray[np.int16]

_OPUS_OPTIONS: Final = {  # as in libopus.py
    "application": "voip",
    "compression_level": "1",
    "fec": "1",
    "packet_loss": "10",
}
_OPUS_RATE: Final = 48000
_OPUS_BITS_PER_SECOND: Final = 32000


def _encoder(name: str, rate: int, **settings: Any) -> Any:
    """Open one of FFmpeg's encoders for mono 16-bit samples."""
    context: Any = av.CodecContext.create(name, "w")
    context.sample_rate, context.layout, context.format = rate, "mono", "s16"
    context.time_base = Fraction(1, rate)
    for key, value in settings.items():
        setattr(context, key, value)
    context.open()
    return context


def _decoder(name: str, rate: int) -> Any:
    """Open one of FFmpeg's decoders for mono sound."""
    context: Any = av.CodecContext.create(name, "r")
    context.sample_rate, context.layout = rate, "mono"
    return context


class _Encoder:
    """One of FFmpeg's encoders, and the sample count that ties it to time."""

    def __init__(self, name: str, rate: int, **settings: Any) -> None:
        self._context = _encoder(name, rate, **settings)
        self._rate = rate
        self._encoded = 0

    def encode(self, pcm: Pcm) -> bytes:
        frame = av.AudioFrame.from_ndarray(pcm[None, :], format="s16", layout="mono")
        frame.sample_rate = self._rate
        frame.pts = self._encoded
        self._encoded += len(pcm)
        return b"".join(bytes(packet) for packet in self._context.encode(frame))


class _Decoder:
    """One of FFmpeg's decoders; what it makes at 48 kHz is brought to ``rate``."""

    def __init__(self, name: str, decoded: int, rate: int) -> None:
        self._context = _decoder(name, decoded)
        self._narrow = StreamResampler(decoded, rate) if decoded != rate else None
        self._usual = np.zeros(0, np.int16)
        self.undecodable = 0

    def decode(self, payload: bytes) -> Pcm:
        pcm = self._decode(payload)
        return pcm if self._narrow is None else self._narrow.process(pcm)

    def _decode(self, payload: bytes) -> Pcm:
        if not payload:
            return np.zeros(0, np.int16)
        try:
            frames = self._context.decode(av.Packet(payload))
        except av.error.FFmpegError:
            self.undecodable += 1
            return self._usual
        pcm = np.concatenate([np.zeros(0, np.int16), *(f.to_ndarray()[0] for f in frames)])
        if len(pcm) != len(self._usual):
            self._usual = np.zeros(len(pcm), np.int16)
        return pcm


class G722:
    """One stream of G.722, both directions."""

    rate: Final = 16000
    clock: Final = 8000  # the RFC keeps an old mistake: half the real rate

    def __init__(self) -> None:
        self._encoder = _Encoder("g722", self.rate)
        self._decoder = _Decoder("g722", self.rate, self.rate)

    @property
    def undecodable(self) -> int:
        """How many payloads were not G.722."""
        return self._decoder.undecodable

    def encode(self, pcm: Pcm) -> bytes:
        """Compress samples, an even number of them, to half as many octets."""
        return self._encoder.encode(pcm)

    def decode(self, payload: bytes) -> Pcm:
        """Expand a payload to two samples an octet."""
        return self._decoder.decode(payload)

    def stand_in(self, samples: int, following: bytes | None) -> None:
        """Return nothing: the codec has no concealment of its own."""
        del samples, following


class Opus:
    """One stream of mono Opus, both directions; what is not used of it costs nothing."""

    rate: Final = 24000
    clock: Final = 48000

    @functools.cached_property
    def _encoder(self) -> OpusEncoder | _Encoder:
        if is_present():
            return OpusEncoder()
        settings = {"bit_rate": _OPUS_BITS_PER_SECOND, "options": _OPUS_OPTIONS}
        return _Encoder("libopus", self.rate, **settings)

    @functools.cached_property
    def _decoder(self) -> OpusDecoder | _Decoder:
        return OpusDecoder() if is_present() else _Decoder("libopus", _OPUS_RATE, self.rate)

    @property
    def undecodable(self) -> int:
        """How many payloads were not Opus."""
        return self._decoder.undecodable

    def encode(self, pcm: Pcm) -> bytes:
        """Compress one frame of 20 ms: 480 samples."""
        return self._encoder.encode(pcm)

    def decode(self, payload: bytes) -> Pcm:
        """Expand a payload of any duration; of a broken one, something as long as the last."""
        return self._decoder.decode(payload)

    def stand_in(self, samples: int, following: bytes | None) -> Pcm | None:
        """Return ``samples`` in the place of lost ones, ``None`` where the codec has none to give.

        ``following`` is the packet behind them, which may have a copy of the last.
        """
        if isinstance(self._decoder, OpusDecoder):
            return self._decoder.stand_in(samples, following)
        return None


class L16:
    """Samples as they are, in network order.

    Args:
        rate: Samples a second, and so the RTP clock.

    """

    def __init__(self, rate: int = 16000) -> None:
        self.rate = self.clock = rate

    def encode(self, pcm: Pcm) -> bytes:
        """Put samples in network order."""
        return pcm.astype(">i2").tobytes()

    def decode(self, payload: bytes) -> Pcm:
        """Read samples in network order; half a sample at the end is dropped."""
        return np.frombuffer(payload, ">i2", count=len(payload) // 2).astype(np.int16)

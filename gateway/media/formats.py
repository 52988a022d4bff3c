"""Formats: how a telephone codec's sound is kept in the ring, coded, and put on the wire.

A *ring frame* is 20 ms.  Codecs without memory (G.711, L16) are coded once, in bulk, when
sound is queued, and a ring frame is what goes into the packet.  Codecs with memory (G.722,
Opus) must be coded in the order of sending, so their ring frames are 16-bit samples and
each lane has its own coder.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.g711 import (
    ALAW_SILENCE,
    ULAW_SILENCE,
    decode_alaw,
    decode_ulaw,
    encode_alaw,
    encode_ulaw,
)
from voicecodecs.resample import StreamResampler
from voicecodecs.wideband import G722, Opus

from ..sdp.negotiate import Codec
from .playout import FRAME_MS

__all__ = ["PCMU", "Coder", "Format", "Law", "reframe", "split"]

Pcm: TypeAlias = NDArray[np.int16]
Law: TypeAlias = Literal["", "ulaw", "alaw"]


class Coder(Protocol):
    """A codec with memory, one lane's."""

    def encode(self, pcm: Pcm) -> bytes:
        """Code one frame of int16 samples."""
        ...

    def decode(self, payload: bytes) -> Pcm:
        """Return the int16 samples of one packet."""
        ...

    def stand_in(self, samples: int, following: bytes | None) -> Pcm | None:
        """Return what the codec itself puts in the place of lost samples, ``None`` for nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """One telephone codec.

    Attributes:
        name: the codec's name in SDP.
        rate: samples a second of the sound it carries.
        clock: RTP clock, in Hz.
        law: which G.711 it is, or "" for any other codec.
        size: bytes of a ring frame.
        is_coded: a ring frame is a payload; otherwise it is samples for the lane's coder.

    """

    name: str
    rate: int
    clock: int
    law: Law
    size: int
    is_coded: bool

    @classmethod
    def of(cls, codec: Codec) -> "Format":
        """Return the format of a negotiated codec."""
        name = codec.name.upper()
        if name in _LAWS:
            return cls(codec.name, 8000, 8000, _LAWS[name], 160, True)
        if name == "L16":
            return cls(codec.name, codec.rate, codec.rate, "", codec.rate // 25, True)
        rate = G722.rate if name == "G722" else Opus.rate
        return cls(codec.name, rate, codec.rate, "", rate // 25, False)

    @property
    def samples(self) -> int:
        """Samples of a ring frame."""
        return self.rate * FRAME_MS // 1000

    @property
    def step(self) -> int:
        """Clock units of a ring frame."""
        return self.clock * FRAME_MS // 1000

    @property
    def silence(self) -> bytes:
        """A ring frame of silence."""
        return bytes([_SILENCE[self.law]]) * self.size

    def pack(self, pcm: Pcm) -> bytes:
        """Turn samples at :attr:`rate` into ring bytes."""
        if self.law:
            return _ENCODE[self.law](pcm).tobytes()
        return (pcm.astype(">i2") if self.is_coded else pcm).tobytes()

    def unpack(self, data: bytes) -> Pcm:
        """Turn ring bytes back into samples at :attr:`rate`."""
        if self.law:
            return _DECODE[self.law](data)
        if self.is_coded:
            return np.frombuffer(data[: len(data) & ~1], ">i2").astype(np.int16)
        return np.frombuffer(data, np.int16)

    def coder(self) -> Coder | None:
        """Return a new coder for a codec with memory, ``None`` for one without."""
        if self.is_coded:
            return None
        return G722() if self.name.upper() == "G722" else Opus()


_LAWS: Final[dict[str, Law]] = {"PCMU": "ulaw", "PCMA": "alaw"}
_SILENCE: Final[dict[Law, int]] = {"": 0, "ulaw": ULAW_SILENCE, "alaw": ALAW_SILENCE}
_ENCODE: Final = {"ulaw": encode_ulaw, "alaw": encode_alaw}
_DECODE: Final = {"ulaw": decode_ulaw, "alaw": decode_alaw}

PCMU: Final = Format.of(Codec("PCMU", 8000))
"""What a lane speaks until something else is negotiated."""


def split(data: bytes, size: int) -> list[bytes]:
    """Cut ``data`` into pieces of ``size``; its length must be a multiple."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def reframe(frames: Iterable[bytes], old: Format, new: Format) -> Sequence[bytes]:
    """Rewrite ring frames of one format as as many of another."""
    frames = list(frames)
    pcm = old.unpack(b"".join(frames))
    if old.rate != new.rate:
        pcm = StreamResampler(old.rate, new.rate).process(pcm)
    short = len(frames) * new.samples - len(pcm)
    return split(new.pack(np.pad(pcm, (0, short))), new.size)

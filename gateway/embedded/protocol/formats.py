"""Audio as it stands on the wire: 24 kHz PCM, or G.711 at 8 kHz."""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.g711 import decode_alaw, decode_ulaw, encode_alaw, encode_ulaw
from voicecodecs.resample import StreamResampler

__all__ = ["BYTES_PER_MS", "RATES", "Decoder", "Encoder", "pack"]

Pcm: TypeAlias = NDArray[np.int16]

RATES: Final = {"audio/pcm": 24000, "audio/pcmu": 8000, "audio/pcma": 8000}
BYTES_PER_MS: Final = {"audio/pcm": 48, "audio/pcmu": 8, "audio/pcma": 8}


class Decoder:
    """Turns a client's bytes into samples at the format's own rate; half samples are kept."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.rate = RATES[kind]
        self._rest = b""

    def decode(self, data: bytes) -> Pcm:
        """Return the samples of ``data``: int16."""
        if self.kind == "audio/pcmu":
            return decode_ulaw(data)
        if self.kind == "audio/pcma":
            return decode_alaw(data)
        data = self._rest + data
        whole = len(data) & ~1
        self._rest = data[whole:]
        return np.frombuffer(data[:whole], "<i2")


class Encoder:
    """Turns 24 kHz speech into the bytes of a format; one per stream."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.bytes_per_ms = BYTES_PER_MS[kind]
        self._resampler = None if kind == "audio/pcm" else StreamResampler(24000, 8000)

    def encode(self, pcm: Pcm) -> bytes:
        """Return the bytes of ``pcm``: int16 at 24 kHz."""
        return pack(self.kind, self._resampler.process(pcm) if self._resampler else pcm)


def pack(kind: str, pcm: Pcm) -> bytes:
    """Return samples at the format's own rate as the format's bytes."""
    if kind == "audio/pcmu":
        return encode_ulaw(pcm).tobytes()
    if kind == "audio/pcma":
        return encode_alaw(pcm).tobytes()
    return pcm.astype("<i2", copy=False).tobytes()

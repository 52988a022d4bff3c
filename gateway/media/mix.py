"""Two people in one stream: what the service hears where it listens to both legs of a call."""

from typing import Final

import numpy as np
from voicecodecs.g711 import (
    ALAW_SILENCE,
    ULAW_SILENCE,
    decode_alaw,
    decode_ulaw,
    encode_alaw,
    encode_ulaw,
)

from .transcode import ServiceAudio

__all__ = ["SILENCE", "mix"]

SILENCE: Final[dict[ServiceAudio, bytes]] = {
    "pcm24": b"\0",
    "pcmu": bytes([ULAW_SILENCE]),
    "pcma": bytes([ALAW_SILENCE]),
}
"""The byte that silence is made of."""


def mix(one: bytes, other: bytes, of: ServiceAudio) -> bytes:
    """Return a chunk in which two are heard at once, as long as the longer, clipped to 16 bits."""
    length = max(len(one), len(other))
    one, other = (chunk.ljust(length, SILENCE[of]) for chunk in (one, other))
    if of == "pcm24":
        both = np.frombuffer(one, "<i2").astype(np.int32) + np.frombuffer(other, "<i2")
        mixed: bytes = both.clip(-32768, 32767).astype("<i2").tobytes()
        return mixed
    decode, encode = (decode_ulaw, encode_ulaw) if of == "pcmu" else (decode_alaw, encode_alaw)
    both = decode(one).astype(np.int32) + decode(other)
    return encode(both.clip(-32768, 32767).astype(np.int16)).tobytes()

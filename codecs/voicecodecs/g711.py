"""G.711: companded telephone audio, eight bits a sample (ITU-T G.711).

What it does: expands A-law and µ-law octets to 16-bit samples and back, for
one frame or for a whole batch of calls at once.

How: both laws are pure look-ups.  A decoder is a table of 256 levels, worked
out from the segment formula of the recommendation (tables 1 and 2, character
signals as sent on the wire).  An encoder is that table turned round once at
import: one octet for each of the 65,536 samples.  Every octet survives decode
and encode unchanged, except µ-law's negative zero.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ALAW_SILENCE",
    "ULAW_SILENCE",
    "decode_alaw",
    "decode_ulaw",
    "encode_alaw",
    "encode_ulaw",
]

Pcm: TypeAlias = NDArray[np.int16]
Octets: TypeAlias = NDArray[np.uint8]

ULAW_SILENCE: Final = 0xFF
"""The µ-law octet of a zero sample."""

ALAW_SILENCE: Final = 0xD5
"""The A-law octet of the smallest positive sample; A-law has no zero."""

_BIAS: Final = 33  # puts the µ-law segments end to end, on the 14-bit grid


def _ulaw_levels() -> Pcm:
    """Return the level of each µ-law octet (bits sent inverted)."""
    code = ~np.arange(256, dtype=np.uint8)
    segment = (code >> 4) & 7
    step = (code & 15).astype(np.int32)
    magnitude = (((2 * step + _BIAS) << segment) - _BIAS) << 2
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_levels() -> Pcm:
    """Return the level of each A-law octet (even bits sent inverted)."""
    code = np.arange(256, dtype=np.uint8) ^ np.uint8(0x55)
    segment = ((code >> 4) & 7).astype(np.int32)
    step = (code & 15).astype(np.int32)
    start = np.where(segment > 0, 2 * step + _BIAS, 2 * step + 1)
    magnitude = (start << np.maximum(segment - 1, 0)) << 3
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _turn_round(levels: Pcm) -> Octets:
    """Return the nearest octet of every sample, indexed by the sample's unsigned bits.

    Samples are first cut to 14 bits, the finest step either law knows.  One
    half-way between two levels takes the level further from zero.
    """
    cut = np.arange(-32768, 32768, dtype=np.int32) >> 2
    sizes = np.abs(levels.astype(np.int32)) >> 2
    octets = np.empty(65536, np.uint8)
    for samples, codes in ((cut < 0, levels < 0), (cut >= 0, levels >= 0)):
        ranked = np.flatnonzero(codes)
        ranked = ranked[np.argsort(sizes[ranked], kind="stable")]
        middles = (sizes[ranked[:-1]] + sizes[ranked[1:]] + 1) >> 1
        octets[samples] = ranked[np.searchsorted(middles, np.abs(cut[samples]), side="right")]
    return np.roll(octets, 32768)


_ULAW_LEVELS: Final = _ulaw_levels()
_ALAW_LEVELS: Final = _alaw_levels()
_ULAW_OCTETS: Final = _turn_round(_ULAW_LEVELS)
_ALAW_OCTETS: Final = _turn_round(_ALAW_LEVELS)


def _octets(payload: bytes | bytearray | memoryview | Octets) -> Octets:
    return payload if isinstance(payload, np.ndarray) else np.frombuffer(payload, np.uint8)


def decode_ulaw(payload: bytes | bytearray | memoryview | Octets) -> Pcm:
    """Expand µ-law octets, an array of any shape or raw bytes, to 16-bit samples."""
    return _ULAW_LEVELS.take(_octets(payload))


def decode_alaw(payload: bytes | bytearray | memoryview | Octets) -> Pcm:
    """Expand A-law octets, an array of any shape or raw bytes, to 16-bit samples."""
    return _ALAW_LEVELS.take(_octets(payload))


def encode_ulaw(pcm: Pcm) -> Octets:
    """Compress 16-bit samples of any shape to µ-law octets of the same shape."""
    return _ULAW_OCTETS.take(pcm.view(np.uint16))


def encode_alaw(pcm: Pcm) -> Octets:
    """Compress 16-bit samples of any shape to A-law octets of the same shape."""
    return _ALAW_OCTETS.take(pcm.view(np.uint16))

"""Both laws of G.711 in one table, so that lanes of either are decoded in one step."""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.g711 import decode_alaw, decode_ulaw

__all__ = ["BOTH_LAWS", "LAW_OFFSET"]

Pcm: TypeAlias = NDArray[np.int16]

BOTH_LAWS: Final[Pcm] = np.concatenate(
    [decode_ulaw(bytes(range(256))), decode_alaw(bytes(range(256)))]
)
"""Samples by code, to which the law's offset is added."""

LAW_OFFSET: Final = {"ulaw": 0, "alaw": 256}

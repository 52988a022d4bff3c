"""How loud telephone audio is, for many calls at once.

What it does: gives the level of each lane of a batch in either of the two
scales of the trade.  *dBov* is relative to the overload of a 16-bit sample, a
full-scale square wave (RFC 6465 section 3 carries it negated in one octet, so
silence is -127).  *dBm0* is relative to the telephone network's reference
tone; a full-scale sine is 3.14 dBm0 (ITU-T G.711 table 1) and -3.01 dBov, so
the two scales are 6.15 dB apart.
"""

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["DBM0_FULL_SCALE_SINE", "SILENCE_DBOV", "level_dbov", "rms_dbm0", "sine_amplitude"]

Samples: TypeAlias = NDArray[Any]
Levels: TypeAlias = NDArray[np.float64]

DBM0_FULL_SCALE_SINE: Final = 3.14
"""The level of a full-scale sine, in dBm0."""

SILENCE_DBOV: Final = -127.0
"""The level of digital silence, and the lowest that is told."""

_DBOV_TO_DBM0: Final = DBM0_FULL_SCALE_SINE + 10 * float(np.log10(2))


def level_dbov(pcm: Samples) -> Levels:
    """Return the level of each lane in dBov, -127 to 0.

    Args:
        pcm: Samples on the 16-bit scale, shape ``(..., samples)``.

    Returns:
        One level a lane, shape ``(...,)``.

    """
    x = pcm.astype(np.float32)
    samples = max(x.shape[-1], 1)
    power = np.einsum("...i,...i->...", x, x).astype(np.float64) / (samples * 32768.0**2)
    floor = 10 ** (SILENCE_DBOV / 10)
    levels: Levels = 10 * np.log10(np.maximum(power, floor))
    return levels


def rms_dbm0(pcm: Samples) -> Levels:
    """Return the level of each lane in dBm0; arguments as for :func:`level_dbov`."""
    return level_dbov(pcm) + _DBOV_TO_DBM0


def sine_amplitude(level_dbm0: float) -> float:
    """Return the peak, on the 16-bit scale, of a sine at ``level_dbm0``."""
    return float(32768 * 10 ** ((level_dbm0 - DBM0_FULL_SCALE_SINE) / 20))

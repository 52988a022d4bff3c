"""Tones a telephone makes: keys (DTMF), single frequencies, and two of North America's.

What it does: renders finished 16-bit tones at any rate.

How: exact sums of sines with raised-cosine edges of 2 ms, so that a tone
neither clicks nor spreads.  A key is one of four row frequencies and one of
four column frequencies (ITU-T Q.23); the column is sent 2 dB louder, because
the line takes more of it.  Levels are in dBm0, for each sine of a tone.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .level import sine_amplitude

__all__ = [
    "COLUMNS",
    "KEYS",
    "ROWS",
    "busy_tone",
    "chord",
    "dtmf_tone",
    "ringback_tone",
    "tone",
]

Pcm: TypeAlias = NDArray[np.int16]

ROWS: Final = (697, 770, 852, 941)
"""The row frequencies of the keypad, in hertz, top to bottom."""

COLUMNS: Final = (1209, 1336, 1477, 1633)
"""The column frequencies of the keypad, in hertz, left to right."""

KEYS: Final = "123A456B789C*0#D"
"""The keypad, row by row."""

_EDGE_S: Final = 0.002


def dtmf_tone(
    key: str,
    duration_ms: int,
    rate: int = 8000,
    level_dbm0: float = -9.0,
    twist_db: float = 2.0,
) -> Pcm:
    """Render one key of the keypad.

    Args:
        key: One of :data:`KEYS`.
        duration_ms: How long the key is held.
        rate: Samples a second.
        level_dbm0: Level of the row sine.
        twist_db: How much louder the column sine is.

    Raises:
        ValueError: There is no such key.

    """
    if len(key) != 1 or (place := KEYS.find(key.upper())) < 0:
        raise ValueError(f"{key!r} is not a key: expected one of {KEYS}")
    row, column = ROWS[place // 4], COLUMNS[place % 4]
    return chord([(row, level_dbm0), (column, level_dbm0 + twist_db)], duration_ms, rate)


def tone(frequency: float, duration_ms: int, rate: int = 8000, level_dbm0: float = -10.0) -> Pcm:
    """Render a single sine of ``frequency`` hertz."""
    return chord([(frequency, level_dbm0)], duration_ms, rate)


def ringback_tone(duration_ms: int, rate: int = 8000, level_dbm0: float = -19.0) -> Pcm:
    """Render what a caller hears while the far end rings: 440 + 480 Hz, 2 s on, 4 s off."""
    return _cadence((440, 480), 2000, 4000, duration_ms, rate, level_dbm0)


def busy_tone(duration_ms: int, rate: int = 8000, level_dbm0: float = -24.0) -> Pcm:
    """Render what a caller hears when the far end is busy: 480 + 620 Hz, half a second each way."""
    return _cadence((480, 620), 500, 500, duration_ms, rate, level_dbm0)


def chord(sines: list[tuple[float, float]], duration_ms: int, rate: int = 8000) -> Pcm:
    """Render several ``(hertz, dBm0)`` sines at once, their edges rounded off."""
    count = duration_ms * rate // 1000
    time = np.arange(count) / rate
    wave = np.zeros(count)
    for frequency, level in sines:
        wave += sine_amplitude(level) * np.sin(2 * np.pi * frequency * time)
    edge = min(round(_EDGE_S * rate), count // 2)
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / max(edge, 1))
    wave[:edge] *= rise
    wave[count - edge :] *= rise[::-1]
    pcm: Pcm = np.rint(wave.clip(-32768, 32767)).astype(np.int16)
    return pcm


def _cadence(
    frequencies: tuple[float, float],
    on_ms: int,
    off_ms: int,
    duration_ms: int,
    rate: int,
    level_dbm0: float,
) -> Pcm:
    burst = chord([(frequency, level_dbm0) for frequency in frequencies], on_ms, rate)
    period = np.concatenate([burst, np.zeros(off_ms * rate // 1000, np.int16)])
    return np.resize(period, duration_ms * rate // 1000)

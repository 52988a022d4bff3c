"""Call-progress tones by name, or as they are written: frequencies and how long each sounds.

What it does: reads ``busy`` or ``425/500,0/500`` and renders it at any rate.

How: a tone is a round of parts, each of so many milliseconds of silence (0 hertz) or of one or
more sines at once (``440+480``).  The named ones are those of ITU-T E.180, with the one frequency
and the cadences that ETSI's countries have in common (ETSI TR 101 041-2): 425 Hz, ringing 1 s in
5 s, busy half a second in each.

==============  =========================================================  ==========
name            one round                                                  heard once
==============  =========================================================  ==========
``dial``        425 Hz                                                     5 s
``ringback``    425 Hz for 1 s, silence for 4 s                            1 round
``busy``        425 Hz for 500 ms, silence for 500 ms                      5 rounds
``congestion``  425 Hz for 250 ms, silence for 250 ms                      10 rounds
``waiting``     425 Hz for 200 ms, 600 ms, 200 ms, silence for 3 s         1 round
``information`` 950, 1400 and 1800 Hz for 330 ms each, silence for 1 s     2 rounds
``beep``        1000 Hz for 400 ms                                         1 round
``silence``     silence for 1 s                                            1 round
==============  =========================================================  ==========
"""

from dataclasses import dataclass
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .tones import chord

__all__ = ["NAMED", "Cadence"]

Pcm: TypeAlias = NDArray[np.int16]

_MOST_PARTS: Final = 32
_MOST_SINES: Final = 4
_LONGEST_MS: Final = 60_000
_HIGHEST: Final = 3900
_LEVEL: Final = -13.0  # dBm0, of all sines of a part together

NAMED: Final[dict[str, tuple[str, int]]] = {
    "dial": ("425/5000", 1),
    "ringback": ("425/1000,0/4000", 1),
    "busy": ("425/500,0/500", 5),
    "congestion": ("425/250,0/250", 10),
    "waiting": ("425/200,0/600,425/200,0/3000", 1),
    "information": ("950/330,1400/330,1800/330,0/1000", 2),
    "beep": ("1000/400", 1),
    "silence": ("0/1000", 1),
}
"""What each name stands for, and how many rounds of it are heard where it is not repeated."""


@dataclass(frozen=True, slots=True)
class Cadence:
    """A tone: its parts as ``(hertz, milliseconds)``, and the rounds that make it whole."""

    parts: tuple[tuple[tuple[int, ...], int], ...]
    rounds: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a name, or parts such as ``425/480,0/480`` and ``440+480/2000,0/4000``.

        Raises:
            ValueError: It is neither, or longer, higher or more than a tone may be.

        """
        written, rounds = NAMED.get(text, (text, 1))
        parts = tuple(_part(part, text) for part in written.split(","))
        if len(parts) > _MOST_PARTS:
            raise ValueError(f"the tone {text!r} has more than {_MOST_PARTS} parts")
        if sum(duration for _, duration in parts) > _LONGEST_MS:
            raise ValueError(f"the tone {text!r} is longer than {_LONGEST_MS // 1000} s")
        return cls(parts, rounds)

    def render(self, rate: int = 8000) -> Pcm:
        """Return one round at ``rate`` samples a second, int16."""
        return np.concatenate([_sound(hertz, duration, rate) for hertz, duration in self.parts])


def _part(text: str, of: str) -> tuple[tuple[int, ...], int]:
    frequencies, _, duration = text.strip().partition("/")
    numbers = [*frequencies.split("+"), duration]
    if not all(number.isascii() and number.isdigit() for number in numbers):
        known = ", ".join(NAMED)
        raise ValueError(f"{of!r} is not a tone: write {known}, or HERTZ/MS,HERTZ/MS")
    hertz = tuple(int(number) for number in numbers[:-1])
    if len(hertz) > _MOST_SINES or max(hertz) > _HIGHEST or not int(duration):
        raise ValueError(
            f"the tone {of!r} cannot be heard: a part is of 1 to {_MOST_SINES} frequencies up to "
            f"{_HIGHEST} Hz, for 1 ms or more"
        )
    return hertz, int(duration)


def _sound(hertz: tuple[int, ...], duration_ms: int, rate: int) -> Pcm:
    sines = [frequency for frequency in hertz if frequency]
    level = _LEVEL - 10 * float(np.log10(max(1, len(sines))))
    return chord([(frequency, level) for frequency in sines], duration_ms, rate)

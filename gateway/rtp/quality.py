"""How a call sounds, guessed from what was lost and how late it came: the E-model.

ITU-T G.107 with its default parameters, so that only delay, codec and loss are
left: R = 93.2 - Id(delay) - Ie,eff(codec, loss).  Ie and Bpl of G.711 with
concealment are those of G.113 appendix I; wideband codecs are rated on the same
narrowband scale, as a telephone call is, and no better than G.711.
"""

import math
from typing import Final

__all__ = ["mos", "r_factor"]

_BEST: Final = 93.2
_IMPAIRMENT_CEILING: Final = 95.0
# codec -> (equipment impairment Ie, robustness to loss Bpl), both with concealment
_CODECS: Final[dict[str, tuple[float, float]]] = {
    "PCMU": (0.0, 25.1),
    "PCMA": (0.0, 25.1),
    "G722": (0.0, 25.1),
    "L16": (0.0, 25.1),
    "opus": (0.0, 25.1),
}
_UNKNOWN_CODEC: Final = (10.0, 10.0)


def _delay_impairment(seconds: float) -> float:
    """Return Idd (G.107 section 7.4): nothing up to 100 ms, then ever more."""
    if seconds <= 0.100:
        return 0.0
    x = math.log2(seconds / 0.100)
    return 25 * (math.pow(1 + x**6, 1 / 6) - 3 * math.pow(1 + (x / 3) ** 6, 1 / 6) + 2)


def r_factor(codec: str, *, loss: float, delay: float = 0.0, burstiness: float = 1.0) -> float:
    """Return the transmission rating R, 0 to 93.2.

    ``loss`` is the part of the packets lost or too late, 0 to 1; ``delay`` the one-way
    delay from mouth to ear in seconds; ``burstiness`` is 1 when losses are independent.
    """
    impairment, robustness = _CODECS.get(codec, _UNKNOWN_CODEC)
    percent = 100 * min(max(loss, 0.0), 1.0)
    spread = percent / burstiness + robustness
    impairment += (_IMPAIRMENT_CEILING - impairment) * percent / spread
    return max(0.0, _BEST - _delay_impairment(delay) - impairment)


def mos(r: float) -> float:
    """Return the mean opinion score, 1 to 4.5, of a rating (G.107 annex B)."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)

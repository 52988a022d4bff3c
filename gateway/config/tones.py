"""How a tone is written: by its name, or as ``HERTZ/MS,HERTZ/MS``, several hertz with ``+``."""

import re
from typing import Final

__all__ = ["TONES", "fault_of_tone"]

TONES: Final = (
    "dial", "ringback", "busy", "congestion", "waiting", "information", "beep", "silence",
)  # fmt: skip
_PART: Final = re.compile(r"\s*([0-9]+(?:\+[0-9]+){0,3})/([0-9]+)\s*", re.ASCII)
_HIGHEST: Final = 3900  # hertz
_LONGEST: Final = 60_000  # milliseconds, of a whole round
_MOST_PARTS: Final = 32


def fault_of_tone(text: str) -> str:
    """Say why nobody could play this, or return nothing."""
    if text in TONES:
        return ""
    parts = [_PART.fullmatch(part) for part in text.split(",")]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or len(parts) > _MOST_PARTS:
        return f"{text!r} is no tone; write {', '.join(TONES)}, or HERTZ/MS,HERTZ/MS"
    lengths = [int(part[2]) for part in known]
    hertz = [int(one) for part in known for one in part[1].split("+")]
    if min(lengths) < 1 or sum(lengths) > _LONGEST or max(hertz) > _HIGHEST:
        return f"{text!r} cannot be heard; a part has up to {_HIGHEST} Hz, a round up to 60 s"
    return ""

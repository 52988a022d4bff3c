"""The codecs a description can name: payload numbers, clocks, and what this gateway speaks.

RFC 3551 section 6 gives the static numbers; RFC 4566 section 6 the ``rtpmap``
that names all others.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from .description import MediaDescription

__all__ = ["EVENTS", "NOISE", "SUPPORTED", "Codec", "accepts_flash", "listed_codecs"]

EVENTS: Final = "telephone-event"
NOISE: Final = "CN"

_RTPMAP: Final = re.compile(r"([0-9]{1,3})\s+([^/\s]+)\s*/\s*([0-9]{1,6})(?:\s*/\s*([0-9]{1,2}))?")
_NUMBER: Final = re.compile(r"[0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class Codec:
    """One encoding under the payload number that one side gave it.

    ``rate`` is the RTP clock in Hz, which for G.722 is 8000 though it carries
    16 kHz sound (RFC 3551 section 4.5.2).
    """

    name: str
    rate: int
    channels: int = 1
    payload_type: int = 0
    fmtp: str = ""

    @property
    def key(self) -> tuple[str, int, int]:
        """What makes two codecs the same, whatever their numbers and parameters."""
        return self.name, self.rate, self.channels

    @property
    def rtpmap(self) -> str:
        """The value of the ``rtpmap`` attribute."""
        channels = f"/{self.channels}" if self.channels > 1 else ""
        return f"{self.payload_type} {self.name}/{self.rate}{channels}"


SUPPORTED: Final[dict[str, tuple[Codec, ...]]] = {
    "PCMU": (Codec("PCMU", 8000, 1, 0),),
    "PCMA": (Codec("PCMA", 8000, 1, 8),),
    "G722": (Codec("G722", 8000, 1, 9),),
    "opus": (Codec("opus", 48000, 2, 107),),
    "L16": (Codec("L16", 16000, 1, 108), Codec("L16", 8000, 1, 109)),
}
"""What may be configured, with the payload numbers our own offers use."""

_STATIC: Final[dict[int, Codec]] = {
    codec.payload_type: codec
    for codec in (
        Codec("PCMU", 8000, 1, 0),
        Codec("PCMA", 8000, 1, 8),
        Codec("G722", 8000, 1, 9),
        Codec(NOISE, 8000, 1, 13),
    )
}
# Encoding names compare without regard to case; these spellings are the ones we use.
_SPELLING: Final = {name.lower(): name for name in (*SUPPORTED, EVENTS, NOISE)}


def _payload_type(text: str) -> int | None:
    number = int(text) if _NUMBER.fullmatch(text) else 128
    return number if number < 128 else None


def _mapped(values: Iterable[str]) -> dict[int, Codec]:
    """Return the codec each ``rtpmap`` names; one that cannot be read names none."""
    codecs = {}
    for match in filter(None, map(_RTPMAP.match, values)):
        number = int(match[1])
        name = _SPELLING.get(match[2].lower(), match[2])
        # Opus is always declared with two channels; some leave them out (RFC 7587 section 7).
        channels = 2 if name == "opus" else int(match[4] or 1)
        codecs[number] = Codec(name, int(match[3]), channels, number)
    return codecs


def listed_codecs(section: MediaDescription) -> list[Codec]:
    """Return what a section lists, in its order of preference.

    A number that is neither mapped nor one of the static ones we know, or is no
    payload number at all, names nothing and is passed over.
    """
    known = _STATIC | _mapped(section.attributes("rtpmap"))
    fmtp = {}
    for value in section.attributes("fmtp"):
        number, _, parameters = value.partition(" ")
        fmtp[_payload_type(number)] = parameters.strip()
    numbers = dict.fromkeys(map(_payload_type, section.formats))
    return [
        replace(known[number], fmtp=fmtp.get(number, ""))
        for number in numbers
        if number is not None and number in known
    ]


def accepts_flash(events: Codec) -> bool:
    """Say whether a telephone-event's ``fmtp`` covers event 16, the hook flash.

    Without an ``fmtp`` only 0-15 are meant (RFC 4733 section 2.4.1).
    """
    spans = events.fmtp.rpartition("events=")[2]
    for span in spans.split(","):
        low, dash, high = (part.strip() for part in span.partition("-"))
        high = high if dash else low
        if _NUMBER.fullmatch(low) and _NUMBER.fullmatch(high) and int(low) <= 16 <= int(high):
            return True
    return False

"""The media sections that we write."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from .codecs import EVENTS, Codec, accepts_flash
from .description import Line, MediaDescription
from .stream import Direction

__all__ = ["audio_section", "numbered", "redirected", "with_events"]

# Keys at each clock that a codec of ours may have, for our own offers.
_OFFERED_EVENTS: Final = (
    Codec(EVENTS, 8000, 1, 101, "0-16"),
    Codec(EVENTS, 16000, 1, 102, "0-16"),
    Codec(EVENTS, 48000, 1, 103, "0-16"),
)
_DYNAMIC: Final = range(96, 128)


def with_events(codecs: Sequence[Codec]) -> list[Codec]:
    """Return what an offer of these lists: them, and keys at each of their clocks."""
    clocks = {codec.rate for codec in codecs} | {8000}
    return [*codecs, *(event for event in _OFFERED_EVENTS if event.rate in clocks)]


def numbered(codecs: Iterable[Codec], known: Sequence[Codec]) -> list[Codec]:
    """Return codecs under the numbers they had before, and others under numbers that are free.

    Within a session a number never comes to mean something else (RFC 3264 section 8.3.2).
    """
    before = {codec.key: codec for codec in reversed(known)}
    taken = {codec.payload_type for codec in known}
    numbers = []
    for codec in codecs:
        if (same := before.get(codec.key)) is not None:
            codec = same
        elif codec.payload_type in taken:
            free = next(number for number in _DYNAMIC if number not in taken)
            codec = replace(codec, payload_type=free)
        taken.add(codec.payload_type)
        numbers.append(codec)
    return numbers


def audio_section(
    port: int,
    protocol: str,
    codecs: list[Codec],
    direction: Direction,
    ms: int,
    *,
    is_mux: bool,
    keys: list[Line],
) -> MediaDescription:
    """Return a section for sound at our port, ``keys`` being its ``a=crypto`` lines."""
    lines: list[Line] = [("a", f"rtpmap:{codec.rtpmap}") for codec in codecs]
    for codec in codecs:
        if codec.name == EVENTS:
            span = "0-16" if accepts_flash(codec) else "0-15"
            lines.append(("a", f"fmtp:{codec.payload_type} {span}"))
    lines += [("a", f"ptime:{ms}"), ("a", direction)]
    if is_mux:
        lines.append(("a", "rtcp-mux"))
    formats = [str(codec.payload_type) for codec in codecs]
    return MediaDescription("audio", port, protocol, formats, lines + keys)


def redirected(section: MediaDescription, direction: Direction) -> MediaDescription:
    """Return a copy of one of our sections with another direction."""
    if not section.port:
        return section
    known = ("sendrecv", "sendonly", "recvonly", "inactive")
    lines = [("a", direction) if line[1] in known else line for line in section.lines]
    return replace(section, lines=lines)

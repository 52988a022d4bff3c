"""Session descriptions as they stand on the wire (RFC 4566, RFC 8866).

The model keeps every line, known or not, in its order: what is read can be
written back.  Meaning (codecs, directions, who may send) is a floor up, in
:mod:`gateway.sdp.negotiate`.
"""

import re
from dataclasses import dataclass, field
from typing import Final, Self, TypeAlias

from ..errors import SdpError

__all__ = ["Line", "MediaDescription", "SessionDescription"]

Line: TypeAlias = tuple[str, str]
"""One line: its letter and what follows the equals sign."""

MAX_BYTES: Final = 65_536
MAX_LINES: Final = 2_000
MAX_MEDIA: Final = 32

_LINE: Final = re.compile(r"[ \t]*([a-zA-Z])[ \t]*=(.*)", re.DOTALL)
_MEDIA: Final = re.compile(r"(\S+)\s+([0-9]{1,5})(?:/([0-9]{1,5}))?\s+(\S+)\s+(\S.*)", re.DOTALL)


def _attributes(lines: list[Line], name: str) -> list[str]:
    """Return the values of every ``a=name`` in order, empty for a bare property."""
    found = []
    for letter, text in lines:
        if letter == "a":
            key, _, value = text.partition(":")
            if key.strip().lower() == name:
                found.append(value.strip())
    return found


def _connection(lines: list[Line]) -> str | None:
    """Return the host of the first ``c=`` line, without its TTL."""
    for letter, text in lines:
        if letter == "c":
            fields = text.split()
            if len(fields) != 3 or fields[0].upper() != "IN":
                raise SdpError(f"connection line cannot be read: {text[:80]!r}")
            return fields[2].partition("/")[0]
    return None


def _write(lines: list[Line]) -> str:
    return "".join(f"{letter}={text}\r\n" for letter, text in lines)


@dataclass(slots=True)
class MediaDescription:
    """One ``m=`` line and all that belongs to it."""

    media: str
    port: int
    protocol: str
    formats: list[str]
    lines: list[Line] = field(default_factory=list)
    port_count: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what follows ``m=``.

        Raises:
            SdpError: The line is not a media line, or its port does not exist.

        """
        match = _MEDIA.fullmatch(text.strip())
        if match is None:
            raise SdpError(f"media line cannot be read: {text[:80]!r}")
        media, port, count, protocol, formats = match.groups()
        if int(port) > 65_535:
            raise SdpError(f"there is no port {port}")
        return cls(media, int(port), protocol, formats.split(), [], int(count or 1))

    @property
    def connection(self) -> str | None:
        """The host of the section's own ``c=`` line, if it has one."""
        return _connection(self.lines)

    def attributes(self, name: str) -> list[str]:
        """Return the value of every attribute of that (lower case) name, in order."""
        return _attributes(self.lines, name)

    def attribute(self, name: str) -> str | None:
        """Return the first attribute of that name, empty if it has no value."""
        return next(iter(self.attributes(name)), None)

    def __str__(self) -> str:
        port = f"{self.port}/{self.port_count}" if self.port_count > 1 else str(self.port)
        formats = " ".join(self.formats)
        return f"m={self.media} {port} {self.protocol} {formats}\r\n" + _write(self.lines)


@dataclass(slots=True)
class SessionDescription:
    """A whole description: the session's own lines, then one section per stream."""

    lines: list[Line] = field(default_factory=list)
    media: list[MediaDescription] = field(default_factory=list)

    @classmethod
    def parse(cls, data: bytes | str) -> Self:
        """Read a description; bare line feeds, blank lines and unknown letters are let through.

        Raises:
            SdpError: It is too large, is not made of ``x=`` lines, or has a line that
                everything else hangs on and that cannot be read.

        """
        if len(data) > MAX_BYTES:
            raise SdpError(f"{len(data)} bytes is too large")
        text = data if isinstance(data, str) else data.decode("utf-8", "surrogateescape")
        raw_lines = re.split(r"\r\n|\n|\r", text)
        if len(raw_lines) > MAX_LINES:
            raise SdpError(f"{len(raw_lines)} lines is too many")
        description = cls()
        for raw in raw_lines:
            if raw.strip():
                description._add(raw)
        letter, version = next(iter(description.lines), ("", ""))
        if letter != "v" or version.strip() != "0":
            raise SdpError("it does not begin with v=0")
        return description

    def _add(self, raw: str) -> None:
        match = _LINE.fullmatch(raw)
        if match is None:
            raise SdpError(f"not a line of a session description: {raw[:80]!r}")
        letter, text = match[1], match[2]
        if letter == "m":
            if len(self.media) == MAX_MEDIA:
                raise SdpError(f"more than {MAX_MEDIA} media lines")
            self.media.append(MediaDescription.parse(text))
        elif self.media:
            self.media[-1].lines.append((letter, text))
        else:
            self.lines.append((letter, text))

    @property
    def origin(self) -> str | None:
        """The ``o=`` line as it stands: who made this, and which version it is."""
        return self.value("o")

    @property
    def connection(self) -> str | None:
        """The host of the session's ``c=`` line, which sections without their own use."""
        return _connection(self.lines)

    def value(self, letter: str) -> str | None:
        """Return the first session line of that letter."""
        return next((text for name, text in self.lines if name == letter), None)

    def attributes(self, name: str) -> list[str]:
        """Return the value of every session attribute of that (lower case) name."""
        return _attributes(self.lines, name)

    def __str__(self) -> str:
        return _write(self.lines) + "".join(map(str, self.media))

    def __bytes__(self) -> bytes:
        return str(self).encode("utf-8", "surrogateescape")

"""Bodies: the description of a session, alone or among other parts (RFC 2046, RFC 5621).

A gateway of the telephone network sends its ISUP, a recorder its metadata, beside the description.
What is not understood is left alone unless its sender says that it must be.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from ...errors import SipError
from .fields import Headers
from .grammar import parse_params, unquote
from .model import Message
from .parser import find_blank_line

__all__ = ["SDP", "Part", "description", "has_unknown", "parts"]

SDP: Final = "application/sdp"
_MULTIPART: Final = "multipart/"
_MOST_PARTS: Final = 16
_DEEPEST: Final = 3
_FOLD: Final = re.compile(r"\r?\n[ \t]+")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a body.

    Attributes:
        content_type: its media type in lower case, without parameters; empty if it does not say.
        headers: what is said of it.
        body: what it holds.

    """

    content_type: str
    headers: Headers
    body: bytes

    @property
    def is_required(self) -> bool:
        """Whether its sender wants the message refused where it is not understood."""
        return _handling(self.headers) == "required"


def parts(message: Message) -> list[Part]:
    """Return what the body is made of: itself, or its parts, those inside of parts as well.

    Of more than 16 the rest is left out.
    """
    if not message.body:
        return []
    return list(islice(_parts(message.headers, message.body, _DEEPEST), _MOST_PARTS))


def description(message: Message) -> bytes | None:
    """Return the session's description (SDP) that a message brings, or ``None``.

    A body whose type is not told is taken for one: some forget to.
    """
    if message.content_type in (SDP, None):
        return message.body or None
    return next((part.body for part in parts(message) if part.content_type == SDP), None)


def has_unknown(message: Message, known: Iterable[str]) -> bool:
    """Say whether the body asks for more than the media types that are known here.

    A body of its own must be known unless it is said to be optional, a part of several only if it
    is said to be required (RFC 3261 section 20.11).
    """
    whole = message.content_type
    if not message.body or whole is None or whole in known:
        return False
    if not whole.startswith(_MULTIPART):
        return _handling(message.headers) != "optional"
    found = parts(message)
    return not found or any(p.is_required and p.content_type not in (*known, "") for p in found)


def _parts(headers: Headers, body: bytes, depth: int) -> Iterator[Part]:
    value = headers.get("Content-Type") or ""
    kind = value.partition(";")[0].strip().lower()
    if not kind.startswith(_MULTIPART):
        yield Part(kind, headers, body)
    elif depth > 0 and (boundary := _boundary(value)):
        for piece in _pieces(body, boundary):
            yield from _parts(*_read(piece), depth - 1)


def _boundary(content_type: str) -> bytes:
    try:
        value = parse_params(content_type[content_type.find(";") :]).get("boundary") or ""
    except SipError:
        return b""
    text = unquote(value[1:-1]) if value.startswith('"') else value
    return text.encode("utf-8", "surrogateescape")


def _pieces(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """Cut a body at its boundaries; what stands before the first and after the last is no part."""
    delimiter = re.compile(
        rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r?\n|\Z)",
    )
    start = None
    position = 0
    while (match := delimiter.search(body, position)) is not None:
        if start is not None:
            yield body[start : match.start()]
        if match.group(1):
            return
        start = match.end()
        position = max(start - 1, match.start() + 1)  # an empty part: its line end is shared
    if start is not None:
        yield body[start:]


def _read(piece: bytes) -> tuple[Headers, bytes]:
    headers = Headers()
    for blank in (b"\r\n", b"\n"):
        if piece.startswith(blank):
            return headers, piece[len(blank) :]
    end, begin = find_blank_line(piece)
    if begin is None:
        return headers, piece
    text = piece[:end].decode("utf-8", "surrogateescape")
    headers.read_lines(_FOLD.sub(" ", text).splitlines())
    return headers, piece[begin:]


def _handling(headers: Headers) -> str:
    value = headers.get("Content-Disposition") or ""
    try:
        params = parse_params(value[value.find(";") :] if ";" in value else "")
    except SipError:
        return ""
    return (params.get("handling") or "").strip('"').lower()

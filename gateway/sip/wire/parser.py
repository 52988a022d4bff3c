"""Bytes into messages (RFC 3261, section 7; RFC 4475).

:func:`read` takes a message apart and checks no more than its frame;
:func:`parse` also checks everything a SIP element will rely on, so that the
typed properties of what it returns never raise.
"""

import re
from typing import Final

from ...errors import SipError
from .fields import Headers
from .grammar import is_token, parse_number
from .model import Message, MessageError, Request, Response

__all__ = ["MAX_BODY", "MAX_HEADERS", "MAX_HEADER_BYTES", "find_blank_line", "parse", "read"]

MAX_HEADER_BYTES: Final = 65_536
MAX_HEADERS: Final = 256
MAX_BODY: Final = 262_144

_VERSION: Final = re.compile(r"SIP/[0-9]+\.[0-9]+", re.IGNORECASE)
_REQUEST_LINE: Final = re.compile(r"""(\S++) ([^\s<>"]++) (SIP/[0-9]++\.[0-9]++)""", re.IGNORECASE)
_STATUS_LINE: Final = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: (.*))?", re.IGNORECASE | re.DOTALL)
_FOLD: Final = re.compile(r"[ \t]*\n[ \t]+")


def read(data: bytes) -> Request | Response:
    """Take a datagram, or one message cut from a stream, apart.

    Keep-alives in front are skipped, folded lines joined, and what follows the
    body by Content-Length is cut off.

    Raises:
        MessageError: It is no SIP message, or its frame is broken.

    """
    data = data.lstrip(b"\r\n")
    end, body = find_blank_line(data)
    head = data[: MAX_HEADER_BYTES if body is None else end]
    text = head.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    if "\n " in text or "\n\t" in text:
        text = _FOLD.sub(" ", text)

    faults: list[SipError] = []
    if "\r" in text:
        faults.append(SipError("a bare carriage return"))
        text = text.replace("\r", " ")
    start, *lines = text.rstrip("\n").split("\n")
    message = _read_start(start, faults)
    _read_lines(message.headers, lines, faults)
    if body is None:
        faults.append(SipError("the headers do not end"))
    else:
        _read_body(message, data[body:], faults)
    if faults:
        raise _refusal(message, faults[0])
    return message


def parse(data: bytes) -> Request | Response:
    """Read a message and check every header that an element relies on.

    Raises:
        MessageError: It is no SIP message, or not one that can be served.

    """
    message = read(data)
    try:
        message.check()
    except SipError as error:
        raise _refusal(message, error) from error
    return message


def find_blank_line(data: bytes | bytearray, start: int = 0) -> tuple[int, int | None]:
    """Find where the headers end and where the body begins, if they end in time.

    Lines may end in CR LF, or in LF alone.
    """
    usual = data.find(b"\n\r\n", start, MAX_HEADER_BYTES)
    # The two may share a line feed.
    bare = data.find(b"\n\n", start, usual + 1 if usual >= 0 else MAX_HEADER_BYTES)
    end = bare if bare >= 0 else usual
    if end < 0:
        return len(data), None
    return end - (data[end - 1 : end] == b"\r"), end + (2 if bare >= 0 else 3)


def _read_start(line: str, faults: list[SipError]) -> Request | Response:
    if line[:4].upper() == "SIP/":
        match = _STATUS_LINE.fullmatch(line)
        if match is None:
            raise MessageError(f"not a status line: {line[:60]!r}")
        return Response(int(match.group(1)), match.group(2) or "")

    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        if _VERSION.search(line) is None:
            raise MessageError("not SIP")
        faults.append(SipError(f"not a request line: {line[:60]!r}"))
        method, _, uri = line.partition(" ")
        return Request(method, uri)
    method, uri, version = match.groups()
    if not is_token(method):
        faults.append(SipError(f"not a method: {method[:20]!r}"))
    if version.upper() != "SIP/2.0":
        faults.append(SipError(f"{version} is not spoken here", status=505))
    return Request(method, uri)


def _read_lines(headers: Headers, lines: list[str], faults: list[SipError]) -> None:
    if len(lines) > MAX_HEADERS:
        faults.append(SipError(f"{len(lines)} headers"))
        del lines[MAX_HEADERS:]
    faults += [SipError(f"not a header: {line[:60]!r}") for line in headers.read_lines(lines)]


def _read_body(message: Message, rest: bytes, faults: list[SipError]) -> None:
    message.body = rest
    lengths = set(message.headers.get_all("content-length"))
    if not lengths:
        length: int | None = len(rest)
    else:
        length = parse_number(lengths.pop())
    if length is None or lengths:
        faults.append(SipError("not a Content-Length"))
    elif length > MAX_BODY:
        faults.append(SipError(f"a body of {length} bytes", status=513))
    elif length > len(rest):
        faults.append(SipError(f"{len(rest)} of {length} bytes of body"))
    else:
        message.body = rest[:length]


def _refusal(message: Request | Response, error: SipError) -> MessageError:
    reason = str(error)
    if isinstance(message, Response) or message.method == "ACK" or "via" not in message.headers:
        return MessageError(reason)
    return MessageError(reason, status=error.status, answerable=message)

"""Cuts a byte stream into SIP messages (RFC 3261 section 18.3, RFC 5626 section 4.4.1)."""

import re
from typing import Final, Protocol

from ...errors import SipError
from .grammar import parse_number
from .keepalive import PING
from .parser import MAX_BODY, MAX_HEADER_BYTES, find_blank_line

__all__ = ["Framer", "StreamFramer"]

_LENGTH: Final = re.compile(rb"\n(?:content-length|l)[ \t]*+:[ \t\r\n]*+([^\r\n]*+)", re.IGNORECASE)
_PONG: Final = b"\r\n"


class Framer(Protocol):
    """How messages lie in the bytes of one connection."""

    pongs: int  # keep-alives of ours that were answered

    @property
    def is_open(self) -> bool:
        """Whether messages may be sent."""
        ...

    @property
    def is_amid(self) -> bool:
        """Whether a message has begun and not ended."""
        ...

    def receive_data(self, data: bytes) -> list[bytes]:
        """Take in bytes off the connection; return the messages they complete.

        Raises:
            SipError: The connection must be closed.

        """
        ...

    def send(self, message: bytes) -> None:
        """Take in a message to send."""
        ...

    def ping(self) -> None:
        """Ask the other side for a sign of life."""
        ...

    def close(self) -> None:
        """Say goodbye, where that is the custom."""
        ...

    def data_to_send(self) -> list[bytes]:
        """Drain the bytes waiting to go out."""
        ...


class StreamFramer:
    """One connection's incoming bytes, handed on message by message.

    A double line end between messages is a keep-alive and is answered by a
    single one.  A single one answers ours; else it means nothing.
    """

    is_open: Final = True

    def __init__(self) -> None:
        self.pongs = 0
        self._awaits_pong = False
        self._buffer = bytearray()
        self._searched = 0  # how much of the buffer is known to hold no blank line
        self._needed = 0  # length of the message being read, once its headers are in
        self._sends: list[bytes] = []

    def receive_data(self, data: bytes) -> list[bytes]:
        """Take in bytes off the connection; return the messages they complete.

        Raises:
            SipError: Where the next message begins can no longer be known, or it
                is too large: the connection must be closed.

        """
        self._buffer += data
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    @property
    def is_amid(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._buffer[:1].strip(b"\r"))

    def send(self, message: bytes) -> None:
        """Take in a message to send."""
        self._sends.append(message)

    def ping(self) -> None:
        """Ask the other side for a sign of life."""
        self._awaits_pong = True
        self._sends.append(PING)

    def close(self) -> None:
        """Say nothing: the end of the connection says it all."""

    def data_to_send(self) -> list[bytes]:
        """Drain the messages, keep-alives and answers to keep-alives waiting to go out."""
        sends, self._sends = self._sends, []
        return sends

    def _next(self) -> bytes | None:
        buffer = self._buffer
        if not self._needed:
            self._skip_keep_alives()
            end, body = find_blank_line(buffer, self._searched)
            if body is None:
                if len(buffer) >= MAX_HEADER_BYTES:
                    raise SipError("headers too large", status=513)
                self._searched = max(0, len(buffer) - 3)
                return None
            self._needed = body + _body_length(bytes(buffer[:end]))
        if len(buffer) < self._needed:
            return None
        message = bytes(buffer[: self._needed])
        del buffer[: self._needed]
        self._needed = self._searched = 0
        return message

    def _skip_keep_alives(self) -> None:
        """Drop the line ends before a message; a lone first half of a ping waits."""
        buffer = self._buffer
        while buffer[:2] == _PONG:
            if buffer[:4] == PING:
                self._sends.append(_PONG)
                del buffer[:4]
            elif self._awaits_pong and buffer[2:3] != b"\r":
                self._awaits_pong = False
                self.pongs += 1
                del buffer[:2]
            elif buffer[2:3] == b"\r" or len(buffer) == 2:
                return
            else:
                del buffer[:2]


def _body_length(head: bytes) -> int:
    lengths = {match.group(1).strip() for match in _LENGTH.finditer(head)}
    if len(lengths) != 1:
        raise SipError("no Content-Length on a stream" if not lengths else "two Content-Lengths")
    length = parse_number(lengths.pop().decode("latin-1"))
    if length is None:
        raise SipError("not a Content-Length")
    if length > MAX_BODY:
        raise SipError(f"a body of {length} bytes", status=513)
    return length

"""SIP in WebSocket messages, the server's side: one in each (RFC 7118, RFC 6455)."""

from collections.abc import Sequence
from typing import Final, cast

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

from ...errors import SipError
from .keepalive import PING
from .parser import MAX_BODY, MAX_HEADER_BYTES

__all__ = ["WebSocketFramer"]

_SUBPROTOCOL: Final = Subprotocol("sip")
_PONG: Final = b"\r\n"


class WebSocketFramer:
    """What a browser sends and is sent, from its first HTTP request on.

    Keep-alives come as frames of WebSocket, which are answered below, or as
    messages that hold line ends alone.

    Args:
        origins: Where the pages must come from that connect; none: it does not matter.

    """

    def __init__(self, origins: Sequence[str] = ()) -> None:
        allowed = [None, *map(Origin, origins)] if origins else None  # no Origin: no browser
        self._protocol = ServerProtocol(
            origins=allowed,
            subprotocols=[_SUBPROTOCOL],
            max_size=MAX_HEADER_BYTES + MAX_BODY,
        )
        self._message: bytearray | None = None  # one that has begun
        self.pongs = 0

    @property
    def is_open(self) -> bool:
        """Whether messages may be sent."""
        return self._protocol.state is OPEN

    @property
    def is_amid(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._message is not None or bool(self._protocol.reader.buffer)

    def receive_data(self, data: bytes) -> list[bytes]:
        """Take in bytes off the connection; return the messages they complete.

        Raises:
            SipError: It was closed, or breaks the rules: close the connection when
                :meth:`data_to_send` has been sent.

        """
        protocol, messages = self._protocol, []
        if not data:
            return []
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Request):
                if not protocol.eof_sent:  # what came with it may have ended the connection
                    protocol.send_response(protocol.accept(event))
            elif (message := self._assemble(cast("Frame", event))) is not None:
                messages.append(message)
        if protocol.handshake_exc is not None:
            raise SipError("it does not open a WebSocket for SIP")
        if protocol.parser_exc is not None:
            raise SipError("it breaks the rules of WebSocket")
        if protocol.close_rcvd is not None:
            raise SipError("it closed the WebSocket", status=0)
        return [message for message in messages if not self._is_keep_alive(message)]

    def send(self, message: bytes) -> None:
        """Take in a message to send: as text wherever it is text."""
        if not self.is_open:
            return
        try:
            message.decode()
        except UnicodeDecodeError:
            self._protocol.send_binary(message)
        else:
            self._protocol.send_text(message)

    def ping(self) -> None:
        """Ask the other side for a sign of life."""
        if self.is_open:
            self._protocol.send_ping(b"")

    def close(self) -> None:
        """Say goodbye."""
        if self.is_open:
            self._protocol.send_close(CloseCode.GOING_AWAY)

    def data_to_send(self) -> list[bytes]:
        """Drain the bytes waiting to go out."""
        return self._protocol.data_to_send()

    def _assemble(self, frame: Frame) -> bytes | None:
        """Return the message that a frame completes."""
        match frame.opcode:
            case Opcode.TEXT | Opcode.BINARY:
                self._message = bytearray(frame.data)
            case Opcode.CONT if self._message is not None:
                self._message += frame.data
            case Opcode.PONG:
                self.pongs += 1
                return None
            case _:
                return None
        if not frame.fin:
            return None
        message, self._message = bytes(self._message), None
        return message

    def _is_keep_alive(self, message: bytes) -> bool:
        if message.strip(b"\r\n"):
            return False
        if message == PING:
            self.send(_PONG)
        return True

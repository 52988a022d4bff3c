"""A phone that is no more than its messages: any number of calls by one socket, none with sound.

What it sends is written out here, so that names and headers may be whatever a test wants.
"""

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import cast

__all__ = ["BareCall", "BarePhone", "bare_phone"]

_T1 = 0.5


@dataclass
class BareCall:
    """One call of the phone; ``answers`` are the responses to its BYE, with their times.

    ``at_answer`` is called in the very moment that one comes.
    """

    call_id: str
    from_: str
    to: str = ""
    is_up: asyncio.Event = field(default_factory=asyncio.Event)
    answers: list[tuple[float, str]] = field(default_factory=list)
    is_answered: asyncio.Event = field(default_factory=asyncio.Event)
    at_answer: Callable[[], object] = lambda: None


class BarePhone(asyncio.DatagramProtocol):
    """Calls a gateway on loopback."""

    def __init__(self, port: int, sound: socket.socket) -> None:
        self._gateway = ("127.0.0.1", port)
        self._sound = sound
        self._transport: asyncio.DatagramTransport
        self.calls: dict[str, BareCall] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        text = data.decode(errors="surrogateescape")
        found = re.search(r"^Call-ID: *(.*)\r$", text, re.MULTILINE | re.IGNORECASE)
        call = self.calls.get(found[1]) if found else None
        if call is None or not text.startswith("SIP/2.0 "):
            return
        status, method = text.split(" ", 2)[1], re.search(r"^CSeq: *\d+ (\w+)", text, re.M | re.I)
        assert method is not None
        to = re.search(r"^To: *(.*)\r$", text, re.MULTILINE | re.IGNORECASE)
        if method[1] == "INVITE" and status == "200":
            call.to = to[1] if to else ""
            self._send(call, "ACK", 1)
            call.is_up.set()
        elif method[1] == "BYE":
            call.answers.append((time.monotonic(), status))
            call.at_answer()
            call.is_answered.set()

    async def call(
        self, call_id: str, name: str = "", *headers: str, user: str = "ann"
    ) -> BareCall:
        """Call the gateway's demo line; returns once it has answered."""
        shown = f'"{name}" ' if name else ""
        call = BareCall(call_id, f"{shown}<sip:{user}@127.0.0.1>;tag={call_id}")
        self.calls[call_id] = call
        host, port = self._sound.getsockname()
        sdp = (
            f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
        )
        async with asyncio.timeout(20):
            while not call.is_up.is_set():
                self._send(call, "INVITE", 1, *headers, "Content-Type: application/sdp", body=sdp)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_T1):
                        await call.is_up.wait()
        return call

    async def hang_up(self, call: BareCall) -> float:
        """Send BYE, again until it is answered; returns how many seconds that took."""
        began = time.monotonic()
        async with asyncio.timeout(20):
            while not call.is_answered.is_set():
                self._send(call, "BYE", 2)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_T1):
                        await call.is_answered.wait()
        return call.answers[0][0] - began

    def _send(
        self, call: BareCall, method: str, number: int, *headers: str, body: str = ""
    ) -> None:
        host, port = self._transport.get_extra_info("sockname")
        branch = f"{call.call_id}{'ack' if method == 'ACK' else number}"
        lines = [
            f"{method} sip:demo@127.0.0.1:{self._gateway[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{branch}",
            "Max-Forwards: 70",
            f"From: {call.from_}",
            f"To: {call.to or '<sip:demo@127.0.0.1>'}",
            f"Call-ID: {call.call_id}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:ann@{host}:{port}>",
            *headers,
        ]
        data = body.encode()
        head = "\r\n".join([*lines, f"Content-Length: {len(data)}", "", ""])
        self._transport.sendto(head.encode(errors="surrogateescape") + data, self._gateway)


@contextlib.asynccontextmanager
async def bare_phone(port: int) -> AsyncIterator[BarePhone]:
    """Have a phone that calls the gateway at this port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sound:
        sound.bind(("127.0.0.1", 0))
        transport, phone = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: BarePhone(port, sound), ("127.0.0.1", 0)
        )
        try:
            yield phone
        finally:
            transport.close()
            await asyncio.sleep(0)  # then it is

"""A phone of two sockets and no manners: it sends whatever a test hands it, right or wrong.

Its SIP is text put together here and its RTP is packed here, so that nothing of the gateway's
own stands between the test and the wire.  Left alone it speaks a tone in PCMU, 20 ms at a time.
"""

import asyncio
import secrets
import struct
from collections.abc import Callable
from typing import Any, Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from voicecodecs.g711 import decode_ulaw, encode_ulaw

from ..errors import SipError
from ..sip.wire.message import Request, Response, parse

__all__ = ["BarePhone"]

Address: TypeAlias = tuple[str, int]
Pcm: TypeAlias = NDArray[np.int16]

_FRAME: Final = 160  # samples of 20 ms at 8 kHz
_AMPLITUDE: Final = 8000.0
_QUIET: Final = 500


class _Port(asyncio.DatagramProtocol):
    """A UDP socket of loopback and what came in by it."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[bytes] = asyncio.Queue()
        self._transport: asyncio.DatagramTransport

    @classmethod
    async def open(cls, host: str) -> Self:
        loop = asyncio.get_running_loop()
        transport, port = await loop.create_datagram_endpoint(cls, local_addr=(host, 0))
        port._transport = transport
        return port

    @property
    def number(self) -> int:
        return int(self._transport.get_extra_info("sockname")[1])

    def send(self, data: bytes, target: Address) -> None:
        self._transport.sendto(data, target)

    def close(self) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        del addr
        self.came.put_nowait(data)


class BarePhone:
    """One call at a time; use it as ``async with BarePhone(gateway.sip_address) as phone``.

    Args:
        gateway: Where the gateway takes SIP over UDP.
        frequency: The tone it speaks, Hz; 0 for silence.
        name: Who it says it is.
        host: Its address.

    Attributes:
        media: Where the gateway wants the call's sound, once it has answered.
        answers: Every final response waited for or met on the way.
        besides: Makes a datagram that is sent after each frame, from the same port.

    """

    def __init__(
        self,
        gateway: Address,
        *,
        frequency: float = 0.0,
        name: str = "bare",
        host: str = "127.0.0.1",
    ) -> None:
        self.media: Address = ("", 0)
        self.ssrc = secrets.randbits(32)
        self.answers: list[Response] = []
        self.besides: Callable[[], bytes] | None = None
        self._gateway = gateway
        self._frequency = frequency
        self._name = name
        self._host = host
        self._sip: _Port
        self._rtp: _Port
        self._call_id = secrets.token_hex(8)
        self._to_tag = ""
        self._number = 0  # CSeq
        self._count = 0  # frames said
        self._heard: list[bytes] = []
        self._speaking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._sip, self._rtp = await _Port.open(self._host), await _Port.open(self._host)
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.hush()
        self._sip.close()
        self._rtp.close()

    # SIP

    @property
    def description(self) -> bytes:
        """The offer of a phone that knows PCMU and telephone events."""
        return (
            f"v=0\r\no=- 1 1 IN IP4 {self._host}\r\ns=-\r\nc=IN IP4 {self._host}\r\nt=0 0\r\n"
            f"m=audio {self._rtp.number} RTP/AVP 0 101\r\n"
            "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
        ).encode()

    def request(
        self,
        method: str,
        body: bytes = b"",
        *,
        content_type: str = "application/sdp",
        content_length: object = None,
    ) -> bytes:
        """Write the call's next request; ``content_length`` may say what is not so."""
        host, port = self._gateway
        own = f"{self._host}:{self._sip.number}"
        if method != "ACK":  # which is numbered as what it acknowledges
            self._number += 1
        to_tag = f";tag={self._to_tag}" if self._to_tag else ""
        length = len(body) if content_length is None else content_length
        lines = [
            f"{method} sip:demo@{host}:{port} SIP/2.0",
            f"Via: SIP/2.0/UDP {own};branch=z9hG4bK{secrets.token_hex(8)}",
            f"From: <sip:{self._name}@{self._host}>;tag={self._call_id}",
            f"To: <sip:demo@{host}>{to_tag}",
            f"Call-ID: {self._call_id}",
            f"CSeq: {self._number} {method}",
            f"Contact: <sip:{self._name}@{own}>",
            "Max-Forwards: 70",
            *([f"Content-Type: {content_type}"] if body else []),
            f"Content-Length: {length}",
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def send(self, data: bytes) -> None:
        """Send a datagram, whatever it holds, to the gateway's SIP port."""
        self._sip.send(data, self._gateway)

    async def final(self, method: str, *, within: float = 5.0) -> Response:
        """Wait for the final response to a request; what cannot be read is passed over.

        Raises:
            TimeoutError: None came.

        """
        async with asyncio.timeout(within):
            while True:
                message = await self._next()
                if isinstance(message, Response) and message.status >= 200:
                    self.answers.append(message)
                    if message.cseq.method == method:
                        return message

    async def asked(self, method: str, *, within: float = 5.0) -> Request:
        """Wait for a request of the gateway's, and answer it with 200.

        Raises:
            TimeoutError: None came.

        """
        async with asyncio.timeout(within):
            while True:
                message = await self._next()
                if isinstance(message, Request) and message.method == method:
                    self._accept(message)
                    return message

    async def dial(self, invite: bytes | None = None) -> Response:
        """Call, acknowledge the final response, and speak if it was an answer."""
        self.send(invite or self.request("INVITE", self.description))
        response = await self.final("INVITE")
        self._to_tag = response.to.tag or ""
        self.send(self.request("ACK"))
        if response.status == 200:
            self.media = _media_of(response)
            self.speak()
        return response

    async def press(self, key: str) -> None:
        """Press a key, told by INFO."""
        body = f"Signal={key}\r\nDuration=160\r\n".encode()
        self.send(self.request("INFO", body, content_type="application/dtmf-relay"))
        await self.final("INFO")

    async def hang_up(self) -> Response:
        """End the call."""
        self.send(self.request("BYE"))
        return await self.final("BYE")

    # RTP

    @property
    def heard(self) -> Pcm:
        """All that came, in order of arrival: int16, 8 kHz."""
        while not self._rtp.came.empty():
            self._heard.append(self._rtp.came.get_nowait()[12:])
        return decode_ulaw(np.frombuffer(b"".join(self._heard), np.uint8))

    async def hears(self, seconds: float, *, within: float = 5.0) -> Pcm:
        """Wait for ``seconds`` more of sound or silence, and return those.

        Raises:
            TimeoutError: So much did not come in time.

        """
        start = len(self.heard)
        end = start + int(seconds * 8000)
        async with asyncio.timeout(within):
            while len(self.heard) < end:
                self._heard.append((await self._rtp.came.get())[12:])
        return self.heard[start:end]

    async def hears_sound(self, *, within: float = 5.0) -> None:
        """Wait for anything that is not silence.

        Raises:
            TimeoutError: Nothing came.

        """
        async with asyncio.timeout(within):
            while not np.any(np.abs(await self.hears(0.02)) > _QUIET):
                pass

    def packet(
        self, frame: Pcm, *, version: int = 2, payload_type: int = 0, ssrc: int | None = None
    ) -> bytes:
        """Pack 160 samples as the frame that is due; the rest may be as wrong as wished."""
        number, time = self._count & 0xFFFF, self._count * _FRAME & 0xFFFFFFFF
        source = self.ssrc if ssrc is None else ssrc
        header = struct.pack("!BBHLL", version << 6, payload_type, number, time, source)
        return header + encode_ulaw(frame).tobytes()

    def send_rtp(self, data: bytes) -> None:
        """Send a datagram, whatever it holds, to the call's RTP port, from the phone's own."""
        self._rtp.send(data, self.media)

    def speak(self) -> None:
        """Send sound, from now on."""
        if self._speaking is None:
            self._speaking = asyncio.create_task(self._speak())

    async def hush(self) -> None:
        """Send no more sound."""
        speaking, self._speaking = self._speaking, None
        if speaking is not None:
            speaking.cancel()
            await asyncio.wait([speaking])

    def tone(self, frequency: float) -> Pcm:
        """Return the frame of a tone that is due now: 160 samples, 8 kHz."""
        t = np.arange(self._count * _FRAME, (self._count + 1) * _FRAME) / 8000
        return (_AMPLITUDE * np.sin(2 * np.pi * frequency * t)).astype(np.int16)

    def beat(self) -> None:
        """Send the frame that is due."""
        self.send_rtp(self.packet(self.tone(self._frequency)))
        self._count += 1
        if self.besides is not None:
            self.send_rtp(self.besides())

    async def _speak(self) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        while True:
            self.beat()
            await asyncio.sleep(max(0.0, start + self._count * 0.02 - loop.time()))

    async def _next(self) -> Request | Response | None:
        try:
            return parse(await self._sip.came.get())
        except SipError:
            return None

    def _accept(self, request: Request) -> None:
        copied = ("Via", "From", "To", "Call-ID", "CSeq")
        lines = [f"{name}: {value}" for name in copied for value in request.headers.get_all(name)]
        answer = "\r\n".join(["SIP/2.0 200 OK", *lines, "Content-Length: 0", "", ""])
        self.send(answer.encode())


def _media_of(response: Response) -> Address:
    """Return where the answer wants the sound."""
    lines = response.body.decode().splitlines()
    host = next(line.split()[-1] for line in lines if line.startswith("c="))
    port = next(int(line.split()[1]) for line in lines if line.startswith("m=audio"))
    return host, port

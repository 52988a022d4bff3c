"""A page that calls by WHIP: aiortc's side of the sound, and aiohttp's of the asking."""

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import urljoin

import numpy as np
from aiohttp import ClientSession
from numpy.typing import NDArray
from pages import RATE, Page

from gateway.rtp.packet import RtpPacket, is_rtcp

__all__ = ["WhipPage", "calling"]

KEYS = 126  # the payload number of telephone events
PACKETS = 10  # of one press


class WhipPage(Page):
    """A page in a call, or about to make one."""

    def __init__(self, url: str, token: str = "", frequency: float = 440.0) -> None:
        super().__init__(frequency)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.session = ClientSession(headers=headers)
        self.address = ""
        self.tag = ""
        self._url = url

    async def call(self, query: str = "") -> None:
        """Offer, and take the answer."""
        await self.accept(await self._ask(await self.offer(), query))

    async def call_without_candidates(self) -> list[str]:
        """Offer without saying where we are; return the lines that say it."""
        lines = (await self.offer()).splitlines()
        first, second = (n for n, line in enumerate(lines) if line.startswith("m="))
        ours = [line for line in lines[first:second] if line.startswith("a=candidate")]
        kept = [line for line in lines if not line.startswith(("a=candidate", "a=end-of-"))]
        await self.accept(await self._ask("\r\n".join(kept) + "\r\n", ""))
        return ours

    async def _ask(self, offer: str, query: str) -> str:
        headers = {"Content-Type": "application/sdp"}
        url = urljoin(self._url, "/whip") + query
        async with self.session.post(url, data=_with_keys(offer), headers=headers) as answer:
            body = await answer.text()
            assert answer.status == 201, body
            self.address = urljoin(url, answer.headers["Location"])
            self.tag = answer.headers["ETag"]
        return body

    def press(self, key: str) -> None:
        """Press a key for 160 ms: its events take the place of as many packets of sound."""
        transport = self.connection.getSenders()[0].transport
        send = transport._send_rtp
        begun: list[int] = []
        events = _press("0123456789*#".index(key))

        async def send_event(data: bytes) -> None:
            if is_rtcp(data):
                await send(data)
                return
            packet = RtpPacket.parse(data)
            begun.append(packet.timestamp)
            packet.timestamp, packet.payload_type = begun[0], KEYS
            packet.marker, packet.payload = len(begun) == 1, next(events)
            if len(begun) == PACKETS:
                transport._send_rtp = send
            await send(bytes(packet))

        transport._send_rtp = send_event

    async def patch(self, fragment: str, tag: str = "") -> tuple[int, str, str | None]:
        """Send a fragment; return the status, the body and the tag of the answer."""
        kind = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": tag or self.tag}
        async with self.session.patch(self.address, data=fragment, headers=kind) as answer:
            return answer.status, await answer.text(), answer.headers.get("ETag")

    async def hang_up(self) -> int:
        async with self.session.delete(self.address) as answer:
            return answer.status

    @property
    def sound(self) -> NDArray[np.int16]:
        """What was heard so far, at ``RATE``."""
        return np.concatenate(self.heard) if self.heard else np.zeros(0, np.int16)

    @property
    def notices(self) -> list[dict[str, Any]]:
        """What the page was told."""
        return [json.loads(message) for message in self.messages]

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [notice for notice in self.notices if notice["type"] == kind]

    async def hears(self, seconds: float) -> NDArray[np.int16]:
        """Wait for so much more sound, and return that."""
        start = len(self.sound)
        await self.until(lambda: len(self.sound) >= start + seconds * RATE)
        return self.sound[start:]

    async def until(self, holds: Callable[[], bool], within: float = 15.0) -> None:
        async with asyncio.timeout(within):
            while not holds():
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        await super().close()
        await self.session.close()


def _with_keys(offer: str) -> str:
    """Add telephone events at the clock of Opus, which aiortc does not know, to an offer."""
    end = offer.index("\r\n", offer.index("m=audio"))
    line = f"a=rtpmap:{KEYS} telephone-event/48000"
    return f"{offer[:end]} {KEYS}\r\n{line}{offer[end:]}"


def _press(event: int) -> Iterator[bytes]:
    """Yield the payloads of a press (RFC 4733 section 2.3), the last three the same."""
    for number in range(1, PACKETS + 1):
        is_over = number > PACKETS - 3
        duration = 960 * min(number, PACKETS - 2)
        yield struct.pack("!BBH", event, 0x80 * is_over | 10, duration)


@contextlib.asynccontextmanager
async def calling(url: str, token: str = "") -> AsyncIterator[WhipPage]:
    """Yield a page that has called."""
    page = WhipPage(url, token)
    try:
        await page.call()
        yield page
    finally:
        await page.close()

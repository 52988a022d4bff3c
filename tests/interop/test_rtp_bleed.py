"""RTP bleed: forged sound at a call's ports from another host, before the caller's own and after.

Whoever sends to every port there is hopes to be taken for a caller: to be sent the call's sound,
or to be heard in it.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from gateway.testing.bare_phone import BarePhone
from gateway.testing.hearing import tone_share
from gateway.testing.witness import Scene, witnessed

pytestmark = pytest.mark.interop

OWN, FORGED, AGENT = 587.0, 1673.0, 1037.0  # Hz
REPORT = bytes.fromhex("80c90001deadbeef")  # an empty receiver report
CHECK = bytes.fromhex("000100002112a442") + bytes(12)  # a STUN binding request
HELLO = b"\x16\xfe\xfd" + bytes(8) + b"\x00\x10" + bytes(16)  # of DTLS, more or less


class Thief:
    """Sockets on another host, which send to a call's ports and keep what comes."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.stolen: list[bytes] = []
        self._sockets = [stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in "123"]
        for one in self._sockets:
            one.bind(("127.0.0.66", 0))
            one.setblocking(False)

    async def steal(self, phone: BarePhone, seconds: float) -> None:
        """Send like a caller, and at times like anything else, from several ports."""
        host, port = phone.media
        forged = BarePhone(("127.0.0.1", 9))
        copied = BarePhone(("127.0.0.1", 9))
        for _ in range(round(seconds / 0.02)):
            copied.ssrc, copied._count = phone.ssrc, phone._count + 1
            forged._count += 1
            sound = (forged.packet(forged.tone(FORGED)), copied.packet(copied.tone(FORGED)))
            for one, data in zip(self._sockets, (*sound, CHECK), strict=True):
                one.sendto(data, (host, port))
                one.sendto(HELLO, (host, port))
                one.sendto(REPORT, (host, port))
                one.sendto(REPORT, (host, port + 1))
            await asyncio.sleep(0.02)
            self.look()

    def look(self) -> None:
        for one in self._sockets:
            with contextlib.suppress(BlockingIOError):
                while True:
                    self.stolen.append(one.recv(2048))


@contextlib.asynccontextmanager
async def besieged() -> AsyncIterator[tuple[Scene, BarePhone, Thief]]:
    with contextlib.ExitStack() as stack:
        async with witnessed() as scene, scene.phone("victim", OWN) as phone:
            yield scene, phone, Thief(stack)


async def test_before_and_after_the_callers_first_packet_nothing_bleeds() -> None:
    async with besieged() as (scene, phone, thief):
        session = await scene.session_of(phone)
        await phone.hush()  # before it could send a packet
        session.talk()
        start = len(session.heard)
        await thief.steal(phone, 1.5)
        assert thief.stolen == []
        silence = session.heard[start:]
        assert abs(silence.astype(int)).max(initial=0) == 0

        phone.speak()
        heard = len(phone.heard)
        await thief.steal(phone, 1.2)
        sound = session.heard[-int(0.6 * session.rate) :]
        assert tone_share(sound, OWN, session.rate) > 0.8
        assert tone_share(session.heard[start:], FORGED, session.rate) < 0.001
        assert tone_share(phone.heard[heard:], AGENT, 8000) > 0.8
        assert thief.stolen == []
        assert scene.record("victim").media["wrong_source"] > 100


async def test_an_exchange_in_mid_call_opens_the_port_to_the_caller_alone() -> None:
    async with besieged() as (scene, phone, thief):
        session = await scene.session_of(phone)
        session.talk()
        await session.hears(0.3)
        await phone.hush()
        async with BarePhone(("127.0.0.1", 9)) as elsewhere:
            phone.send(phone.request("INVITE", elsewhere.description))
            assert (await phone.final("INVITE")).status == 200
            phone.send(phone.request("ACK"))
            start = len(session.heard)
            await thief.steal(phone, 1.5)
            assert thief.stolen == []
            elsewhere.media, elsewhere._frequency = phone.media, OWN
            elsewhere.speak()
            await thief.steal(phone, 1.2)
            assert tone_share(elsewhere.heard, AGENT, 8000) > 0.8
        sound = session.heard[-int(0.6 * session.rate) :]
        assert tone_share(sound, OWN, session.rate) > 0.8
        assert tone_share(session.heard[start:], FORGED, session.rate) < 0.001
        assert thief.stolen == []

"""What no caller should send, and callers who are suddenly gone: the other calls never notice."""

import asyncio
import contextlib
import functools
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.testing.bare_phone import BarePhone
from gateway.testing.hearing import tone_share
from gateway.testing.loopback import sip_address
from gateway.testing.witness import Scene, witnessed

pytestmark = pytest.mark.interop

OWN, INTRUDER = 587.0, 1673.0  # Hz
JUNK = random.Random(1)


@contextlib.asynccontextmanager
async def stranger(scene: Scene) -> AsyncIterator[BarePhone]:
    """A phone that is in no call."""
    async with scene.phone("stranger") as phone:
        yield phone


def names(scene: Scene) -> list[str]:
    return [record.caller for record in scene.gateway.registry.records()]


# SIP


async def test_garbage_on_the_sip_port_is_dropped() -> None:
    garbage = [
        b"\r\n\r\n",
        b"\0" * 1500,
        b"\xff" * 65_000,
        b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n",
        b"INVITE\r\n\r\n",
        b"INVITE sip:demo@gateway SIP/2.0\r\n" + b"Via: x\r\n" * 4000 + b"\r\n",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"SIP/2.0 999999 What\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n\r\n",
        "INVITE sip:démo@gateway SIP/2.0\r\nTo: \u2603\r\n\r\n".encode("utf-16"),
        bytes.fromhex("000100002112a442") + JUNK.randbytes(12),  # STUN
        *(JUNK.randbytes(JUNK.randrange(1, 1400)) for _ in range(300)),
    ]
    async with witnessed() as scene, stranger(scene) as phone:
        for datagram in garbage:
            phone.send(datagram)
            await asyncio.sleep(0)  # or the gateway's own buffer would drop them
        phone.send(phone.request("OPTIONS"))
        assert (await phone.final("OPTIONS")).status == 200
        assert names(scene) == ["witness"]


async def test_a_message_cut_short_anywhere_begins_no_call() -> None:
    async with witnessed() as scene, stranger(scene) as phone:
        whole = phone.request("INVITE", phone.description)
        for end in range(5, len(whole)):
            phone.send(whole[:end])
            await asyncio.sleep(0)
        phone.send(phone.request("OPTIONS"))
        await phone.final("OPTIONS")
        told = [answer.status for answer in phone.answers if answer.cseq.method == "INVITE"]
        assert set(told) == {400}
        assert names(scene) == ["witness"]


@pytest.mark.parametrize(
    ("claimed", "status"),
    [("100000", 400), ("-1", 400), ("many", 400), ("60", 488)],
    ids=["too long", "negative", "no number", "in mid-description"],
)
async def test_a_wrong_content_length_is_refused(claimed: str, status: int) -> None:
    async with witnessed() as scene, stranger(scene) as phone:
        invite = phone.request("INVITE", phone.description, content_length=claimed)
        assert (await phone.dial(invite)).status == status


async def test_what_follows_the_body_of_a_datagram_is_ignored() -> None:
    async with witnessed() as scene, stranger(scene) as phone:
        invite = phone.request("INVITE", phone.description) + b"m=audio 1 RTP/AVP 99\r\n\0\xff"
        assert (await phone.dial(invite)).status == 200
        assert (await phone.hang_up()).status == 200


@pytest.mark.parametrize("body", [b"\0\xff\xfe", b"v=0\r\n", b"m=audio audio audio\r\n" * 99])
async def test_a_description_that_is_none_is_refused(body: bytes) -> None:
    async with witnessed() as scene, stranger(scene) as phone:
        assert (await phone.dial(phone.request("INVITE", body))).status in (400, 488)


@pytest.mark.parametrize(
    "stream",
    [
        JUNK.randbytes(100_000),
        b"INVITE sip:demo@gateway SIP/2.0\r\nContent-Length: -5\r\n\r\n",
        b"INVITE sip:demo@gateway SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n",
        b"INVITE sip:demo@gateway SIP/2.0\r\nMax-Forwards: 70\r\n\r\n",
    ],
    ids=["noise", "negative length", "boundless length", "no length"],
)
async def test_a_stream_whose_messages_cannot_be_told_apart_is_cut(stream: bytes) -> None:
    async with witnessed() as scene:
        reader, writer = await asyncio.open_connection(*sip_address(scene.gateway, "tcp"))
        writer.write(stream)
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


# RTP


WRONG: dict[str, Callable[[BarePhone], bytes]] = {
    "malformed": lambda phone: phone.packet(phone.tone(INTRUDER), version=1),
    "wrong_type": lambda phone: phone.packet(phone.tone(INTRUDER), payload_type=96),
    "wrong_ssrc": lambda phone: phone.packet(phone.tone(INTRUDER), ssrc=phone.ssrc ^ 1),
}


async def test_packets_that_are_not_the_calls_are_counted_and_not_heard() -> None:
    async with witnessed() as scene, contextlib.AsyncExitStack() as stack:
        phones, calls = {}, {}
        for counter in WRONG:
            phones[counter] = await stack.enter_async_context(scene.phone(counter, OWN))
            calls[counter] = await scene.session_of(phones[counter])
        await asyncio.gather(*(session.hears(0.4) for session in calls.values()))
        for counter, make in WRONG.items():  # by now the call knows whose packets are its own
            phones[counter].besides = functools.partial(make, phones[counter])
        heard = await asyncio.gather(*(session.hears(1.6) for session in calls.values()))
        for counter, sound in zip(calls, heard, strict=True):
            settled = sound[len(sound) // 4 :]
            assert tone_share(settled, OWN, 24_000) > 0.8, counter
            assert tone_share(settled, INTRUDER, 24_000) < 0.001, counter
            media = scene.record(counter).media
            assert media[counter] > 50, media


async def test_sound_from_elsewhere_is_counted_and_not_heard() -> None:
    async with (
        witnessed() as scene,
        scene.phone("victim", OWN) as phone,
        scene.phone("intruder", INTRUDER) as intruder,
    ):
        session = await scene.session_of(phone)
        await session.hears(0.4)
        intruder.media, intruder.ssrc = phone.media, phone.ssrc
        before = scene.record("victim").media["wrong_source"]
        for _ in range(60):
            intruder.beat()
            intruder.send_rtp(JUNK.randbytes(40))
            await asyncio.sleep(0.01)
        sound = await session.hears(0.4)
        assert tone_share(sound, OWN, 24_000) > 0.8
        assert tone_share(sound, INTRUDER, 24_000) < 0.001
        assert scene.record("victim").media["wrong_source"] - before > 50


# Callers who are gone


async def test_a_caller_whose_sound_stops_is_let_go() -> None:
    async with witnessed(media={"timeout_seconds": 1.0}) as scene, stranger(scene) as phone:
        session = await scene.session_of(phone)
        await session.hears(0.3)
        await phone.hush()
        await phone.asked("BYE")
        record = await scene.ended("stranger")
        assert (record.ended_by, record.reason) == ("gateway", "no media")


async def test_with_no_media_timeout_a_silent_caller_stays() -> None:
    async with witnessed(media={"timeout_seconds": 0}) as scene, stranger(scene) as phone:
        session = await scene.session_of(phone)
        await phone.hush()
        await session.hears(1.5)
        assert scene.is_live("stranger")
        assert (await phone.hang_up()).status == 200


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_killed_phone_leaves_nothing_behind(transport: str) -> None:
    async with witnessed(media={"timeout_seconds": 1.0}) as scene:
        host, port = sip_address(scene.gateway, transport)
        command = ["-m", "gateway", "call", f"sip:demo@{host}:{port}", "--seconds", "60"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, "--transport", transport, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            session = await scene.service.session(1, within=20.0)
            await session.hears(0.3)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
        (caller,) = set(names(scene)) - {"witness"}
        record = await scene.ended(caller)
        assert (record.ended_by, record.reason) == ("gateway", "no media")

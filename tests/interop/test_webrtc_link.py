"""The link over WebRTC, against a service of a few lines on this machine's loopback."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import numpy as np
import pytest
from voicecodecs.g711 import encode_ulaw

from gateway.errors import LinkError
from gateway.realtime.client import Answer
from gateway.realtime.commands import ResponseCancel, ResponseCreate
from gateway.realtime.endpoint import Endpoint
from gateway.realtime.events import ServerEvent, Unknown
from gateway.realtime.webrtc import WebRtcLink
from gateway.rtc import AudioFormat, Decoder, Encoder, Peer, PeerState
from gateway.rtp.packet import RtpPacket
from gateway.testing.hearing import tone_share
from gateway.testing.media import tone

pytestmark = pytest.mark.interop

SESSION = {"type": "realtime", "model": "gpt-realtime"}


async def until(condition: Any, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


class Service:
    """Answers offers, keeps what it is told, and says what a test has it say."""

    def __init__(self, codecs: tuple[str, ...] = ("opus", "PCMU", "PCMA")) -> None:
        self.endpoint = Endpoint("ws://127.0.0.1:1/v1/realtime")
        self.offers: list[str] = []
        self.sessions: list[Mapping[str, Any]] = []
        self.commands: list[dict[str, Any]] = []
        self.packets: list[RtpPacket] = []
        self.peer = Peer(
            on_rtp=self.packets.append,
            on_message=lambda text: self.commands.append(msgspec.json.decode(text)),
            on_state=self._follow,
            codecs=codecs,
            is_local=True,
        )
        self.opened = asyncio.Event()

    def _follow(self, state: PeerState) -> None:
        if state is PeerState.OPEN:
            self.say({"type": "session.created", "session": SESSION})
            self.opened.set()

    def say(self, event: dict[str, Any]) -> None:
        self.peer.send(msgspec.json.encode(event).decode())

    async def client_secret(self, session: Mapping[str, Any]) -> str:
        self.sessions.append(session)
        return "ek_test"

    async def call(self, sdp: str, session: Mapping[str, Any]) -> Answer:
        self.sessions.append(session)
        self.offers.append(sdp)
        return Answer(await self.peer.answer(sdp), "rtc_1")

    async def call_with_secret(self, sdp: str, secret: str) -> Answer:
        assert secret == "ek_test"
        self.offers.append(sdp)
        return Answer(await self.peer.answer(sdp), "rtc_2")


class Owner:
    """What the call would be told."""

    def __init__(self) -> None:
        self.events: list[ServerEvent | Unknown] = []
        self.ends: list[LinkError | None] = []
        self.sound = bytearray()

    def link(
        self, service: Service, audio_format: AudioFormat = "audio/pcm", **more: Any
    ) -> WebRtcLink:
        return WebRtcLink(
            service,
            SESSION,
            on_event=self.events.append,
            on_closed=self.ends.append,
            on_audio=self.sound.extend,
            audio_format=audio_format,
            **more,
        )


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    yield service
    await service.peer.close()
    assert len(asyncio.all_tasks()) == 1


async def test_events_come_and_commands_go_over_the_data_channel(service: Service) -> None:
    owner = Owner()
    link = owner.link(service)
    await link.connect()
    assert (link.transport, link.call_id, service.sessions) == ("webrtc", "rtc_1", [SESSION])
    first = link.send(ResponseCreate())
    second = link.send(ResponseCancel(event_id="mine"))
    await until(lambda: len(service.commands) == 2 and owner.events)
    assert [c["type"] for c in service.commands] == ["response.create", "response.cancel"]
    assert [c["event_id"] for c in service.commands] == [first, second] == [first, "mine"]
    service.say({"type": "error", "error": {"type": "x", "message": "no", "event_id": "mine"}})
    service.say({"type": "never.heard.of"})
    service.peer.send("no json at all")
    await until(lambda: len(owner.events) == 4)
    stats = link.stats
    assert (stats.events, stats.commands, stats.unknown_events) == (4, 2, 2)
    assert (stats.errors, stats.refused_commands) == (1, 1)
    await link.close()
    assert owner.ends == [None]


async def test_azure_is_called_with_a_secret_made_for_the_session(service: Service) -> None:
    link = Owner().link(service, with_secret=True)
    await link.connect()
    assert (link.call_id, service.sessions) == ("rtc_2", [SESSION])
    await link.close()


async def test_24_khz_sound_goes_both_ways_as_opus(service: Service) -> None:
    owner = Owner()
    link = owner.link(service)
    await link.connect()
    await service.opened.wait()
    decoder, encoder = (
        Decoder("audio/pcm", service.peer.codecs),
        Encoder("audio/pcm", service.peer.codecs),
    )
    ours, theirs = tone(700, 0.5, 24_000).tobytes(), tone(1100, 0.5, 24_000).tobytes()
    for start in range(0, len(ours), 960):
        link.append(ours[start : start + 960])
        for payload in encoder.encode(theirs[start : start + 960]):
            service.peer.send_audio(payload, payload_type=encoder.payload_type, samples=960)
        await asyncio.sleep(0)
    await until(lambda: len(service.packets) == 25 and len(owner.sound) >= 25 * 960)
    assert {p.payload_type for p in service.packets} == {111}
    heard = b"".join(decoder.receive(p, 0.0) for p in service.packets)
    assert tone_share(np.frombuffer(heard, "<i2")[4800:], 700, 24_000) > 0.95
    assert tone_share(np.frombuffer(bytes(owner.sound), "<i2")[4800:], 1100, 24_000) > 0.95
    assert link.stats.audio_bytes == len(ours)
    assert link.media.packets_received == link.media.packets_sent == 25
    await link.close()


async def test_a_telephones_g711_is_offered_first_and_crosses_untouched(service: Service) -> None:
    owner = Owner()
    link = owner.link(service, "audio/pcmu")
    await link.connect()
    await service.opened.wait()
    assert "UDP/TLS/RTP/SAVPF 0 8 111" in service.offers[0]
    sound = encode_ulaw(tone(500, 0.2, 8000)).tobytes()
    for start in range(0, len(sound), 160):
        link.append(sound[start : start + 160])
        service.peer.send_audio(sound[start : start + 160], payload_type=0, samples=160)
    await until(lambda: len(service.packets) == 10 and len(owner.sound) == len(sound))
    assert b"".join(p.payload for p in service.packets) == sound == bytes(owner.sound)
    await link.close()


async def test_a_lost_packet_is_made_up_without_another_packet_to_tell_of_it(
    service: Service,
) -> None:
    owner = Owner()
    link = owner.link(service, "audio/pcmu")
    await link.connect()
    await service.opened.wait()
    sound = encode_ulaw(tone(500, 0.1, 8000)).tobytes()
    for number in range(4):
        if number == 2:  # numbered, and never sent
            service.peer._audio._sequence += 1
            continue
        piece = sound[number * 160 : number * 160 + 160]
        service.peer.send_audio(piece, payload_type=0, samples=160)
    await until(lambda: len(owner.sound) == 4 * 160)
    assert link.concealed == 1
    await link.close()


async def test_the_end_of_the_service_is_told_once_and_may_be_tried_again(
    service: Service,
) -> None:
    owner = Owner()
    link = owner.link(service)
    await link.connect()
    await service.peer.close()
    await until(lambda: owner.ends)
    fault = owner.ends[0]
    assert fault is not None
    assert fault.retryable
    link.append(bytes(960))
    link.send(ResponseCreate())
    await link.close()
    assert owner.ends == [fault]
    assert link.stats.dropped_audio_bytes == 960


async def test_a_service_whose_answer_cannot_be_used_is_a_link_error() -> None:
    class Odd(Service):
        async def call(self, sdp: str, session: Mapping[str, Any]) -> Answer:
            return Answer("v=0\r\n", "rtc_1")

    owner = Owner()
    link = owner.link(Odd())
    with pytest.raises(LinkError, match="no usable"):
        await link.connect()
    await link.close()
    assert owner.ends == []
    assert len(asyncio.all_tasks()) == 1


async def test_giving_up_while_connecting_leaves_nothing_behind(service: Service) -> None:
    link = Owner().link(service)
    service.peer.drop("not today")
    task = asyncio.create_task(link.connect())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises((asyncio.CancelledError, LinkError)):
        await task
    await link.close()

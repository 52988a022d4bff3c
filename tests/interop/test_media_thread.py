"""The media thread in real time: its clock, real sockets, and the way back to the event loop."""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from voicecodecs.g711 import decode_ulaw, encode_ulaw

from gateway.media.engine import Lane, MediaEngine
from gateway.media.events import (
    LaneEvent,
    Mark,
    PlayoutFlushed,
    PlayoutStarted,
    RecordingStopped,
)
from gateway.media.ports import PortPool
from gateway.rtp.packet import RtpPacket
from gateway.sdp.codecs import Codec
from gateway.sdp.negotiate import Negotiated
from gateway.testing.hearing import tone_share
from gateway.testing.media import tone

PCMU = Codec("PCMU", 8000)


@pytest.fixture
def phone() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        yield sock


def received(phone: socket.socket) -> list[RtpPacket]:
    packets = []
    while True:
        try:
            packets.append(RtpPacket.parse(phone.recv(2048)))
        except BlockingIOError:
            return packets


async def test_a_call_s_worth_of_sound_goes_both_ways_in_real_time(phone: socket.socket) -> None:
    engine = MediaEngine(PortPool("31000-31999"))
    engine.start()
    events: list[LaneEvent] = []
    chunks: list[bytes] = []
    lane = engine.open(events.append, chunks.append)
    lane.configure(Negotiated(phone.getsockname(), None, PCMU, {0: PCMU}))
    lane.play(tone(611, 5.0, 24000).tobytes(), Mark("resp_1", "item_1"))
    said = encode_ulaw(tone(1004, 1.0, 8000)).tobytes()
    packets: list[RtpPacket] = []
    async with asyncio.timeout(5):
        while not packets:  # what comes before the lane has its port is another call's
            await asyncio.sleep(0.005)
            packets += received(phone)
    start = time.monotonic()
    for n in range(50):
        await asyncio.sleep(max(0.0, start + n * 0.02 - time.monotonic()))
        frame = RtpPacket(0, n, n * 160, 7, said[n * 160 :][:160])
        phone.sendto(bytes(frame), (lane.host, lane.port))
        packets += received(phone)
    lane.flush()
    await asyncio.sleep(0.1)
    stats = lane.stats()
    lane.close()
    engine.close()

    assert stats.packets_received == 50
    assert stats.lost == 0
    heard = decode_ulaw(b"".join(p.payload for p in packets))
    assert tone_share(heard[320:], 611, 8000) > 0.95
    sound = np.frombuffer(b"".join(chunks), np.int16)
    assert tone_share(sound[2400:22000], 1004, 24000) > 0.95
    assert isinstance(events[0], PlayoutStarted)
    (flushed,) = [e for e in events if isinstance(e, PlayoutFlushed)]
    assert flushed.items[0].sent_ms == pytest.approx(1000, abs=150)


async def test_closing_the_engine_gives_every_port_back(phone: socket.socket) -> None:
    engine = MediaEngine(PortPool("31000-31999"))
    engine.start()
    lanes = [engine.open(lambda _: None, lambda _: None) for _ in range(5)]
    lanes[0].close()
    engine.close()
    for lane in lanes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((lane.host, lane.port))


async def talk(phone: socket.socket, lane: Lane, ssrc: int, packets: int) -> int:
    """Send packets, 20 ms each, and return how many came back meanwhile."""
    heard = 0
    for n in range(packets):
        packet = RtpPacket(0, n, n * 160, ssrc, bytes([0xFF]) * 160)
        phone.sendto(bytes(packet), (lane.host, lane.port))
        await asyncio.sleep(0.02)
        heard += len(received(phone))
    return heard


async def test_a_lane_hears_one_phone_at_a_time_and_moves_when_told(phone: socket.socket) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.setblocking(False)
        engine = MediaEngine(PortPool("31000-31999"))
        engine.start()
        lane = engine.open(lambda _: None, lambda _: None)
        for number, (near, far) in enumerate([(phone, other), (other, phone), (phone, other)]):
            lane.configure(Negotiated(near.getsockname(), None, PCMU, {0: PCMU}))
            await talk(near, lane, 10 + number, 5)
            before = lane.stats()
            assert await talk(far, lane, 20, 5) == 0
            assert await talk(near, lane, 10 + number, 5) >= 4
            after = lane.stats()
            assert after.wrong_source - before.wrong_source == 5
            assert after.packets_received - before.packets_received == 5
        lane.close()
        engine.close()


async def test_nobody_else_can_bind_to_the_port_of_a_call(phone: socket.socket) -> None:
    engine = MediaEngine(PortPool("31000-31999"))
    engine.start()
    lane = engine.open(lambda _: None, lambda _: None)
    lane.configure(Negotiated(phone.getsockname(), None, PCMU, {0: PCMU}))
    await talk(phone, lane, 7, 5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
        with pytest.raises(OSError, match="in use"):
            thief.bind((lane.host, lane.port))
    engine.close()


async def test_the_end_of_a_recording_is_told_even_when_the_last_lane_has_gone(
    phone: socket.socket, tmp_path: Path
) -> None:
    engine = MediaEngine(PortPool("31000-31999"))
    engine.start()
    told: asyncio.Queue[LaneEvent] = asyncio.Queue()
    lane = engine.open(told.put_nowait, lambda _: None)
    lane.configure(Negotiated(phone.getsockname(), None, PCMU, {0: PCMU}))
    lane.record(str(tmp_path / "call.wav"))
    lane.close()
    async with asyncio.timeout(5):
        assert isinstance(await told.get(), RecordingStopped)
    engine.close()

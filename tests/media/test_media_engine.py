"""Whole lanes in virtual time: what goes in at one end comes out at the other."""

import itertools

import numpy as np
import pytest

from gateway.clock import CountedIds
from gateway.media.events import (
    KeyPressed,
    Mark,
    PlayoutFlushed,
    PlayoutStarted,
    PlayoutStopped,
)
from gateway.media.ports import PortPool
from gateway.rtp.packet import RtpPacket
from gateway.testing.hearing import tone_share
from gateway.testing.media import MediaWorld, tone
from gateway.testing.rtp import Phone

GREETING = Mark("resp_1", "item_1")


@pytest.fixture
def world() -> MediaWorld:
    return MediaWorld()


@pytest.mark.parametrize("payload_type", [0, 8])
def test_the_caller_hears_the_service_and_the_service_the_caller(
    world: MediaWorld, payload_type: int
) -> None:
    call = world.call(payload_type=payload_type)
    call.phone.say(tone(1004, 1.0, 8000))
    call.lane.play(tone(611, 1.0, 24000).tobytes(), GREETING)
    call.lane.finish("resp_1")
    world.run(1.5)

    assert tone_share(call.phone.heard()[:8000], 611, 8000) > 0.98
    assert tone_share(call.sound[1000:22000], 1004, 24000) > 0.98
    assert [type(event) for event in call.events] == [PlayoutStarted, PlayoutStopped]
    started, stopped = call.events
    assert stopped.at - started.at == pytest.approx(1.02, abs=0.021)


def test_every_packet_follows_the_one_before(world: MediaWorld) -> None:
    call = world.call()
    call.lane.play(tone(611, 0.5, 24000).tobytes(), GREETING)
    world.run(2.0)
    packets = [packet for _, packet in call.phone.packets]
    assert len(packets) == pytest.approx(100, abs=2)
    assert [p.marker for p in packets] == [True] + [False] * (len(packets) - 1)
    for before, after in itertools.pairwise(packets):
        assert (after.sequence - before.sequence) & 0xFFFF == 1
        assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == 160
    times = np.diff([at for at, _ in call.phone.packets])
    assert times == pytest.approx(0.02)


def test_the_service_gets_sound_without_a_gap_even_when_nothing_arrives(world: MediaWorld) -> None:
    call = world.call()
    call.phone.is_silent = True
    world.run(2.0)
    assert len(call.sound) == pytest.approx(2 * 24000, abs=0.15 * 24000)
    assert not call.sound.any()


def test_a_flush_stops_the_sound_at_once_and_tells_what_was_heard(world: MediaWorld) -> None:
    call = world.call()
    call.lane.play(tone(611, 5.0, 24000).tobytes(), GREETING)
    world.run(1.0)
    call.lane.flush()
    world.run(0.5)
    heard = call.phone.heard()
    (flushed,) = [e for e in call.events if isinstance(e, PlayoutFlushed)]
    (item,) = flushed.items
    loud = np.flatnonzero(np.abs(heard) > 1000)
    assert item.received_ms == 5000
    assert item.sent_ms == pytest.approx(len(heard[: loud[-1]]) / 8, abs=20)
    assert item.sent_ms == pytest.approx(1000, abs=25)


def test_keys_arrive_as_presses_and_leave_no_gap_behind(
    world: MediaWorld,
) -> None:
    call = world.call()
    world.run(0.5)
    start = call.phone.timestamp
    call.phone.is_silent = True
    for step in range(1, 8):
        end = 0x80 if step >= 5 else 0
        duration = 160 * min(step, 5)
        payload = bytes([5, end | 10, duration >> 8, duration & 0xFF])
        packet = RtpPacket(101, call.phone.sequence, start, call.phone.ssrc, payload, step == 1)
        call.phone.send(packet)
        call.phone.sequence = (call.phone.sequence + 1) & 0xFFFF
        world.run(0.02)
    call.phone.is_silent = False
    world.run(0.3)
    keys = [e for e in call.events if isinstance(e, KeyPressed)]
    assert [(k.key, k.source, k.is_down, k.duration_ms) for k in keys] == [
        ("5", "rfc4733", True, 0),
        ("5", "rfc4733", False, 100),
    ]
    assert call.lane.stats().lost == 0


def test_packets_of_the_wrong_version_type_and_source_are_counted_and_not_heard(
    world: MediaWorld,
) -> None:
    call = world.call()
    world.run(0.2)
    loud = tone(1004, 0.02, 8000).astype(np.uint8).tobytes()
    sequence, timestamp = call.phone.sequence, call.phone.timestamp
    call.phone.send(b"\x00" * 172)
    call.phone.send(b"\x80")
    call.phone.send(RtpPacket(77, sequence, timestamp, call.phone.ssrc, loud))
    call.phone.send(RtpPacket(0, 12345, timestamp, 999, loud))
    stranger = Phone(world.network, 30000, host="203.0.113.66")
    stranger.target = call.phone.target
    stranger.send(RtpPacket(0, sequence, timestamp, call.phone.ssrc, loud))
    world.run(0.5)
    stats = call.lane.stats()
    assert (stats.malformed, stats.wrong_type, stats.wrong_ssrc, stats.wrong_source) == (2, 1, 1, 1)
    assert stats.lost == 0
    assert stats.packets_received == pytest.approx(35, abs=2)
    assert not call.sound.any()
    assert not stranger.packets


def test_a_closed_lane_is_silent_and_its_port_rests(world: MediaWorld) -> None:
    call = world.call()
    world.run(0.2)
    call.lane.close()
    world.run(0.1)
    count = len(call.phone.packets)
    chunks = len(call.chunks)
    world.run(0.5)
    assert len(call.phone.packets) == count
    assert len(call.chunks) == chunks
    assert world.engine.core.receiver.drained > 10
    assert call.lane.stats().packets_sent == count
    assert not any(port.is_closed for port in world.network.ports.values())


def test_a_lane_may_have_its_ports_elsewhere_and_gives_them_back_there(world: MediaWorld) -> None:
    elsewhere = PortPool("20000-20003", "203.0.113.1", bind=world.network.bind, ids=CountedIds())
    lane = world.engine.open(lambda _: None, lambda _: None, None, elsewhere)
    usual = world.engine.open(lambda _: None, lambda _: None)
    assert (lane.host, usual.host) == ("203.0.113.1", "198.51.100.1")
    assert (elsewhere.taken, world.engine.ports.taken) == (1, 1)
    lane.close()
    usual.close()
    world.run(0.1)
    assert (elsewhere.taken, world.engine.ports.taken) == (0, 0)

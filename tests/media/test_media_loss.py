"""Packets lost, late, doubled and out of order: the service still gets one unbroken stream."""

import random

import numpy as np
import pytest

from gateway.media.events import KeyPressed
from gateway.rtp.packet import RtpPacket
from gateway.testing.hearing import tone_share
from gateway.testing.media import MediaCall, MediaWorld, tone
from gateway.testing.rtp import MemoryNetwork


def jittery(rng: random.Random) -> float:
    return 0.001 + rng.expovariate(1 / 0.008)


def press(world: MediaWorld, call: MediaCall, code: int, *, lost: set[int]) -> None:
    """Send one key of 100 ms; packets whose number is in ``lost`` do not arrive."""
    start = call.phone.timestamp
    call.phone.is_silent = True
    for step in range(1, 8):
        duration = 160 * min(step, 5)
        flags = 0x80 if step >= 5 else 0
        payload = bytes([code, flags | 10, duration >> 8, duration & 0xFF])
        if step not in lost:
            call.phone.send(
                RtpPacket(101, call.phone.sequence, start, call.phone.ssrc, payload, step == 1)
            )
        call.phone.sequence = (call.phone.sequence + 1) & 0xFFFF
        world.run(0.02)
    call.phone.timestamp = (start + 7 * 160) & 0xFFFF_FFFF
    call.phone.is_silent = False


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.2])
def test_the_stream_to_the_service_is_as_long_as_what_was_said(loss: float) -> None:
    world = MediaWorld(MemoryNetwork(loss=loss, delay=jittery))
    call = world.call()
    call.phone.say(tone(504, 10.0, 8000))
    world.run(10.2)
    stats = call.lane.stats()
    assert len(call.sound) == pytest.approx(10.2 * 24000, abs=0.2 * 24000)
    assert stats.lost == pytest.approx(loss * 500, abs=6 + loss * 150)
    assert stats.concealed == pytest.approx(stats.lost, abs=6 + stats.late)
    assert tone_share(call.sound[:230_000], 504, 24000) > 0.8 - 2 * loss


def test_jitter_alone_loses_nothing_and_costs_no_sound() -> None:
    world = MediaWorld(MemoryNetwork(delay=jittery))
    call = world.call()
    call.phone.say(tone(504, 5.0, 8000))
    world.run(5.2)
    stats = call.lane.stats()
    assert stats.lost == 0
    assert stats.jitter == pytest.approx(0.008, abs=0.006)
    assert tone_share(call.sound[2400:115_000], 504, 24000) > 0.9


def test_one_lost_packet_is_concealed_with_what_came_before() -> None:
    world = MediaWorld()
    call = world.call()
    call.phone.say(tone(504, 2.0, 8000))
    world.run(1.0)
    world.network.loss = 1.0
    world.run(0.02)
    world.network.loss = 0.0
    world.run(0.9)
    assert call.lane.stats().concealed == 1
    steady = call.sound[4800:40000].astype(float)
    quiet = np.abs(steady[: len(steady) // 480 * 480].reshape(-1, 480)).max(axis=1)
    assert quiet.min() > 3000


def test_copies_and_stragglers_are_counted_and_heard_once() -> None:
    world = MediaWorld()
    call = world.call()
    call.phone.say(tone(504, 2.0, 8000))
    world.run(0.5)
    early = RtpPacket(0, (call.phone.sequence - 3) & 0xFFFF, 0, call.phone.ssrc, bytes(160))
    for _ in range(5):
        call.phone.send(early)
    world.run(0.5)
    stats = call.lane.stats()
    assert stats.duplicates == 5
    assert stats.lost == 0
    assert len(call.sound) == pytest.approx(24000, abs=1000)


@pytest.mark.parametrize("lost", [{1}, {1, 2, 3}, {5, 6, 7}, {2, 4, 6}, {1, 5}])
def test_a_key_is_heard_once_whichever_of_its_packets_are_lost(lost: set[int]) -> None:
    world = MediaWorld()
    call = world.call()
    world.run(0.3)
    press(world, call, 9, lost=lost)
    world.run(0.5)
    keys = [(e.key, e.is_down) for e in call.events if isinstance(e, KeyPressed)]
    assert keys == [("9", True), ("9", False)]


def test_fifty_keys_through_ten_percent_loss_are_fifty_keys() -> None:
    world = MediaWorld(MemoryNetwork(loss=0.1, delay=jittery))
    call = world.call()
    world.run(0.5)
    codes = [n % 12 for n in range(50)]
    for code in codes:
        press(world, call, code, lost=set())
        world.run(0.1)
    world.run(0.5)
    keys = [e.key for e in call.events if isinstance(e, KeyPressed) and e.is_down]
    assert keys == ["0123456789*#"[code] for code in codes]


def test_a_sender_that_falls_silent_costs_no_time_on_the_service_s_clock() -> None:
    world = MediaWorld()
    call = world.call()
    world.run(1.0)
    for _ in range(5):
        call.phone.is_silent = True
        world.run(1.0)
        call.phone.is_silent = False
        call.phone.timestamp = (call.phone.timestamp + 8000) & 0xFFFF_FFFF
        world.run(1.0)
    assert len(call.sound) / 24000 == pytest.approx(11.0, abs=0.75)


def test_a_flood_fills_a_row_and_no_more() -> None:
    world = MediaWorld()
    call = world.call()
    world.run(0.1)
    for _ in range(2000):
        call.phone.tick()
    world.run(0.2)
    assert len(call.sound) < 24000 * 7
    world.run(1.5)
    assert call.lane.stats().packets_received == pytest.approx(2080, abs=60)

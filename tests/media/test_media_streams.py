"""Streams as other sides really send them: sizes, sources, silences, loops and holds."""

import dataclasses

import numpy as np
import pytest
from voicecodecs.g711 import encode_ulaw

from gateway.media.events import KeyPressed, MediaTimeout
from gateway.rtp.packet import RtpPacket
from gateway.rtp.rtcp import SenderReport, parse_compound
from gateway.sdp.codecs import Codec
from gateway.testing.hearing import tone_share
from gateway.testing.media import MediaCall, MediaWorld, tone
from gateway.testing.rtp import Phone


@pytest.fixture
def world() -> MediaWorld:
    return MediaWorld()


def speak(
    world: MediaWorld, call: MediaCall, seconds: float, ms: int = 20, frequency: float = 1004
) -> None:
    """Have the telephone speak a tone in packets of ``ms``, whatever its own beat is."""
    phone, size = call.phone, 8 * ms
    phone.is_silent = True
    codes = encode_ulaw(tone(frequency, seconds, 8000)).tobytes()
    for start in range(0, len(codes) - size + 1, size):
        payload = codes[start : start + size]
        phone.send(RtpPacket(0, phone.sequence, phone.timestamp, phone.ssrc, payload))
        phone.sequence = (phone.sequence + 1) & 0xFFFF
        phone.timestamp = (phone.timestamp + size) & 0xFFFF_FFFF
        world.run(ms / 1000)


def press(
    world: MediaWorld, call: MediaCall, code: int, *, ssrc: int, sequence: int, timestamp: int
) -> None:
    """Press a key of five packets and three ends under a source and numbers of its own."""
    for step in range(8):
        flags, duration = (0x80 if step >= 5 else 0) | 10, 160 * min(step + 1, 6)
        payload = bytes([code, flags]) + duration.to_bytes(2)
        call.phone.send(RtpPacket(101, sequence + step, timestamp, ssrc, payload, step == 0))
        world.run(0.02)


def told(call: MediaCall) -> list[str]:
    return [e.key for e in call.events if isinstance(e, KeyPressed) and e.is_down]


@pytest.mark.parametrize("ms", [10, 20, 30, 40, 50, 60])
def test_packets_of_any_length_are_heard_without_a_gap(world: MediaWorld, ms: int) -> None:
    call = world.call()
    speak(world, call, 1.8, ms)
    world.run(0.1)
    assert tone_share(call.sound[4800:40_000], 1004, 24000) > 0.98
    stats = call.lane.stats()
    assert (stats.lost, stats.concealed, stats.overruns) == (0, 0, 0)


def test_packets_that_change_their_length_in_mid_call_are_heard(world: MediaWorld) -> None:
    call = world.call()
    for ms in (20, 30, 10, 60, 20):
        speak(world, call, 0.6, ms)
    assert tone_share(call.sound[-12_000:], 1004, 24000) > 0.95
    assert call.lane.stats().lost == 0


def test_keys_under_a_source_of_their_own_are_heard_and_the_sound_goes_on(
    world: MediaWorld,
) -> None:
    call = world.call()
    speak(world, call, 0.5)
    call.phone.is_silent = False
    call.phone.say(tone(1004, 3.0, 8000))
    for n, code in enumerate((1, 5, 9, 11)):
        timestamp = call.phone.timestamp
        press(world, call, code, ssrc=0x01020304, sequence=40_000 + 8 * n, timestamp=timestamp)
        world.run(0.1)
    assert told(call) == ["1", "5", "9", "#"]
    assert tone_share(call.sound[-2000:], 1004, 24000) > 0.95
    assert call.lane.stats().lost == 0


@pytest.mark.parametrize(("code", "key"), [(16, "flash"), (15, "D"), (10, "*")])
def test_a_flash_is_told_as_a_flash_and_never_as_a_digit(
    world: MediaWorld, code: int, key: str
) -> None:
    call = world.call()
    speak(world, call, 0.2)
    phone = call.phone
    numbers = {"sequence": phone.sequence, "timestamp": phone.timestamp}
    press(world, call, code, ssrc=phone.ssrc, **numbers)
    world.run(0.2)
    assert told(call) == [key]


def test_a_key_before_any_sound_is_heard_and_so_is_the_sound_after_it(world: MediaWorld) -> None:
    call = world.call()
    phone = call.phone
    phone.is_silent = True
    phone.sequence, phone.timestamp = 100, 8000
    press(world, call, 7, ssrc=phone.ssrc, sequence=92, timestamp=7000)
    speak(world, call, 0.8)
    assert told(call) == ["7"]
    assert tone_share(call.sound[-12_000:], 1004, 24000) > 0.95


def test_a_press_goes_on_through_a_change_of_source(world: MediaWorld) -> None:
    call = world.call()
    speak(world, call, 0.3)
    phone = call.phone
    half = bytes([4, 10, 0, 160])
    phone.send(RtpPacket(101, phone.sequence, phone.timestamp, phone.ssrc, half, True))
    world.run(0.02)
    phone.ssrc, phone.sequence, phone.timestamp = 99, 60_000, 5
    speak(world, call, 0.8)
    assert told(call) == ["4"]
    ups = [e for e in call.events if isinstance(e, KeyPressed) and not e.is_down]
    assert [e.key for e in ups] == ["4"]
    assert tone_share(call.sound[-9000:], 1004, 24000) > 0.95


@pytest.mark.parametrize("keeps_ssrc", [False, True])
def test_a_new_source_or_numbering_is_silent_for_less_than_a_tenth_of_a_second(
    world: MediaWorld, keeps_ssrc: bool
) -> None:
    call = world.call()
    speak(world, call, 1.0)
    before = len(call.sound)
    phone = call.phone
    phone.ssrc = phone.ssrc if keeps_ssrc else 4242
    phone.sequence, phone.timestamp = (phone.sequence + 30_000) & 0xFFFF, 17
    speak(world, call, 1.0)
    after = call.sound[before:].astype(float)
    quiet = np.abs(after[: len(after) // 480 * 480].reshape(-1, 480)).max(axis=1) < 1000
    assert quiet.sum() <= 5
    assert call.lane.stats().lost == 0


def test_our_own_packets_that_come_back_are_nobody_and_press_no_key(world: MediaWorld) -> None:
    call = world.call()
    phone = call.phone
    phone.is_silent = True
    listen = phone.listen

    def echo() -> None:
        count = len(phone.packets)
        listen()
        for _, packet in phone.packets[count:]:
            phone.send(packet)

    phone.listen = echo  # type: ignore[method-assign]
    rtcp = world.network.bind(phone.port.address[0], phone.port.address[1] + 1)
    call.lane.send_digits("5")
    world.run(6.0)
    assert told(call) == []
    assert not call.sound.any()
    stats = call.lane.stats()
    assert stats.looped > 250
    assert stats.packets_received == 0
    assert [e for e in call.events if isinstance(e, MediaTimeout)] == []
    buffer = memoryview(bytearray(2048))
    size, _ = rtcp.recvfrom_into(buffer)
    report = parse_compound(bytes(buffer[:size]))[0]
    assert isinstance(report, SenderReport)
    assert report.blocks == []


def test_who_has_our_ssrc_by_chance_is_heard(world: MediaWorld) -> None:
    call = world.call()
    call.phone.ssrc = call.lane.ssrc
    call.phone.sequence = 30_000
    speak(world, call, 1.0)
    assert tone_share(call.sound[-12_000:], 1004, 24000) > 0.95
    assert call.lane.stats().looped == 0


@pytest.mark.parametrize("has_noise", [False, True])
def test_a_silence_of_two_seconds_is_no_loss_and_costs_no_time(
    world: MediaWorld, has_noise: bool
) -> None:
    noise = Codec("CN", 8000, 1, 13)
    phone = Phone(world.network, 20000)
    negotiated = phone.negotiated()
    types = {**negotiated.receive_types, 13: noise}
    call = world.call(phone=phone, negotiated=dataclasses.replace(negotiated, receive_types=types))
    for _ in range(3):
        speak(world, call, 1.0)
        for n in range(10):
            if has_noise and n % 5 == 0:
                packet = RtpPacket(13, phone.sequence, phone.timestamp, phone.ssrc, b"\x40")
                phone.send(packet)
                phone.sequence = (phone.sequence + 1) & 0xFFFF
            world.run(0.2)
            phone.timestamp = (phone.timestamp + 1600) & 0xFFFF_FFFF
    stats = call.lane.stats()
    assert (stats.lost, stats.concealed, stats.wrong_type) == (0, 0, 0)
    assert stats.jitter < 0.02
    assert len(call.sound) / 24000 == pytest.approx(9.0, abs=0.4)
    assert not call.sound[-40_000:].any()


def test_a_shuffled_stream_is_heard_in_its_order_and_nothing_twice(world: MediaWorld) -> None:
    call = world.call()
    phone = call.phone
    phone.is_silent = True
    codes = encode_ulaw(tone(1004, 2.0, 8000)).tobytes()
    packets = [
        RtpPacket(0, (65_500 + n) & 0xFFFF, n * 160, 7, codes[n * 160 :][:160]) for n in range(100)
    ]
    for first, second in zip(packets[::2], packets[1::2], strict=True):
        world.run(0.02)
        phone.send(second)
        world.run(0.02)
        phone.send(first)
        phone.send(second)
    world.run(0.2)
    stats = call.lane.stats()
    assert stats.duplicates == 50
    assert stats.lost == 0
    assert tone_share(call.sound[4800:40_000], 1004, 24000) > 0.95


def test_a_long_hold_is_not_a_lost_call_and_an_endless_one_is() -> None:
    world = MediaWorld(media_timeout=1.0, hold_timeout=10.0)
    call = world.call()
    world.run(0.5)
    call.phone.is_silent = True
    call.lane.configure(call.phone.negotiated(direction="sendonly"))
    world.run(9.0)
    assert [e for e in call.events if isinstance(e, MediaTimeout)] == []
    world.run(3.0)
    (event,) = [e for e in call.events if isinstance(e, MediaTimeout)]
    assert event.is_held
    assert event.seconds == pytest.approx(10.0, abs=0.6)


def test_after_a_hold_the_time_without_a_packet_counts_from_its_end() -> None:
    world = MediaWorld(media_timeout=1.0, hold_timeout=10.0)
    call = world.call()
    world.run(0.5)
    call.phone.is_silent = True
    call.lane.hold(True)
    world.run(5.0)
    call.lane.hold(False)
    world.run(0.8)
    assert [e for e in call.events if isinstance(e, MediaTimeout)] == []
    world.run(1.5)
    (event,) = [e for e in call.events if isinstance(e, MediaTimeout)]
    assert not event.is_held

"""Lanes that are encrypted: sound, keys and reports both ways, and what does not belong to them."""

import dataclasses

import numpy as np
import pytest

from gateway.media.events import KeyPressed, Mark
from gateway.media.intake import Intake
from gateway.rtp.dtmf import EventSender
from gateway.rtp.latch import Proof
from gateway.rtp.packet import RtpPacket
from gateway.rtp.rtcp import Bye, ReceiverReport, ReportBlock, SenderReport, parse_compound
from gateway.sdp.crypto import SUITES
from gateway.testing.hearing import tone_share
from gateway.testing.media import MediaCall, MediaWorld, tone
from gateway.testing.rtp import MemoryNetwork, MemoryPort, Phone

SPEECH = Mark("resp_1", "item_1")
USUAL = "AES_CM_128_HMAC_SHA1_80"
TAGS = {name: 16 if "GCM" in name else int(name[-2:]) // 8 for name in SUITES}


def encrypted(world: MediaWorld, suite: str = USUAL) -> MediaCall:
    phone = Phone(world.network, 20000 + 2 * len(world.calls))
    phone.encrypt(suite)
    return world.call(phone=phone)


def taken(port: MemoryPort) -> list[bytes]:
    """Return every datagram that has arrived."""
    found, buffer = [], memoryview(bytearray(2048))
    while port.is_ready:
        size, _ = port.recvfrom_into(buffer)
        found.append(bytes(buffer[:size]))
    return found


def press(world: MediaWorld, call: MediaCall, key: str) -> None:
    sender, phone = EventSender(), call.phone
    sender.start(key, 100, phone.timestamp)
    while (event := sender.tick()) is not None:
        packet = RtpPacket(101, phone.sequence, event.timestamp, phone.ssrc, event.payload)
        phone.send(packet)
        phone.sequence = (phone.sequence + 1) & 0xFFFF
        world.run(0.02)


def hears(call: MediaCall, frequency: float, seconds: float = 0.4) -> bool:
    """Say whether the service heard such a tone, and the caller another, in the last while."""
    return tone_share(call.sound[-round(seconds * 24000) :], frequency, 24000) > 0.95


@pytest.fixture
def world() -> MediaWorld:
    return MediaWorld()


@pytest.mark.parametrize("suite", SUITES)
def test_sound_goes_both_ways_in_every_suite_and_mostly_in_bulk(
    world: MediaWorld, suite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_by_one: list[float] = []
    receive = Intake.receive

    def counted(
        intake: Intake, data: bytes, source: tuple[str, int], now: float, **more: Proof
    ) -> None:
        one_by_one.append(now)
        receive(intake, data, source, now, **more)

    monkeypatch.setattr(Intake, "receive", counted)
    call = encrypted(world, suite)
    call.phone.say(tone(1004, 2.0, 8000))
    call.lane.play(tone(611, 2.0, 24000).tobytes(), SPEECH)
    world.run(2.0)
    assert tone_share(call.phone.heard()[800:14000], 611, 8000) > 0.98
    assert tone_share(call.sound[1000:40000], 1004, 24000) > 0.98
    stats = call.lane.stats()
    assert (stats.forged, stats.repeated, stats.lost, stats.malformed) == (0, 0, 0, 0)
    assert stats.packets_received > 90
    assert len(one_by_one) < 10


@pytest.mark.parametrize("suite", SUITES)
def test_nothing_of_it_is_on_the_wire_as_it_was(world: MediaWorld, suite: str) -> None:
    call = encrypted(world, suite)
    cipher, call.phone.cipher = call.phone.cipher, None
    call.phone.is_silent = True
    call.lane.play(bytes(48000), SPEECH)
    world.run(0.5)
    packets = [bytes(packet) for _, packet in call.phone.packets]
    assert {len(packet) for packet in packets} == {12 + 160 + TAGS[suite]}
    assert all(len(set(packet[12:])) > 40 for packet in packets)
    assert cipher is not None
    assert {bytes((cipher.open_copy(p) or b"")[12:]) for p in packets} == {b"\xff" * 160}


def test_keys_go_both_ways(world: MediaWorld) -> None:
    call = encrypted(world)
    world.run(0.3)
    for key in "1#":
        press(world, call, key)
    call.lane.send_digits("5", duration_ms=100)
    world.run(0.5)
    pressed = [e.key for e in call.events if isinstance(e, KeyPressed) and not e.is_down]
    assert pressed == ["1", "#"]
    codes = {p.payload[0] for _, p in call.phone.packets if p.payload_type == 101}
    assert codes == {5}
    assert call.lane.stats().forged == 0


def test_packets_of_any_length_are_encrypted(world: MediaWorld) -> None:
    call = encrypted(world)
    call.lane.configure(call.phone.negotiated(ptime=60))
    call.lane.play(tone(611, 1.0, 24000).tobytes(), SPEECH)
    world.run(1.0)
    assert {len(p.payload) for _, p in call.phone.packets[2:]} == {480}
    assert tone_share(call.phone.heard()[800:7000], 611, 8000) > 0.98


@pytest.mark.parametrize("is_mux", [False, True])
def test_reports_are_encrypted_both_ways(world: MediaWorld, is_mux: bool) -> None:
    call = encrypted(world, "AES_CM_128_HMAC_SHA1_32")
    host, number = call.phone.port.address
    cipher = call.phone.cipher
    assert cipher is not None
    there, rtcp = (host, number), call.phone.port
    if not is_mux:
        there = (host, number + 1)
        rtcp = world.network.bind(*there)
    negotiated = dataclasses.replace(call.phone.negotiated(), remote_rtcp=there, is_rtcp_mux=is_mux)
    call.lane.configure(negotiated)
    call.phone.listen = lambda: None  # type: ignore[method-assign]
    block = ReportBlock(call.lane.ssrc, fraction_lost=64)
    world.run(1.0)
    rtcp.sendto(
        cipher.seal_report(bytes(ReceiverReport(call.phone.ssrc, [block]))),
        (call.lane.host, call.lane.port + (not is_mux)),
    )
    rtcp.sendto(bytes(ReceiverReport(9, [])), (call.lane.host, call.lane.port + (not is_mux)))
    world.run(4.9)
    (compound,) = [d for d in taken(rtcp) if 192 <= d[1] <= 223]
    assert compound[-14] & 0x80, "its number, and that it is encrypted, stand before a tag of 10"
    report = parse_compound(cipher.open_report(compound) or b"")[0]
    assert isinstance(report, SenderReport)
    assert report.blocks[0].ssrc == call.phone.ssrc
    stats = call.lane.stats()
    assert (stats.remote_loss, stats.forged) == (0.25, 1)
    call.lane.close()
    world.run(0.1)
    (last,) = [d for d in taken(rtcp) if 192 <= d[1] <= 223]
    parts = parse_compound(cipher.open_report(last) or b"")
    assert any(isinstance(packet, Bye) for packet in parts)


def test_sound_under_another_key_is_silence_and_counted(world: MediaWorld) -> None:
    phone = Phone(world.network, 20000)
    phone.encrypt(USUAL)
    assert phone.keys is not None
    keys = dataclasses.replace(phone.keys, remote=bytearray(30))
    call = world.call(phone=phone, negotiated=dataclasses.replace(phone.negotiated(), srtp=keys))
    phone.say(tone(1004, 1.0, 8000))
    world.run(1.0)
    assert len(call.sound) == pytest.approx(24000, abs=0.2 * 24000)
    assert not call.sound.any()
    stats = call.lane.stats()
    assert stats.forged == pytest.approx(50, abs=2)
    assert stats.packets_received == 0


def test_an_old_key_is_not_believed_for_long(world: MediaWorld) -> None:
    call = encrypted(world)
    phone = call.phone
    world.run(0.2)
    assert phone.keys is not None
    keys = dataclasses.replace(phone.keys, remote=bytearray(b"another" * 4 + b"!!"))
    call.lane.configure(dataclasses.replace(phone.negotiated(), srtp=keys))
    phone.say(tone(1004, 10.0, 8000))
    world.run(4.0)
    assert hears(call, 1004)
    world.run(2.0)
    assert not call.sound[-10000:].any()
    assert call.lane.stats().forged == pytest.approx(50, abs=10)


def test_an_encrypted_lane_takes_nothing_plain(world: MediaWorld) -> None:
    call = encrypted(world)
    call.phone.cipher = None
    call.phone.say(tone(1004, 1.0, 8000))
    world.run(1.0)
    assert not call.sound.any()
    assert call.lane.stats().forged == pytest.approx(50, abs=2)


def test_a_lane_that_waits_for_its_keys_neither_sends_nor_hears(world: MediaWorld) -> None:
    phone = Phone(world.network, 20000)
    bare = dataclasses.replace(phone.negotiated(), is_secure=True)
    call = world.call(phone=phone, negotiated=bare)
    rtcp = world.network.bind(phone.port.address[0], 20001)
    phone.say(tone(1004, 6.0, 8000))
    world.run(6.0)
    assert not call.sound.any()
    assert (phone.packets, taken(rtcp)) == ([], [])
    phone.encrypt(USUAL)
    call.lane.configure(phone.negotiated())
    phone.say(tone(1004, 1.0, 8000))
    world.run(0.8)
    assert hears(call, 1004)
    assert len(phone.packets) > 30


def test_a_change_of_keys_loses_nothing_that_was_on_its_way() -> None:
    world = MediaWorld(MemoryNetwork(delay=lambda _: 0.05))
    call = encrypted(world)
    call.phone.say(tone(1004, 4.0, 8000))
    world.run(1.0)
    for number, suite in enumerate(("AEAD_AES_128_GCM", USUAL, "AEAD_AES_256_GCM"), 2):
        call.phone.encrypt(suite, number)
        call.lane.configure(call.phone.negotiated())
        world.run(0.8)
        assert hears(call, 1004, 0.75)
    stats = call.lane.stats()
    assert (stats.lost, stats.forged, stats.concealed) == (0, 0, 0)
    assert len(call.phone.packets) == pytest.approx(world.network.now * 50, abs=6)


def test_encryption_can_begin_and_end_in_mid_call(world: MediaWorld) -> None:
    call = world.call()
    call.phone.say(tone(1004, 4.0, 8000))
    world.run(0.5)
    assert hears(call, 1004, 0.3)
    call.phone.encrypt(USUAL)
    call.lane.configure(call.phone.negotiated())
    world.run(0.8)
    assert hears(call, 1004)
    call.phone.cipher = call.phone.keys = None
    call.lane.configure(call.phone.negotiated())
    count = len(call.phone.packets)
    world.run(0.8)
    assert hears(call, 1004)
    assert len(call.phone.packets) - count >= 38


@pytest.mark.parametrize("suite", [USUAL, "AEAD_AES_128_GCM"])
@pytest.mark.parametrize("does_pause", [False, True])
def test_the_roll_over_is_counted_through_a_hold(
    world: MediaWorld, suite: str, does_pause: bool
) -> None:
    call = encrypted(world, suite)
    call.phone.sequence = 65_480
    world.run(0.1)
    row = call.lane._seat.row
    world.engine.core.arrays.sequence[row] = 65_480
    world.run(0.3)
    call.lane.hold(True)
    call.lane.configure(call.phone.negotiated(direction="sendonly"))
    call.phone.is_silent = does_pause
    world.run(2.0)  # both sides' numbers wrap, where they go on
    if does_pause:
        call.phone.sequence = 5
    call.phone.is_silent = False
    call.lane.configure(call.phone.negotiated())
    call.lane.hold(False)
    call.phone.say(tone(1004, 1.0, 8000))
    call.lane.play(tone(611, 1.0, 24000).tobytes(), SPEECH)
    world.run(1.0)
    assert hears(call, 1004)
    assert call.phone.sequence < 1000
    assert int(world.engine.core.arrays.sequence[row]) < 1000
    assert tone_share(call.phone.heard()[-6000:], 611, 8000) > 0.95
    assert call.lane.stats().forged == 0


def test_each_source_keeps_its_roll_overs_while_another_speaks(world: MediaWorld) -> None:
    call = encrypted(world)
    phone = call.phone
    phone.say(tone(1004, 6.0, 8000))
    world.run(1.0)  # the first source has wrapped
    first = phone.ssrc, phone.sequence
    assert phone.sequence < 1000
    phone.ssrc, phone.sequence = 77, 40_000
    world.run(1.0)
    assert hears(call, 1004)
    phone.ssrc, phone.sequence = first
    world.run(1.0)
    assert hears(call, 1004)
    assert call.lane.stats().forged == 0


def test_a_burst_of_loss_at_the_wrap_is_survived() -> None:
    world = MediaWorld()
    call = encrypted(world)
    call.phone.sequence = 65_500
    call.phone.say(tone(1004, 4.0, 8000))
    world.run(0.5)
    world.network.loss = 1.0
    world.run(1.0)
    world.network.loss = 0.0
    world.run(1.0)
    assert call.phone.sequence < 1000
    assert hears(call, 1004)
    assert call.lane.stats().forged == 0


def test_what_a_stranger_copies_is_not_heard_and_takes_nothing_away(world: MediaWorld) -> None:
    call = encrypted(world)
    stranger = world.network.bind("203.0.113.66", 6666)
    phone = call.phone
    phone.say(tone(1004, 4.0, 8000))
    world.run(1.0)
    send = phone.port.sendto

    def tapped(data: memoryview | bytes, address: tuple[str, int]) -> int:
        stranger.sendto(bytes(data), address)  # arrives before the packet itself
        return send(data, address)

    phone.port.sendto = tapped  # type: ignore[method-assign]
    world.run(2.0)
    assert hears(call, 1004)
    stats = call.lane.stats()
    assert (stats.lost, stats.forged, stats.repeated) == (0, 0, 0)
    assert stats.wrong_source > 90
    assert taken(stranger) == []


def test_a_packet_sent_again_is_heard_once(world: MediaWorld) -> None:
    call = encrypted(world)
    phone = call.phone
    world.run(0.5)
    send = phone.port.sendto
    phone.port.sendto = lambda data, to: send(data, to) + send(data, to)  # type: ignore[method-assign]
    world.run(1.0)
    stats = call.lane.stats()
    assert stats.repeated == pytest.approx(50, abs=2)
    assert (stats.duplicates, stats.forged) == (0, 0)


def test_keys_are_overwritten_when_they_are_used_no_more(world: MediaWorld) -> None:
    call = encrypted(world)
    world.run(0.1)
    first = call.phone.keys
    call.phone.encrypt(USUAL, 2)
    second = call.phone.keys
    call.lane.configure(call.phone.negotiated())
    world.run(0.1)
    assert first is not None
    assert second is not None
    assert not any(first.local + first.remote)
    assert any(second.local)
    assert any(second.remote)
    call.lane.close()
    world.run(0.1)
    assert not any(second.local + second.remote)


def test_garbage_at_an_encrypted_port_is_counted_and_harms_nothing(world: MediaWorld) -> None:
    call = encrypted(world)
    call.phone.say(tone(1004, 3.0, 8000))
    world.run(0.5)
    chance = np.random.default_rng(1)
    for size in [0, 1, 2, 11, 12, 13, 40, 172, 182, 1400, 1500, 1600]:
        for first in (0x00, 0x16, 0x80, 0x90, 0xBF, 0xFF):
            data = bytes([first]) + chance.bytes(size)
            call.phone.port.sendto(data[:size], (call.lane.host, call.lane.port))
            call.phone.port.sendto(data[:size], (call.lane.host, call.lane.port + 1))
    world.run(1.0)
    assert hears(call, 1004)
    stats = call.lane.stats()
    assert stats.forged > 50
    assert stats.lost == 0

"""What a lane does besides carrying sound: hold, keys, prompts, recordings, reports, changes."""

import dataclasses
import itertools
import random
import wave
from pathlib import Path

import numpy as np
import pytest
from voicecodecs.g711 import decode_ulaw
from voicecodecs.tones import dtmf_tone

from gateway.clock import CountedIds
from gateway.errors import CapacityError
from gateway.media.events import (
    KeyPressed,
    Mark,
    MediaTimeout,
    PlayoutStarted,
    PromptStopped,
    RecordingStopped,
)
from gateway.media.prompts import Prompt
from gateway.rtp.rtcp import CNAME, Bye, Sdes, SenderReport, parse_compound
from gateway.testing.hearing import tone_share
from gateway.testing.media import MediaCall, MediaWorld, tone
from gateway.testing.rtp import MemoryPort

SPEECH = Mark("resp_1", "item_1")


class SeededIds(CountedIds):
    """Numbers by chance, the same in every run."""

    def __init__(self) -> None:
        super().__init__()
        self.number = random.Random(1).randrange  # type: ignore[method-assign,assignment]


@pytest.fixture
def world() -> MediaWorld:
    return MediaWorld()


def reports(port: MemoryPort) -> list[bytes]:
    buffer = memoryview(bytearray(2048))
    found = []
    while port.is_ready:
        size, _ = port.recvfrom_into(buffer)
        found.append(bytes(buffer[:size]))
    return found


def test_eight_callers_each_hear_their_own_tone_and_are_heard_with_theirs(
    world: MediaWorld,
) -> None:
    calls = [world.call(payload_type=8 * (n % 2)) for n in range(8)]
    for number, call in enumerate(calls):
        call.phone.say(tone(400 + 37 * number, 1.5, 8000))
        call.lane.play(tone(1100 + 41 * number, 1.5, 24000).tobytes(), SPEECH)
    world.run(1.4)
    for number, call in enumerate(calls):
        heard = call.phone.heard()[320:]
        for other in range(8):
            is_own = other == number
            assert (tone_share(call.sound[3000:], 400 + 37 * other, 24000) > 0.95) is is_own
            assert (tone_share(heard, 1100 + 41 * other, 8000) > 0.95) is is_own


def test_hold_silences_both_ways_and_keeps_what_is_queued(world: MediaWorld) -> None:
    call = world.call()
    call.phone.say(tone(1004, 3.0, 8000))
    call.lane.play(tone(611, 1.0, 24000).tobytes(), SPEECH)
    call.lane.finish("resp_1")
    world.run(0.5)
    call.lane.hold(True)
    world.run(0.1)
    call.chunks.clear()
    call.phone.packets.clear()
    world.run(1.0)
    assert not call.sound.any()
    assert len(call.sound) == pytest.approx(24000, abs=960)
    assert not call.phone.heard().any()
    call.lane.hold(False)
    world.run(1.0)
    assert np.count_nonzero(np.abs(call.phone.heard()) > 100) / 8 == pytest.approx(500, abs=40)
    assert tone_share(call.sound[-12000:], 1004, 24000) > 0.95


def test_a_direction_that_may_not_send_sends_nothing_and_goes_on_with_a_marker(
    world: MediaWorld,
) -> None:
    call = world.call()
    world.run(0.2)
    call.lane.configure(call.phone.negotiated(direction="recvonly"))
    world.run(0.1)
    count = len(call.phone.packets)
    world.run(0.5)
    assert len(call.phone.packets) == count
    call.lane.configure(call.phone.negotiated())
    world.run(0.1)
    assert call.phone.packets[count][1].marker


def test_keys_go_out_as_events_with_three_ends(world: MediaWorld) -> None:
    call = world.call()
    world.run(0.1)
    call.lane.send_digits("1#", duration_ms=100, gap_ms=60)
    world.run(1.0)
    events = [p for _, p in call.phone.packets if p.payload_type == 101]
    first, second = (list(g) for _, g in itertools.groupby(events, key=lambda p: p.timestamp))
    for packets, code in ((first, 1), (second, 11)):
        assert {p.payload[0] for p in packets} == {code}
        assert [p.marker for p in packets] == [True] + [False] * (len(packets) - 1)
        assert sum(p.payload[1] >> 7 for p in packets) == 3
        assert int.from_bytes(packets[-1].payload[2:]) == 800
    sequences = [p.sequence for _, p in call.phone.packets]
    assert all((b - a) & 0xFFFF == 1 for a, b in itertools.pairwise(sequences))


def test_keys_go_out_as_tones_to_a_peer_without_events(world: MediaWorld) -> None:
    call = world.call()
    call.lane.configure(dataclasses.replace(call.phone.negotiated(), dtmf_send_type=None))
    call.lane.send_digits("5", duration_ms=100)
    world.run(0.5)
    heard = call.phone.heard()
    loud = heard[np.abs(heard) > 0]
    assert tone_share(loud, 770, 8000) > 0.3
    assert tone_share(loud, 1336, 8000) > 0.3


def test_a_key_that_is_on_no_telephone_is_refused(world: MediaWorld) -> None:
    with pytest.raises(ValueError, match="'X' is not"):
        world.call().lane.send_digits("1x")


def test_a_key_in_the_sound_is_heard_and_kept_from_the_service(world: MediaWorld) -> None:
    call = world.call()
    call.phone.say(np.concatenate([tone(300, 0.5, 8000, 500), dtmf_tone("7", 120)]))
    world.run(1.2)
    keys = [e for e in call.events if isinstance(e, KeyPressed)]
    assert [(k.key, k.source, k.is_down) for k in keys] == [
        ("7", "inband", True),
        ("7", "inband", False),
    ]
    assert keys[1].duration_ms == pytest.approx(120, abs=25)


def test_in_band_keys_are_left_alone_where_nobody_asked(world: MediaWorld) -> None:
    call = world.call(detect_inband=False)
    call.phone.say(dtmf_tone("7", 200))
    world.run(0.6)
    assert not call.events


def test_a_prompt_plays_then_speech_and_both_are_told(world: MediaWorld) -> None:
    call = world.call()
    call.lane.play_prompt(Prompt(tone(440, 0.2, 16000), 16000), "please-wait")
    call.lane.play(tone(611, 0.2, 24000).tobytes(), SPEECH)
    world.run(0.6)
    heard = call.phone.heard()
    assert tone_share(heard[160:1600], 440, 8000) > 0.9
    assert tone_share(heard[1800:3100], 611, 8000) > 0.9
    assert [type(e) for e in call.events] == [PromptStopped, PlayoutStarted]


def test_music_goes_round_until_speech_waits(world: MediaWorld) -> None:
    call = world.call()
    call.lane.play_prompt(Prompt(tone(440, 0.1, 8000), 8000), "music", repeat=True)
    world.run(1.0)
    assert tone_share(call.phone.heard()[160:], 440, 8000) > 0.9
    call.lane.flush()
    world.run(0.1)
    assert call.events[0] == PromptStopped("music", False, call.events[0].at)


def test_a_recording_has_the_caller_left_and_the_service_right(
    world: MediaWorld, tmp_path: Path
) -> None:
    call = world.call()
    path = tmp_path / "call.wav"
    call.lane.record(str(path))
    call.phone.say(tone(1004, 1.0, 8000))
    call.lane.play(tone(611, 1.0, 24000).tobytes(), SPEECH)
    world.run(1.0)
    call.lane.stop_recording()
    world.run(0.02)
    world.engine.close()
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels()) == (8000, 2)
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
    assert len(sound) == pytest.approx(8000, abs=400)
    assert tone_share(sound[400:7600, 0], 1004, 8000) > 0.95
    assert tone_share(sound[400:7600, 1], 611, 8000) > 0.95
    (stopped,) = [e for e in call.events if isinstance(e, RecordingStopped)]
    assert (stopped.path, stopped.problem) == (str(path), "")


@pytest.mark.parametrize("after_ms", [5, 10, 15, 20])
def test_a_recording_ends_with_the_lane_and_has_the_last_that_came(
    world: MediaWorld, tmp_path: Path, after_ms: int
) -> None:
    call = world.call()
    path = tmp_path / "call.wav"
    call.phone.is_silent = True
    world.run(0.1)
    call.lane.record(str(path))
    call.phone.is_silent = False
    call.phone.say(np.full(8000, 1000, np.int16))
    world.run(0.100 + after_ms / 1000)
    said = 160 * round((call.phone.sequence - 65_500) & 0xFFFF)
    call.lane.close()
    world.run(0.02)
    world.engine.close()
    with wave.open(str(path)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
    assert np.count_nonzero(sound[:, 0] > 900) == said
    (stopped,) = [e for e in call.events if isinstance(e, RecordingStopped)]
    assert stopped.problem == ""


def test_sound_nobody_takes_is_dropped_and_counted_and_other_orders_are_not(
    world: MediaWorld,
) -> None:
    call = world.call()
    for _ in range(5000):
        call.lane.play(bytes(960), SPEECH)
    call.lane.send_digits("5")
    assert 0 < world.engine.stats().dropped_orders < 5000
    world.run(0.3)
    events = [packet for _, packet in call.phone.packets if packet.payload_type == 101]
    assert events
    call.lane.play(bytes(960), SPEECH)
    before = world.engine.stats().dropped_orders
    world.run(0.1)
    assert world.engine.stats().dropped_orders == before


def test_queued_speech_survives_a_change_of_codec(world: MediaWorld) -> None:
    call = world.call(payload_type=0)
    call.lane.play(tone(611, 1.0, 24000).tobytes(), SPEECH)
    world.run(0.5)
    alaw = MediaCall(call.lane, call.phone)
    codec = dataclasses.replace(call.phone.negotiated().codec, name="PCMA", payload_type=8)
    negotiated = dataclasses.replace(call.phone.negotiated(), codec=codec, receive_types={8: codec})
    before = decode_ulaw(b"".join(p.payload for _, p in alaw.phone.packets))
    call.phone.packets.clear()
    call.lane.configure(negotiated)
    call.phone.change_law(8)
    world.run(0.5)
    assert tone_share(before[160:], 611, 8000) > 0.9
    assert tone_share(call.phone.heard()[:3600], 611, 8000) > 0.9
    call.phone.say(tone(1004, 0.5, 8000))
    world.run(0.5)
    assert tone_share(call.sound[-9000:], 1004, 24000) > 0.9
    assert call.lane.stats().codec == "PCMA"


@pytest.mark.parametrize("ptime", [10, 30, 40, 60])
def test_packets_are_as_long_as_the_other_side_asked(world: MediaWorld, ptime: int) -> None:
    call = world.call()
    call.lane.configure(call.phone.negotiated(ptime=ptime))
    call.lane.play(tone(611, 1.0, 24000).tobytes(), SPEECH)
    world.run(1.0)
    packets = [p for _, p in call.phone.packets]
    assert {len(p.payload) for p in packets} == {8 * ptime}
    steps = {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in itertools.pairwise(packets)}
    assert steps == {8 * ptime}
    assert len(packets) == pytest.approx(1000 / ptime, abs=3)
    assert tone_share(call.phone.heard()[160:], 611, 8000) > 0.9


@pytest.mark.parametrize(("uplink", "payload_type"), [("pcmu", 0), ("pcma", 0), ("pcma", 8)])
def test_pass_through_carries_the_telephone_s_own_bytes(
    world: MediaWorld, uplink: str, payload_type: int
) -> None:
    call = world.call(uplink="pcmu" if uplink == "pcmu" else "pcma", payload_type=payload_type)
    call.phone.say(tone(1004, 0.5, 8000))
    call.lane.play(b"\x2a" * 1600, SPEECH)
    world.run(0.5)
    assert {len(chunk) for chunk in call.chunks} == {160}
    if (uplink, payload_type) in (("pcmu", 0), ("pcma", 8)):
        assert call.phone.packets[2][1].payload == b"\x2a" * 160


def test_reports_carry_what_was_sent_and_the_last_says_goodbye(world: MediaWorld) -> None:
    call = world.call()
    host, number = call.phone.port.address
    rtcp = world.network.bind(host, number + 1)
    world.run(8.0)
    compound, *_ = reports(rtcp)
    report, names = parse_compound(compound)[:2]
    assert isinstance(report, SenderReport)
    assert names == Sdes([(call.lane.ssrc, [(CNAME, call.lane.cname)])])
    assert call.lane.host not in call.lane.cname
    at = report.ntp / (1 << 32)
    assert 2.5 <= at <= 8.0
    assert report.packet_count == pytest.approx(50 * at, abs=3)
    assert report.octet_count == report.packet_count * 160
    assert report.blocks[0].ssrc == call.phone.ssrc
    assert report.blocks[0].fraction_lost == 0
    call.lane.close()
    world.run(0.1)
    (last,) = reports(rtcp)
    assert any(isinstance(packet, Bye) for packet in parse_compound(last))


def test_calls_that_begin_together_report_by_chance_and_not_in_step() -> None:
    world = MediaWorld(ids=SeededIds())
    ports = []
    for _ in range(20):
        host, number = world.call().phone.port.address
        ports.append(world.network.bind(host, number + 1))
    world.run(30.0)
    times = []
    for port in ports:
        found = [parse_compound(compound)[0] for compound in reports(port)]
        times.append([r.ntp / (1 << 32) for r in found if isinstance(r, SenderReport)])
    gaps = [b - a for one in times for a, b in itertools.pairwise([0.0, *one])]
    assert all(2.5 <= gap <= 8.1 for gap in gaps)  # what is due is looked at twice a second
    assert min(gaps) < 4.0
    assert max(gaps) > 6.0
    assert len({round(one[0], 1) for one in times}) > 3


def test_silence_on_the_wire_is_told_once_and_again_after_a_return() -> None:
    world = MediaWorld(media_timeout=1.0)
    call = world.call()
    world.run(0.5)
    for _ in range(2):
        call.phone.is_silent = True
        world.run(3.0)
        call.phone.is_silent = False
        world.run(1.0)
    timeouts = [e for e in call.events if isinstance(e, MediaTimeout)]
    assert len(timeouts) == 2
    assert timeouts[0].seconds == pytest.approx(1.0, abs=0.6)


def test_a_caller_behind_a_nat_is_answered_where_the_packets_come_from(world: MediaWorld) -> None:
    call = world.call()
    host, _ = call.phone.port.address
    told = {"remote": ("10.1.2.3", 4000), "peer_host": host}
    call.lane.configure(dataclasses.replace(call.phone.negotiated(), **told))
    call.phone.packets.clear()
    world.run(1.0)
    assert len(call.phone.packets) > 40


def test_a_new_source_of_the_same_call_takes_over(world: MediaWorld) -> None:
    call = world.call()
    world.run(0.3)
    call.phone.ssrc, call.phone.sequence, call.phone.timestamp = 4242, 7, 99
    call.phone.say(tone(1004, 1.0, 8000))
    world.run(1.0)
    assert tone_share(call.sound[-12000:], 1004, 24000) > 0.95
    assert call.lane.stats().lost == 0


def test_rows_and_ports_are_used_again(world: MediaWorld) -> None:
    for _ in range(3):
        for _ in range(50):
            world.call()
        with pytest.raises(CapacityError):
            world.call()
        for call in world.calls:
            call.lane.close()
        world.calls.clear()
        world.network.ports = {a: p for a, p in world.network.ports.items() if a[1] < 20000}
        world.run(11.0)

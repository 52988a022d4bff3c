"""Tones of keys are kept from the service, and on request from recordings.

The service may hear 25 ms of a key at most, wherever in a frame it begins and whatever the codec.
"""

import dataclasses
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from media_recording import sides
from voicecodecs.tones import dtmf_tone

from gateway.media.events import KeyPressed
from gateway.media.formats import Coder, Format
from gateway.media.transcode import ServiceAudio
from gateway.rtp.packet import RtpPacket
from gateway.sdp.codecs import Codec
from gateway.testing.media import MediaCall, MediaWorld, Pcm, tone
from gateway.testing.rtp import MemoryNetwork

CODECS: Final = {
    "PCMU": Codec("PCMU", 8000, 1, 0),
    "PCMA": Codec("PCMA", 8000, 1, 8),
    "G722": Codec("G722", 8000, 1, 9),
    "opus": Codec("opus", 48000, 2, 107),
    "L16": Codec("L16", 16000, 1, 108),
}
MOST_MS: Final = 25
PHASES: Final = range(0, 20, 3)


class Talker:
    """A telephone of any codec that says samples of its own rate, a frame every 20 ms."""

    def __init__(self, world: MediaWorld, call: MediaCall, codec: Codec) -> None:
        self.format = Format.of(codec)
        self._coder: Coder | None = self.format.coder()
        self._world = world
        self._call = call
        self._codec = codec
        call.phone.is_silent = True
        negotiated = call.phone.negotiated()
        types = {codec.payload_type: codec}
        call.lane.configure(dataclasses.replace(negotiated, codec=codec, receive_types=types))

    def say(self, sound: Pcm, *, lost: int = -1) -> None:
        phone, of = self._call.phone, self.format
        sound = np.pad(sound, (0, -len(sound) % of.samples))
        for number, frame in enumerate(sound.reshape(-1, of.samples)):
            payload = self._coder.encode(frame) if self._coder else of.pack(frame)
            if number != lost and payload:
                kind = self._codec.payload_type
                phone.send(RtpPacket(kind, phone.sequence, phone.timestamp, phone.ssrc, payload))
            phone.sequence = (phone.sequence + 1) & 0xFFFF
            phone.timestamp = (phone.timestamp + of.step) & 0xFFFF_FFFF
            self._world.run(0.02)

    def pause(self, ms: float) -> Pcm:
        return np.zeros(round(self.format.rate * ms / 1000), np.int16)


def loud_ms(sound: Pcm, rate: int = 24_000) -> float:
    """Return for how long there is something of a key in a sound, to a millisecond."""
    size = rate // 1000
    return float(np.count_nonzero(np.abs(sound).reshape(-1, size).max(axis=1) > 2500))


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("key", ["1", "5", "D"])
def test_the_service_hears_no_more_than_25_ms_of_a_key_in_the_sound(name: str, key: str) -> None:
    for phase in PHASES:
        for level in (-9.0, -25.0):
            world = MediaWorld()
            call = world.call()
            talker = Talker(world, call, CODECS[name])
            press = dtmf_tone(key, 100, talker.format.rate, level)
            talker.say(np.concatenate([talker.pause(60 + phase), press, talker.pause(120)]))
            pressed = [e.key for e in call.events if isinstance(e, KeyPressed) and e.is_down]
            assert pressed == [key]
            span = np.flatnonzero(np.abs(call.sound) > np.abs(press).max() / 5)
            heard = (span[-1] - span[0] + 1) / 24 if len(span) else 0.0
            assert heard <= MOST_MS, (phase, level)


@pytest.mark.parametrize("uplink", ["pcmu", "pcma"])
def test_so_it_is_where_the_telephone_s_own_bytes_are_passed_through(uplink: ServiceAudio) -> None:
    for phase in PHASES:
        world = MediaWorld()
        call = world.call(uplink=uplink)
        talker = Talker(world, call, CODECS["PCMU"])
        talker.say(np.concatenate([talker.pause(60 + phase), dtmf_tone("5", 100)]))
        talker.say(talker.pause(120))
        of = Format.of(CODECS["PCMU" if uplink == "pcmu" else "PCMA"])
        sound = of.unpack(b"".join(call.chunks))
        assert loud_ms(sound, 8000) <= MOST_MS


@pytest.mark.parametrize("name", CODECS)
def test_a_packet_lost_in_a_key_lets_no_more_of_it_through(name: str) -> None:
    for lost in range(5, 9):
        world = MediaWorld()
        call = world.call()
        talker = Talker(world, call, CODECS[name])
        press = dtmf_tone("5", 120, talker.format.rate)
        sound = np.concatenate([talker.pause(73), press, talker.pause(120)])
        talker.say(sound, lost=lost)
        assert loud_ms(call.sound) <= MOST_MS, lost


def send_event(call: MediaCall, start: int, duration: int, *, is_end: bool = False) -> None:
    """Send a packet of key 5 as a telephone event at 8 kHz."""
    phone = call.phone
    payload = bytes([5, 0x8A if is_end else 0x0A]) + duration.to_bytes(2)
    phone.send(RtpPacket(101, phone.sequence, start, phone.ssrc, payload))
    phone.sequence = (phone.sequence + 1) & 0xFFFF


def press_both_ways(world: MediaWorld, call: MediaCall) -> None:
    """Press key 5 for 100 ms as a tone and, 40 ms after it began, as an event beside it."""
    phone = call.phone
    phone.is_silent = False
    phone.say(np.concatenate([np.zeros(72, np.int16), dtmf_tone("5", 100)]))
    world.run(0.040)
    start = phone.timestamp
    for tick in range(1, 7):
        send_event(call, start, 160 * tick, is_end=tick >= 4)
        world.run(0.020)
    world.run(0.2)


def test_a_tone_beside_its_event_is_kept_from_the_service_and_not_told_twice() -> None:
    world = MediaWorld(MemoryNetwork(delay=lambda _: 0.0))
    call = world.call()
    world.run(0.1)
    press_both_ways(world, call)  # the first, whose tone may be known before its event
    call.events.clear()
    call.chunks.clear()
    for _ in range(5):
        press_both_ways(world, call)
    told = [(e.source, e.is_down) for e in call.events if isinstance(e, KeyPressed)]
    assert told == [("rfc4733", True), ("rfc4733", False)] * 5
    assert loud_ms(call.sound) / 5 <= MOST_MS


def test_a_key_that_the_sound_told_comes_up_though_events_came_meanwhile() -> None:
    world = MediaWorld()
    call = world.call()
    world.run(0.1)
    call.phone.say(dtmf_tone("5", 300))
    world.run(0.2)
    send_event(call, call.phone.timestamp, 160)
    world.run(0.6)
    told = [(e.source, e.is_down) for e in call.events if isinstance(e, KeyPressed)]
    assert told[0] == ("inband", True)
    assert sorted(told) == [("inband", x) for x in (False, True)] + [
        ("rfc4733", x) for x in (False, True)
    ]


@pytest.mark.parametrize("name", CODECS)
def test_on_request_a_recording_has_nothing_of_a_key_and_all_of_the_rest(
    name: str, tmp_path: Path
) -> None:
    for phase in (0, 9, 16):
        world = MediaWorld()
        call = world.call(keys_in_recordings=False)
        talker = Talker(world, call, CODECS[name])
        path = tmp_path / f"{phase}.wav"
        rate = talker.format.rate
        call.lane.record(str(path), rate=8000)
        speech = tone(300, 0.3, rate)
        press = dtmf_tone("5", 100, rate)
        talker.say(
            np.concatenate([speech, talker.pause(150 + phase), press, talker.pause(150), speech])
        )
        caller, _ = sides(world, path)
        loud = np.flatnonzero(np.abs(caller) > 300)
        gap = np.diff(loud).max() / 8
        assert gap >= 385, "something of the key was recorded"
        assert len(loud) / 8 > 540, "some of the speech was not"
        assert len(caller) / 8 == pytest.approx(1000, abs=40)


@pytest.mark.parametrize("detect_inband", [True, False])
def test_on_request_a_recording_has_nothing_of_a_tone_beside_its_event(
    detect_inband: bool, tmp_path: Path
) -> None:
    world = MediaWorld()
    call = world.call(keys_in_recordings=False, detect_inband=detect_inband)
    call.lane.record(str(tmp_path / "call.wav"))
    for _ in range(4):
        press_both_ways(world, call)
    caller, _ = sides(world, tmp_path / "call.wav")
    assert len(caller) > 8000
    assert not np.abs(caller // 64).any()


def test_without_the_request_a_recording_has_the_keys(tmp_path: Path) -> None:
    world = MediaWorld()
    call = world.call()
    call.lane.record(str(tmp_path / "call.wav"))
    call.phone.say(dtmf_tone("5", 100))
    world.run(0.4)
    caller, _ = sides(world, tmp_path / "call.wav")
    assert np.count_nonzero(np.abs(caller) > 1000) / 8 > 80

"""Codecs of more than telephone band: each lane its own coders, the same events and streams."""

import dataclasses
from typing import Final

import numpy as np
import pytest
from voicecodecs.tones import dtmf_tone

from gateway.media.events import KeyPressed, Mark, PlayoutFlushed
from gateway.media.formats import Coder, Format
from gateway.rtp.packet import RtpPacket
from gateway.sdp.codecs import Codec
from gateway.testing.hearing import tone_share
from gateway.testing.media import MediaCall, MediaWorld, Pcm, tone

CODECS: Final = {
    "G722": Codec("G722", 8000, 1, 9),
    "opus": Codec("opus", 48000, 2, 107),
    "L16": Codec("L16", 16000, 1, 108),
}
SPEECH = Mark("resp_1", "item_1")


class WidePhone:
    """A telephone of one wideband codec, driven beside the world's own."""

    def __init__(self, world: MediaWorld, call: MediaCall, name: str) -> None:
        self.codec = CODECS[name]
        self.format = Format.of(self.codec)
        self.coder: Coder | None = self.format.coder()
        self.world = world
        self.call = call
        call.phone.is_silent = True
        call.lane.configure(
            dataclasses.replace(
                call.phone.negotiated(),
                codec=self.codec,
                receive_types={self.codec.payload_type: self.codec},
            )
        )

    def talk(self, sound: Pcm, *, lost: frozenset[int] = frozenset()) -> None:
        phone, size = self.call.phone, self.format.samples
        for number, start in enumerate(range(0, len(sound) - size + 1, size)):
            frame = sound[start : start + size]
            payload = self.coder.encode(frame) if self.coder else self.format.pack(frame)
            if number not in lost and payload:
                number_, time = phone.sequence, phone.timestamp
                phone.send(RtpPacket(self.codec.payload_type, number_, time, phone.ssrc, payload))
            phone.sequence = (phone.sequence + 1) & 0xFFFF
            phone.timestamp = (phone.timestamp + self.format.step) & 0xFFFF_FFFF
            self.world.run(0.02)

    def heard(self) -> Pcm:
        packets = [p for _, p in self.call.phone.packets]
        assert {p.payload_type for p in packets} == {self.codec.payload_type}
        pieces = [
            self.coder.decode(p.payload) if self.coder else self.format.unpack(p.payload)
            for p in packets
        ]
        return np.concatenate(pieces)


@pytest.fixture
def world() -> MediaWorld:
    return MediaWorld()


@pytest.mark.parametrize("suite", ["", "AEAD_AES_256_GCM"])
@pytest.mark.parametrize("name", CODECS)
def test_wideband_sound_goes_both_ways(world: MediaWorld, name: str, suite: str) -> None:
    call = world.call()
    if suite:
        call.phone.encrypt(suite)
    phone = WidePhone(world, call, name)
    call.lane.play(tone(3511, 1.5, 24000).tobytes(), SPEECH)
    phone.talk(tone(5003, 1.5, phone.format.rate))
    assert tone_share(call.sound[6000:30000], 5003, 24000) > 0.8
    rate = phone.format.rate
    assert tone_share(phone.heard()[rate // 4 : rate], 3511, rate) > 0.8
    steps = np.diff([p.timestamp for _, p in call.phone.packets])
    assert set(steps.tolist()) <= {phone.format.step, phone.format.step - (1 << 32)}


@pytest.mark.parametrize("name", CODECS)
def test_a_wideband_stream_has_no_gap_when_packets_are_lost_or_stop(
    world: MediaWorld, name: str
) -> None:
    call = world.call()
    phone = WidePhone(world, call, name)
    phone.talk(tone(611, 2.0, phone.format.rate), lost=frozenset({30, 55, 56}))
    world.run(1.0)
    stats = call.lane.stats()
    assert stats.codec == phone.codec.name
    assert stats.lost == 3
    assert stats.concealed == 3
    assert len(call.sound) / 24000 == pytest.approx(3.0, abs=0.15)


def test_in_band_keys_are_heard_in_wideband_sound_too(world: MediaWorld) -> None:
    call = world.call()
    phone = WidePhone(world, call, "G722")
    phone.talk(np.concatenate([tone(300, 0.3, 16000, 500), dtmf_tone("4", 160, 16000)]))
    phone.talk(tone(300, 0.3, 16000, 500))
    keys = [(e.key, e.is_down) for e in call.events if isinstance(e, KeyPressed)]
    assert keys == [("4", True), ("4", False)]


@pytest.mark.parametrize("name", CODECS)
def test_a_flush_counts_wideband_frames_in_milliseconds_too(world: MediaWorld, name: str) -> None:
    call = world.call()
    WidePhone(world, call, name)
    call.lane.play(tone(611, 3.0, 24000).tobytes(), SPEECH)
    world.run(1.0)
    call.lane.flush()
    world.run(0.1)
    (flushed,) = [e for e in call.events if isinstance(e, PlayoutFlushed)]
    assert flushed.items[0].sent_ms == pytest.approx(1000, abs=25)
    assert flushed.items[0].received_ms == 3000


def test_a_call_may_change_from_wide_to_narrow_and_back(world: MediaWorld) -> None:
    call = world.call()
    for name in ("G722", "L16", "G722"):
        phone = WidePhone(world, call, name)
        phone.talk(tone(2003, 0.6, phone.format.rate))
        assert tone_share(call.sound[-7200:], 2003, 24000) > 0.9
        call.lane.configure(call.phone.negotiated())
        call.phone.is_silent = False
        call.phone.say(tone(1004, 0.6, 8000))
        world.run(0.6)
        assert tone_share(call.sound[-7200:], 1004, 24000) > 0.9

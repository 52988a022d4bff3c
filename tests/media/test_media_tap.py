"""Listening in on what is played: the agent as the caller hears it, when they hear it."""

import dataclasses
from typing import Final

import numpy as np
import pytest
from voicecodecs.g711 import decode_alaw, decode_ulaw

from gateway.media.events import Mark
from gateway.media.prompts import Prompt
from gateway.media.transcode import ServiceAudio
from gateway.sdp.codecs import Codec
from gateway.testing.hearing import tone_share
from gateway.testing.media import MediaCall, MediaWorld, Pcm, tone

SPEECH = Mark("resp_1", "item_1")
CODECS: Final = [
    Codec("PCMU", 8000),
    Codec("PCMA", 8000, 1, 8),
    Codec("G722", 8000, 1, 9),
    Codec("L16", 16_000, 1, 108),
    Codec("opus", 48_000, 2, 107),
]


@pytest.fixture
def world() -> MediaWorld:
    return MediaWorld()


def tapped(call: MediaCall) -> list[bytes]:
    """Tap a call; returns what will have been heard of it."""
    heard: list[bytes] = []
    call.lane.tap(heard.append)
    return heard


def samples(chunks: list[bytes]) -> Pcm:
    return np.frombuffer(b"".join(chunks), np.int16)


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_who_listens_in_hears_what_is_played_at_the_pace_it_is_played(
    world: MediaWorld, codec: Codec
) -> None:
    call = world.call()
    call.phone.is_silent = True
    types = {codec.payload_type: codec}
    negotiated = call.phone.negotiated()
    call.lane.configure(dataclasses.replace(negotiated, codec=codec, receive_types=types))
    heard = tapped(call)
    call.lane.play(tone(611, 2.0, 24000).tobytes(), SPEECH)
    world.run(1.0)
    assert len(heard) == pytest.approx(50, abs=2)
    assert {len(chunk) for chunk in heard} == {960}
    assert tone_share(samples(heard)[4800:], 611, 24000) > 0.95


def test_what_a_flush_takes_from_the_caller_is_not_heard_by_the_listener(world: MediaWorld) -> None:
    call = world.call()
    heard = tapped(call)
    call.lane.play(tone(611, 2.0, 24000).tobytes(), SPEECH)
    world.run(0.5)
    call.lane.flush()
    world.run(0.1)
    heard.clear()
    world.run(0.5)
    assert len(heard) == pytest.approx(25, abs=2)
    assert np.abs(samples(heard)).max() < 16


def test_a_prompt_is_heard_and_nobody_else_whom_the_caller_hears(world: MediaWorld) -> None:
    call = world.call()
    heard = tapped(call)
    call.lane.play_prompt(Prompt(tone(440, 1.0, 8000), 8000), "music")
    other = tone(1004, 1.0, 24000)
    for start in range(0, len(other), 480):
        call.lane.stream(other[start : start + 480].tobytes(), "supervisor")
        world.run(0.020)
    assert tone_share(samples(heard)[4800:20000], 440, 24000) > 0.95
    at_the_phone = call.phone.heard()[1600:7000]
    assert tone_share(at_the_phone, 440, 8000) > 0.4
    assert tone_share(at_the_phone, 1004, 8000) > 0.4


@pytest.mark.parametrize(("audio", "decode"), [("pcmu", decode_ulaw), ("pcma", decode_alaw)])
def test_it_comes_in_the_format_of_the_service(
    world: MediaWorld, audio: ServiceAudio, decode: type
) -> None:
    call = world.call(payload_type=0, uplink=audio)
    heard = tapped(call)
    call.lane.play_prompt(Prompt(tone(440, 1.0, 8000), 8000), "music")
    world.run(1.0)
    assert {len(chunk) for chunk in heard} == {160}
    pcm = decode(b"".join(heard))  # type: ignore[call-arg]
    assert tone_share(pcm[1600:7000], 440, 8000) > 0.95


def test_it_goes_on_in_another_codec_and_ends_when_nobody_listens_any_more(
    world: MediaWorld,
) -> None:
    call = world.call()
    heard = tapped(call)
    call.lane.play(tone(611, 4.0, 24000).tobytes(), SPEECH)
    world.run(0.5)
    call.phone.change_law(8)
    call.lane.configure(call.phone.negotiated())
    world.run(0.5)
    assert tone_share(samples(heard)[4800:], 611, 24000) > 0.95
    call.lane.tap(None)
    world.run(0.04)
    before = len(heard)
    world.run(0.5)
    assert len(heard) == before
    assert tone_share(call.phone.heard()[1600:], 611, 8000) > 0.9

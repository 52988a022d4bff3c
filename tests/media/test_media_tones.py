"""Tones as prompts: played once or round and round, in every format."""

import numpy as np
import pytest

from gateway.calls.sound import CallSound
from gateway.media.events import PromptStopped
from gateway.media.formats import Format
from gateway.media.prompts import TonePrompt
from gateway.sdp.codecs import Codec
from gateway.testing.hearing import tone_share
from gateway.testing.media import MediaWorld


def sound_of(world: MediaWorld) -> CallSound:
    call = world.call()
    sound = CallSound({}, None, is_ours_to_play=True)
    sound.attach(call.lane)
    return sound


def test_busy_is_heard_five_times_and_its_end_is_told() -> None:
    world = MediaWorld()
    sound = sound_of(world)
    assert sound.play("tone:busy", is_repeated=False)
    world.run(5.2)
    (call,) = world.calls
    heard = call.phone.heard()
    begins = int(np.flatnonzero(np.abs(heard) > 100)[0])
    for number in range(5):
        at = begins + 8000 * number
        assert tone_share(heard[at : at + 3900], 425, 8000) > 0.95
        assert not heard[at + 4100 : at + 7900].any()
    assert not heard[begins + 37_000 :].any()
    assert [event.prompt_id for event in call.events if isinstance(event, PromptStopped)] == [
        "tone:busy"
    ]


def test_ringback_goes_round_until_it_is_stopped() -> None:
    world = MediaWorld()
    sound = sound_of(world)
    assert sound.play("tone:ringback", is_repeated=True)
    world.run(11.5)
    sound.stop()
    world.run(1.0)
    (call,) = world.calls
    heard = call.phone.heard()
    starts = np.flatnonzero(np.abs(heard) > 100)
    bursts = starts[np.concatenate(([True], np.diff(starts) > 4000))]
    assert (np.diff(bursts) / 8).tolist() == pytest.approx([5000, 5000], abs=1)
    assert not heard[11_800 * 8 :].any()
    assert call.events[0] == PromptStopped("tone:ringback", False, call.events[0].at)


@pytest.mark.parametrize("name", ["tone:", "tone:buzy", "tone:99999/100", "tone", "busy"])
def test_what_is_no_tone_cannot_be_played(name: str) -> None:
    world = MediaWorld()
    assert not sound_of(world).play(name, is_repeated=False)


@pytest.mark.parametrize(
    "codec", [Codec("PCMA", 8000), Codec("G722", 8000), Codec("opus", 48_000), Codec("L16", 16_000)]
)
def test_a_round_is_as_long_in_every_format(codec: Codec) -> None:
    of = Format.of(codec)
    prompt = TonePrompt.named("425/480,0/480", repeat=True)
    assert len(prompt.frames(of)) == 48
    pcm = np.concatenate([of.unpack(frame) for frame in prompt.frames(of)])
    assert tone_share(pcm[: len(pcm) // 2], 425, of.rate) > 0.95


def test_a_tone_is_made_once_for_all_calls() -> None:
    assert TonePrompt.named("busy") is TonePrompt.named("busy")
    assert TonePrompt.named("busy").seconds == 5.0
    assert TonePrompt.named("busy", repeat=True).seconds == 1.0

"""Service audio becomes ring frames, however it is cut up on the way."""

import random

import numpy as np
import pytest
from voicecodecs.g711 import decode_ulaw, encode_alaw, encode_ulaw

from gateway.media.formats import PCMU, Format, reframe, split
from gateway.media.transcode import Transcoder
from gateway.sdp.codecs import Codec
from gateway.testing.hearing import tone_share
from gateway.testing.media import tone

PCMA = Format.of(Codec("PCMA", 8000, 1, 8))
L16 = Format.of(Codec("L16", 16000, 1, 108))


def pieces(audio: bytes, seed: int) -> list[bytes]:
    rng = random.Random(seed)
    cuts = sorted(rng.sample(range(1, len(audio)), 40))
    return [audio[a:b] for a, b in zip([0, *cuts], [*cuts, len(audio)], strict=True)]


@pytest.mark.parametrize("seed", range(5))
def test_the_pieces_make_no_difference_even_in_mid_sample(seed: int) -> None:
    audio = tone(611, 1.0, 24000).tobytes()
    whole, cut = Transcoder("pcm24", PCMU), Transcoder("pcm24", PCMU)
    expected = whole.push(audio) + whole.finish()
    frames = [frame for piece in pieces(audio, seed) for frame in cut.push(piece)]
    assert frames + cut.finish() == expected
    assert {len(frame) for frame in expected} == {160}
    assert tone_share(decode_ulaw(b"".join(expected))[80:8000], 611, 8000) > 0.99


def test_the_end_of_a_response_is_filled_up_with_silence() -> None:
    transcoder = Transcoder("pcmu", PCMU)
    assert transcoder.push(b"\x10" * 100) == []
    assert transcoder.finish() == [b"\x10" * 100 + b"\xff" * 60]
    assert transcoder.finish() == []


def test_what_was_under_way_is_forgotten_at_a_flush() -> None:
    transcoder = Transcoder("pcm24", PCMU)
    transcoder.push(tone(611, 0.055, 24000).tobytes() + b"\x01")
    transcoder.reset()
    assert transcoder.finish() == []
    silent = transcoder.push(bytes(960 * 2))
    assert silent == [b"\xff" * 160] * 2


def test_the_same_law_passes_through_and_the_other_is_recoded() -> None:
    sound = tone(611, 0.1, 8000)
    ulaw, alaw = encode_ulaw(sound).tobytes(), encode_alaw(sound).tobytes()
    assert b"".join(Transcoder("pcmu", PCMU).push(ulaw)) == ulaw
    assert b"".join(Transcoder("pcma", PCMA).push(alaw)) == alaw
    recoded = decode_ulaw(b"".join(Transcoder("pcma", PCMU).push(alaw)))
    assert tone_share(recoded, 611, 8000) > 0.99


def test_linear_codecs_carry_their_samples_in_network_order() -> None:
    sound = tone(611, 0.1, 16000)
    assert L16.pack(sound) == sound.astype(">i2").tobytes()
    assert (L16.unpack(L16.pack(sound)) == sound).all()
    frames = Transcoder("pcm24", L16).push(tone(611, 0.1, 24000).tobytes())
    assert {len(frame) for frame in frames} == {640}


def test_frames_are_rewritten_one_for_one() -> None:
    frames = split(PCMU.pack(tone(611, 0.5, 8000)), PCMU.size)
    wide = reframe(frames, PCMU, L16)
    assert len(wide) == len(frames)
    assert {len(frame) for frame in wide} == {L16.size}
    sound = L16.unpack(b"".join(wide))
    assert tone_share(sound[160:], 611, 16000) > 0.99
    assert np.abs(sound[-160:]).max() > 4000
    assert list(reframe([], PCMU, L16)) == []

"""Two legs in one stream for the service, in each format that it may take."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from voicecodecs.g711 import decode_alaw, decode_ulaw, encode_alaw, encode_ulaw

from gateway.media.mix import SILENCE, mix
from gateway.media.transcode import ServiceAudio

LAWS: list[tuple[ServiceAudio, Callable[..., Any], Callable[..., Any]]] = [
    ("pcmu", decode_ulaw, encode_ulaw),
    ("pcma", decode_alaw, encode_alaw),
]


def test_linear_sound_is_added_and_clipped() -> None:
    one = np.array([1000, 30000, -30000], "<i2").tobytes()
    other = np.array([-300, 10000, -10000], "<i2").tobytes()
    assert np.frombuffer(mix(one, other, "pcm24"), "<i2").tolist() == [700, 32767, -32768]


@pytest.mark.parametrize(("law", "decode", "encode"), LAWS)
def test_companded_sound_is_added_as_nearly_as_the_law_allows(
    law: ServiceAudio, decode: Callable[..., Any], encode: Callable[..., Any]
) -> None:
    rng = np.random.default_rng(1)
    one, other = rng.integers(-8000, 8000, (2, 160)).astype(np.int16)
    coded_one, coded_other = (encode(part).tobytes() for part in (one, other))
    both = decode(coded_one).astype(int) + decode(coded_other)
    heard = decode(mix(coded_one, coded_other, law)).astype(int)
    assert np.all(np.abs(heard - both) <= np.maximum(np.abs(both) / 16, 16))


@pytest.mark.parametrize(("law", "decode", "encode"), LAWS)
def test_companded_silence_changes_a_sound_by_a_step_at_most(
    law: ServiceAudio, decode: Callable[..., Any], encode: Callable[..., Any]
) -> None:
    one = encode(np.arange(-8000, 8000, 100, dtype=np.int16)).tobytes()
    heard = decode(mix(one, SILENCE[law] * len(one), law)).astype(int)
    assert np.all(np.abs(heard - decode(one)) <= np.maximum(np.abs(heard) / 16, 16))


def test_a_shorter_part_is_filled_up_with_silence() -> None:
    one = b"\x21\x10\x31\x12"
    assert mix(one, b"", "pcm24") == mix(b"", one, "pcm24") == one
    assert mix(one, b"\x01\0", "pcm24") == b"\x22\x10\x31\x12"

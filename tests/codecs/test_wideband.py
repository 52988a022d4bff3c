"""G.722 and Opus carry a tone there and back."""

import numpy as np
import pytest
from voicecodecs.tones import tone
from voicecodecs.wideband import G722, Opus

from gateway.testing.hearing import tone_share


@pytest.mark.parametrize("codec", [G722, Opus])
def test_a_tone_survives(codec: type[G722] | type[Opus]) -> None:
    coder = codec()
    pcm = tone(1004.0, 1000, codec.rate, -10.0)
    frames = pcm.reshape(-1, codec.rate // 50)
    out = np.concatenate([coder.decode(coder.encode(frame)) for frame in frames])
    assert len(out) >= len(pcm) - 2 * len(frames[0])
    assert tone_share(out[len(out) // 4 :], 1004.0, codec.rate) > 0.95


def test_g722_makes_160_bytes_of_20_ms() -> None:
    coder = G722()
    assert [len(coder.encode(np.zeros(320, np.int16))) for _ in range(5)] == [160] * 5


def test_opus_makes_one_packet_of_each_frame() -> None:
    coder = Opus()
    speech = tone(300.0, 200, 24_000, -20.0).reshape(-1, 480)
    assert all(0 < len(coder.encode(frame)) < 400 for frame in speech)


@pytest.mark.parametrize("codec", [G722, Opus])
@pytest.mark.parametrize("payload", [b"", b"\xff" * 7, bytes(300)])
def test_garbage_gives_samples_or_none_and_the_call_goes_on(
    codec: type[G722] | type[Opus], payload: bytes
) -> None:
    coder = codec()
    assert coder.decode(payload).dtype == np.int16
    frame = np.zeros(codec.rate // 50, np.int16)
    coder.decode(coder.encode(frame))

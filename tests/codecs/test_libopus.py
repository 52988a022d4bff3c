"""libopus itself: what it decodes, and what it puts in the place of a lost packet."""

import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs.libopus import OpusDecoder, is_present
from voicecodecs.wideband import Opus

pytestmark = pytest.mark.skipif(not is_present(), reason="there is no libopus here")

Pcm = NDArray[np.int16]


def speech(seconds: float) -> Pcm:
    """Return something with pitch, formants and syllables, at 24 kHz."""
    t = np.arange(round(seconds * 24_000)) / 24_000
    pitch = 120 + 20 * np.sin(2 * np.pi * 0.7 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / 24_000
    voice = sum(np.sin(k * phase) / k for k in range(1, 20))
    return (4000 * voice * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t))).astype(np.int16)


@pytest.fixture
def payloads() -> list[bytes]:
    coder = Opus()
    return [coder.encode(frame) for frame in speech(2.0).reshape(-1, 480)]


def decode(payloads: list[bytes], lost: set[int], how: str) -> Pcm:
    decoder = OpusDecoder()
    pieces = []
    for number, payload in enumerate(payloads):
        if number not in lost:
            pieces.append(decoder.decode(payload))
        elif how == "fec":
            pieces.append(decoder.recover(payloads[number + 1], 480))
        elif how == "plc":
            pieces.append(decoder.lost(480))
    return np.concatenate(pieces)


def test_a_stream_decodes_to_20_ms_a_packet(payloads: list[bytes]) -> None:
    sound = decode(payloads, set(), "")
    assert len(sound) == len(payloads) * 480
    assert 1000 < np.abs(sound[4800:]).max() < 32_000


def test_the_copy_in_the_next_packet_is_nearer_to_what_was_lost_than_a_guess(
    payloads: list[bytes],
) -> None:
    lost = set(range(20, 95, 7))
    whole = decode(payloads, set(), "").astype(float)
    frames = np.array([n * 480 + np.arange(480) for n in sorted(lost)])

    def error(how: str) -> float:
        sound = decode(payloads, lost, how).astype(float)
        assert len(sound) == len(whole)
        return float(((sound - whole)[frames] ** 2).sum() / (whole[frames] ** 2).sum())

    assert error("fec") < 0.5 * error("plc")


def test_junk_and_nothing_end_nothing(payloads: list[bytes]) -> None:
    decoder = OpusDecoder()
    assert len(decoder.decode(b"")) == 0
    decoder.decode(payloads[0])
    assert len(decoder.decode(b"\xff" * 3)) == 480
    assert decoder.undecodable == 1
    assert len(decoder.lost(7)) == 0
    assert len(decoder.lost(6000)) == 6000
    assert len(decoder.decode(payloads[1])) == 480

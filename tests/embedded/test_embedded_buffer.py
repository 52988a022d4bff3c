"""The input buffer's clock, and what it keeps."""

import numpy as np
import pytest
from voicecodecs.g711 import decode_ulaw, encode_ulaw

from gateway.embedded.protocol.buffer import InputBuffer
from gateway.embedded.protocol.idle import IdleTimer
from gateway.embedded.speech.vad import VadSettings


def ramp(count: int) -> bytes:
    return np.arange(count, dtype="<i2").tobytes()


def test_the_clock_counts_what_was_written_whatever_becomes_of_it() -> None:
    buffer = InputBuffer("audio/pcm", None)
    buffer.append(bytes(48 * 100))
    buffer.clear()
    buffer.append(bytes(48 * 50))
    assert (buffer.clock_ms, buffer.held_ms) == (150, 50)
    buffer.configure("audio/pcmu", None)
    buffer.append(bytes(80))
    assert (buffer.clock_ms, buffer.held_ms) == (160, 10)


def test_half_a_sample_waits_for_its_other_half() -> None:
    buffer = InputBuffer("audio/pcm", None)
    data = ramp(480)
    for start in range(0, len(data), 7):
        buffer.append(data[start : start + 7])
    assert buffer.take_all().tobytes() == data


def test_a_stretch_is_taken_out_by_time_and_the_rest_stays() -> None:
    buffer = InputBuffer("audio/pcm", None)
    buffer.append(ramp(2400))
    assert buffer.take(20, 50).tolist() == list(range(480, 1200))
    assert buffer.held_ms == 50
    assert buffer.take(0, 75).tolist() == list(range(1200, 1800))


def test_g711_is_held_as_samples() -> None:
    buffer = InputBuffer("audio/pcmu", None)
    codes = encode_ulaw(np.arange(-8000, 8000, 100, dtype=np.int16)).tobytes()
    buffer.append(codes)
    assert buffer.rate == 8000
    assert np.array_equal(buffer.take_all(), decode_ulaw(codes))


@pytest.mark.parametrize(
    ("vad", "most_ms"),
    [(VadSettings(prefix_ms=300), 1320), (None, 300_020)],
)
def test_silence_is_not_kept_without_end(vad: VadSettings | None, most_ms: int) -> None:
    buffer = InputBuffer("audio/pcmu", vad)
    for _ in range(320 if vad is None else 5):
        for _ in range(50 if vad else 1):
            buffer.append(b"\xff" * (160 if vad else 8000))
    assert buffer.held_ms <= most_ms + (1000 if vad is None else 0)


def test_a_silence_counts_from_when_the_last_words_were_heard() -> None:
    timer = IdleTimer()
    assert timer.check(0, 0.0, 5000) is None
    timer.arm(2.0)
    assert timer.check(1000, 1.0, 5000) is None
    assert timer.check(2000, 2.0, 5000) is None
    assert timer.check(6980, 6.98, 5000) is None
    assert timer.check(7000, 7.0, None) is None
    assert timer.check(7000, 7.0, 5000) == (2000, 7000)
    assert timer.check(99_000, 99.0, 5000) is None

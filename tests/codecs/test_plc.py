"""Concealment: pitch goes on, long losses fade, ends join without a click."""

import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs.plc import Concealer

RATES = (8000, 16000, 24000)


def voiced(rate: int, seconds: float, pitch: float = 120.0) -> NDArray[np.int16]:
    """A buzz with four harmonics, as a vowel has."""
    t = np.arange(int(rate * seconds)) / rate
    wave = sum(np.sin(2 * np.pi * pitch * k * t + k) / k for k in (1, 2, 3, 4))
    return np.asarray(4000 * wave, np.int16)


def run(pcm: NDArray[np.int16], rate: int, lost: set[int]) -> NDArray[np.int16]:
    concealer, size = Concealer(rate), rate // 50
    frames = pcm.reshape(-1, size)
    return np.concatenate(
        [concealer.lost(size) if n in lost else concealer.good(f) for n, f in enumerate(frames)]
    )


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("pitch", [80.0, 120.0, 190.0])
def test_a_lost_frame_of_a_steady_voice_goes_on_in_its_pitch(rate: int, pitch: float) -> None:
    pcm, size = voiced(rate, 0.4, pitch), rate // 50
    out = run(pcm, rate, {10})
    was = pcm[10 * size : 11 * size].astype(float)
    made_up = out[10 * size : 11 * size].astype(float)
    likeness = was @ made_up / np.sqrt((was @ was) * (made_up @ made_up))
    assert likeness > 0.9


@pytest.mark.parametrize("rate", RATES)
def test_without_loss_nothing_is_touched(rate: int) -> None:
    pcm = voiced(rate, 0.4)
    assert np.array_equal(run(pcm, rate, set()), pcm)


def test_a_long_loss_fades_and_is_silent_after_60_ms() -> None:
    out = run(voiced(8000, 0.6), 8000, set(range(10, 20)))
    level = [int(np.abs(out[n * 160 : (n + 1) * 160]).max()) for n in range(10, 20)]
    assert level[0] > level[1] > level[2] > 0
    assert level[3:] == [0] * 7


@pytest.mark.parametrize("lost", [{10}, {10, 11}, {10, 12, 14}, {0}])
def test_the_joins_do_not_click(lost: set[int]) -> None:
    pcm = voiced(8000, 0.4)
    steepest = int(np.abs(np.diff(pcm.astype(int))).max())
    out = run(pcm, 8000, lost).astype(int)
    assert np.abs(np.diff(out)).max() < 1.6 * steepest


def test_any_number_of_samples_can_be_asked_for() -> None:
    whole, parts = Concealer(8000), Concealer(8000)
    for frame in voiced(8000, 0.2).reshape(-1, 160):
        whole.good(frame)
        parts.good(frame)
    at_once = whole.lost(400)
    pieces = np.concatenate([parts.lost(n) for n in (37, 43, 160, 1, 159)])
    assert np.array_equal(at_once, pieces)


def test_silence_stays_silent() -> None:
    assert not run(np.zeros(1600, np.int16), 8000, {3, 4}).any()

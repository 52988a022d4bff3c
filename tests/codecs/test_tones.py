"""Tones measured for what the standards say of them, and the level meter that measures them."""

import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs.level import SILENCE_DBOV, level_dbov, rms_dbm0, sine_amplitude
from voicecodecs.tones import (
    COLUMNS,
    KEYS,
    ROWS,
    busy_tone,
    dtmf_tone,
    ringback_tone,
    tone,
)


def level_at(pcm: NDArray[np.int16], frequency: float, rate: int) -> float:
    """Return the level of one frequency within ``pcm``, in dBm0."""
    middle = pcm[len(pcm) // 4 : -len(pcm) // 4].astype(float)
    window = np.hanning(len(middle))
    phase = np.exp(-2j * np.pi * frequency * np.arange(len(middle)) / rate)
    amplitude = 2 * abs(np.sum(middle * window * phase)) / np.sum(window)
    return float(20 * np.log10(amplitude / 32768) + 3.14)


@pytest.mark.parametrize("rate", [8000, 16000, 24000])
@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_its_row_and_its_column_at_the_asked_levels(key: str, rate: int) -> None:
    pcm = dtmf_tone(key, 400, rate)
    assert len(pcm) == 400 * rate // 1000
    place = KEYS.index(key)
    assert level_at(pcm, ROWS[place // 4], rate) == pytest.approx(-9.0, abs=0.1)
    assert level_at(pcm, COLUMNS[place % 4], rate) == pytest.approx(-7.0, abs=0.1)


def test_letters_of_the_keypad_may_be_small() -> None:
    assert np.array_equal(dtmf_tone("a", 50), dtmf_tone("A", 50))


@pytest.mark.parametrize("key", ["", "E", "12"])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="is not a key"):
        dtmf_tone(key, 100)


def test_a_tone_starts_and_ends_softly() -> None:
    pcm = tone(1004, 100)
    assert abs(int(pcm[0])) < 200
    assert abs(int(pcm[-1])) < 200
    assert np.abs(pcm).max() == pytest.approx(sine_amplitude(-10.0), rel=0.01)


def test_a_tone_of_no_length_is_empty() -> None:
    assert len(tone(1004, 0)) == 0


def test_call_progress_tones_keep_their_cadence() -> None:
    ringback, busy = ringback_tone(7000), busy_tone(2000)
    assert len(ringback) == 56000
    assert len(busy) == 16000
    seconds = level_dbov(ringback.reshape(7, 8000))
    assert [bool(s > -60) for s in seconds] == [True, True, False, False, False, False, True]
    halves = level_dbov(busy.reshape(4, 4000))
    assert [bool(h > -60) for h in halves] == [True, False, True, False]


def test_levels_of_a_batch_in_both_scales() -> None:
    full = 32768 * np.sin(2 * np.pi * np.arange(8000) * 1004 / 8000)
    square = np.where(np.arange(8000) % 8 < 4, 32767.0, -32768.0)
    batch = np.stack([full, full / 10, square, np.zeros(8000)])
    assert level_dbov(batch)[:3] == pytest.approx([-3.01, -23.01, 0.0], abs=0.01)
    assert rms_dbm0(batch)[:2] == pytest.approx([3.14, -16.86], abs=0.01)
    assert level_dbov(batch)[3] == SILENCE_DBOV
    assert level_dbov(np.zeros((2, 0), np.int16)).tolist() == [SILENCE_DBOV] * 2


def test_int16_extremes_do_not_overflow_the_meter() -> None:
    loud = np.full((1, 160), -32768, np.int16)
    assert level_dbov(loud)[0] == pytest.approx(0.0, abs=1e-6)

"""The ear measures what it is told to measure."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.testing.hearing import heard_part, heard_pieces, match, tone_share

RATE = 8000


def noise(seconds: float, seed: int = 1) -> NDArray[np.int16]:
    samples = np.random.default_rng(seed).normal(0, 3000, int(RATE * seconds))
    return samples.astype(np.int16)


def silence(seconds: float) -> NDArray[np.int16]:
    return np.zeros(int(RATE * seconds), np.int16)


def test_a_passage_is_found_where_it_lies() -> None:
    passage = noise(1)
    recording = np.concatenate([silence(0.7), passage, silence(1)])
    offset, similarity = match(recording, passage)
    assert offset == 0.7 * RATE
    assert similarity == pytest.approx(1.0, abs=1e-3)


def test_another_passage_is_not_found() -> None:
    assert match(np.concatenate([silence(1), noise(2, seed=2)]), noise(1))[1] < 0.2


def test_a_cut_is_measured_to_the_frame() -> None:
    passage = noise(3)
    recording = np.concatenate([silence(0.5), passage[: RATE * 2], silence(2)])
    heard = heard_part(recording, passage, RATE)
    assert heard.at_least_ms == pytest.approx(2000, abs=5)
    assert heard.error_ms(2000) == pytest.approx(0, abs=5)
    assert heard.error_ms(2300) == pytest.approx(300, abs=5)
    assert heard.error_ms(1800) == pytest.approx(-200, abs=5)


def test_a_stall_on_the_way_does_not_count_as_heard() -> None:
    passage = noise(4)
    stalled = [passage[:RATE], silence(0.3), passage[RATE : RATE * 2], silence(2)]
    heard = heard_part(np.concatenate([silence(0.5), *stalled]), passage, RATE)
    assert heard.error_ms(2000) == pytest.approx(0, abs=5)
    assert heard.error_ms(2300) == pytest.approx(300, abs=10)


def test_a_cut_within_a_pause_is_a_span() -> None:
    passage = np.concatenate([noise(1), silence(0.4), noise(1, seed=3)])
    recording = np.concatenate([passage[:RATE], silence(2)])
    heard = heard_part(recording, passage, RATE)
    assert (heard.at_least_ms, heard.at_most_ms) == (1000, 1400)
    assert heard.error_ms(1200) == 0


def test_a_stretched_passage_is_heard_piece_by_piece() -> None:
    passage = noise(2)
    frames = list(passage.reshape(-1, RATE // 50))
    stretched = np.concatenate([*frames[:25], frames[24], *frames[25:70], *frames[72:]])
    recording = np.concatenate([silence(0.5), stretched, silence(1)])
    assert match(recording, passage)[1] < 0.8
    assert heard_pieces(recording, passage, RATE) == [True] * 5


def test_a_piece_that_was_not_heard_is_told() -> None:
    passage = noise(2)
    recording = np.concatenate([silence(0.5), passage[: RATE * 6 // 5], silence(2)])
    assert heard_pieces(recording, passage, RATE) == [True, True, True, False, False]
    assert heard_pieces(silence(3), passage, RATE) == [False] * 5


def test_words_said_twice_do_not_lead_astray() -> None:
    passage = np.concatenate([noise(0.4, seed=4), noise(1.6)])
    warped = passage.copy()
    warped[: RATE // 5] = passage[RATE // 50 : RATE // 5 + RATE // 50]
    recording = np.concatenate([silence(0.5), warped, silence(1), passage[: RATE * 2 // 5]])
    assert sum(heard_pieces(recording, passage, RATE)) >= 4


def test_pauses_of_a_passage_are_not_listened_for() -> None:
    passage = np.concatenate([noise(0.8), silence(0.8), noise(0.8, seed=3)])
    recording = np.concatenate([silence(0.3), passage])
    assert heard_pieces(recording, passage, RATE) == [True] * 4


def test_a_tone_holds_nearly_all_power_of_a_tone() -> None:
    tone = (8000 * np.sin(2 * np.pi * 1004 * np.arange(RATE) / RATE)).astype(np.int16)
    assert tone_share(tone, 1004, RATE) > 0.99
    assert tone_share(tone, 700, RATE) < 0.01
    assert tone_share(silence(1), 700, RATE) == 0.0

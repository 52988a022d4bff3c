"""The E-model against the figures of its own recommendation."""

import pytest

from gateway.rtp.quality import mos, r_factor


def test_a_clean_call_has_the_default_rating() -> None:
    assert r_factor("PCMU", loss=0.0) == pytest.approx(93.2)
    assert mos(93.2) == pytest.approx(4.41, abs=0.005)


TABLE_B1 = {-5: 1.0, 0: 1.0, 50: 2.58, 60: 3.10, 70: 3.60, 80: 4.03, 90: 4.34, 100: 4.5}


def test_scores_are_those_of_annex_b() -> None:
    assert {r: mos(r) for r in TABLE_B1} == pytest.approx(TABLE_B1, abs=0.01)


@pytest.mark.parametrize(("delay", "impairment"), [(0.0, 0), (0.1, 0), (0.2, 3.0), (0.4, 24.1)])
def test_delay_costs_what_the_formula_says(delay: float, impairment: float) -> None:
    assert 93.2 - r_factor("PCMA", loss=0.0, delay=delay) == pytest.approx(impairment, abs=0.3)


def test_loss_costs_what_the_formula_says() -> None:
    assert 93.2 - r_factor("PCMU", loss=0.05) == pytest.approx(95 * 5 / 30.1)


def test_more_loss_and_more_delay_never_sound_better() -> None:
    ratings = [r_factor("opus", loss=n / 100, delay=n / 50) for n in range(101)]
    assert ratings == sorted(ratings, reverse=True)
    assert all(1.0 <= mos(r) <= 4.5 for r in ratings)


def test_an_unknown_codec_is_rated_with_care() -> None:
    assert r_factor("G729", loss=0.01) < r_factor("PCMU", loss=0.01)

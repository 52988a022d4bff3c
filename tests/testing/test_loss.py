"""The lossy network loses as much as it was told to, and in bursts as long."""

import itertools
import random

import pytest

from gateway.testing.loss import Loss


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1, 0.3])
@pytest.mark.parametrize("burst", [1.0, 3.0, 6.0])
def test_share_and_length_of_bursts_are_as_told(share: float, burst: float) -> None:
    loss, rng = Loss(share, burst), random.Random(5)
    fates = [loss.is_next_lost(rng) for _ in range(200_000)]
    lengths = [len(list(run)) for is_lost, run in itertools.groupby(fates) if is_lost]
    assert sum(fates) / len(fates) == pytest.approx(share, rel=0.15)
    expected = burst if burst > 1 else 1 / (1 - share)
    assert sum(lengths) / len(lengths) == pytest.approx(expected, rel=0.1)


def test_nothing_and_everything_can_be_lost() -> None:
    rng = random.Random(1)
    assert not any(Loss().is_next_lost(rng) for _ in range(100))
    assert all(Loss(1.0, 3.0).is_next_lost(rng) for _ in range(100))

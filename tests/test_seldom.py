"""Of many alike one in a while is told, with the number of the others."""

from gateway.seldom import Seldom


def test_the_first_is_told_and_later_ones_are_counted_until_time_is_up() -> None:
    seldom = Seldom(10.0)
    told = [seldom.unsaid("a", now) for now in (0.0, 1.0, 9.9, 10.0, 10.5)]
    assert told == [0, None, None, 2, None]
    assert seldom.unsaid("b", 10.5) == 0


def test_what_strangers_bring_does_not_fill_the_memory() -> None:
    seldom = Seldom(10.0)
    for kind in range(5000):
        assert seldom.unsaid(kind, 0.0) == 0
    assert len(seldom._unsaid) <= 1024

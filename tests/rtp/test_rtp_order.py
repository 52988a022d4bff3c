"""Gap-hold: order without delay, and what it costs on bad networks."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.rtp.order import CAPACITY, GapHold, Lost
from gateway.rtp.packet import RtpPacket, sequence_delta


def packet(sequence: int) -> RtpPacket:
    return RtpPacket(0, sequence & 0xFFFF, sequence * 160 & 0xFFFFFFFF, 1, b"")


def shown(items: list[RtpPacket | Lost]) -> list[int | str]:
    """Return sequence numbers, and each gap as ``-count``."""
    return [f"-{item.count}" if isinstance(item, Lost) else item.sequence for item in items]


def run(order: GapHold, *arrivals: tuple[float, int]) -> list[int | str]:
    out: list[RtpPacket | Lost] = []
    for at, sequence in arrivals:
        order.push(packet(sequence), at)
        out += order.pop(at)
    return shown(out)


def test_packets_in_order_go_on_at_once_across_the_wrap() -> None:
    order = GapHold()
    assert run(order, *((n * 0.02, 65_533 + n) for n in range(6))) == [
        65_533, 65_534, 65_535, 0, 1, 2,
    ]  # fmt: skip
    assert order.deadline is None


def test_a_swapped_pair_is_put_right_without_a_loss() -> None:
    order = GapHold()
    assert run(order, (0, 1), (0.02, 3), (0.025, 2), (0.04, 4)) == [1, 2, 3, 4]
    assert (order.lost, order.late, order.duplicates) == (0, 0, 0)


def test_a_gap_is_given_up_after_the_hold_and_not_before() -> None:
    order = GapHold()
    assert run(order, (0.0, 1), (0.06, 4)) == [1]
    assert order.deadline == pytest.approx(0.08)
    assert order.pop(0.079) == []
    assert shown(order.pop(0.080)) == ["-2", 4]
    assert order.deadline is None


def test_a_second_gap_has_been_open_since_the_packet_behind_it_came() -> None:
    order = GapHold()
    run(order, (0.0, 1), (0.010, 3), (0.015, 5))
    assert shown(order.pop(0.030)) == ["-1", 3]
    assert order.deadline == pytest.approx(0.035)
    assert shown(order.pop(0.035)) == ["-1", 5]


def test_a_late_packet_lengthens_the_hold_up_to_its_bound_and_quiet_shortens_it() -> None:
    order = GapHold()
    now, sequence = 0.0, 0
    for _ in range(8):
        run(order, (now, sequence), (now, sequence + 2), (now + 1, sequence + 3))
        run(order, (now + 1, sequence + 1))
        now, sequence = now + 2, sequence + 4
    assert order.late == 8
    assert order.hold == pytest.approx(0.080)
    run(order, *((now, sequence + n) for n in range(3000)))
    assert order.hold == pytest.approx(0.020)


def test_copies_are_counted_and_dropped() -> None:
    order = GapHold()
    assert run(order, (0, 1), (0, 1), (0, 3), (0, 3), (0, 2), (0, 2), (0, 3)) == [1, 2, 3]
    assert (order.duplicates, order.late) == (4, 0)


def test_a_late_packet_and_its_copy_are_one_late_and_one_duplicate() -> None:
    order = GapHold()
    assert run(order, (0, 1), (0, 3), (1, 4), (1, 2), (1, 2)) == [1, "-1", 3, 4]
    assert (order.late, order.duplicates) == (1, 1)


def test_what_is_held_is_bounded() -> None:
    order = GapHold()
    order.push(packet(0), 0.0)
    for sequence in range(2, CAPACITY + 3):
        order.push(packet(sequence), 0.0)
    assert shown(order.pop(0.0))[:3] == [0, "-1", 2]


def test_after_a_reset_any_number_is_the_first() -> None:
    order = GapHold()
    run(order, (0, 1), (0, 9))
    order.reset()
    assert order.deadline is None
    assert run(order, (0, 40_000)) == [40_000]


@given(st.lists(st.tuples(st.integers(65_500, 65_620), st.floats(0, 0.05)), max_size=80))
@settings(max_examples=200)
def test_whatever_arrives_comes_out_once_in_order_and_gaps_add_up(
    arrivals: list[tuple[int, float]],
) -> None:
    order, now = GapHold(), 0.0
    out: list[RtpPacket | Lost] = []
    for sequence, pause in arrivals:
        now += pause
        order.push(packet(sequence), now)
        out += order.pop(now)
    out += order.pop(now + 1)
    expected = arrivals[0][0] & 0xFFFF if arrivals else 0
    for item in out:
        if isinstance(item, Lost):
            expected = (expected + item.count) & 0xFFFF
        else:
            assert sequence_delta(item.sequence, expected) == 0
            expected = (expected + 1) & 0xFFFF
    forwarded = sum(isinstance(item, RtpPacket) for item in out)
    assert forwarded + order.late + order.duplicates == len(arrivals)


def network(kind: str, count: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return arrival times in seconds of packets sent every 20 ms, and which are lost."""
    rng = np.random.default_rng(7)
    sent = np.arange(count) * 20.0
    if kind == "wired":
        delay, losses = 20 + rng.exponential(0.5, count), 0.0005
    elif kind == "wireless":
        spikes = np.where(rng.random(count) < 0.004, rng.uniform(40, 160, count), 0)
        delay, losses = 25 + rng.gamma(1.5, 4, count) + spikes, 0.01
    else:
        bursts = np.where(rng.random(count // 50) < 0.05, rng.uniform(30, 120, count // 50), 0)
        delay, losses = 45 + rng.gamma(2, 7, count) + np.repeat(bursts, 50), 0.02
    arrived = sent + delay
    if kind != "wired":  # packets queue behind one another, but one in a hundred slips past
        slips = rng.random(count) < 0.01
        arrived = np.where(slips, arrived, np.maximum(arrived, np.maximum.accumulate(arrived)))
    return arrived / 1000, rng.random(count) < losses


@pytest.mark.parametrize(
    ("kind", "mean_ms", "p99_ms", "thrown"),
    [("wired", 0.05, 0.0, 0.0), ("wireless", 0.5, 20.0, 0.0005), ("mobile", 0.7, 20.0, 0.0005)],
)
def test_order_costs_next_to_no_delay(
    kind: str, mean_ms: float, p99_ms: float, thrown: float
) -> None:
    count = 10_000
    arrived, is_lost = network(kind, count)
    order = GapHold()
    delays: list[float] = []

    def drain(now: float) -> None:
        through = [item for item in order.pop(now) if isinstance(item, RtpPacket)]
        delays.extend(now - arrived[item.timestamp // 160] for item in through)

    for index in np.argsort(arrived, kind="stable"):
        now = float(arrived[index])
        while order.deadline is not None and order.deadline <= now:
            drain(order.deadline)
        if not is_lost[index]:
            order.push(packet(int(index)), now)
            drain(now)
    drain(1e9)
    came = count - int(is_lost.sum())
    assert 1000 * np.mean(delays) <= mean_ms
    assert 1000 * np.percentile(delays, 99) <= p99_ms + 1e-6
    assert (came - len(delays)) / count <= thrown
    assert order.duplicates == 0


def test_an_undisturbed_stream_is_never_held() -> None:
    order = GapHold()
    for sequence in itertools.islice(itertools.count(), 200):
        order.push(packet(sequence), 0.0)
        assert len(order.pop(0.0)) == 1


def test_packets_that_went_on_unseen_count_like_those_that_were_pushed() -> None:
    seen, unseen = GapHold(), GapHold()
    for order in (seen, unseen):
        for sequence, now in ((65_530, 0.0), (65_532, 0.02), (65_531, 0.08)):
            order.pop(now)
            order.push(packet(sequence), now)
            order.pop(now)
    for sequence in range(65_533, 65_533 + 10):
        seen.push(packet(sequence), 1.0)
        seen.pop(1.0)
    unseen.advance(7, 10)
    for order in (seen, unseen):
        order.push(packet(7), 1.0)
        assert len(order.pop(1.0)) == 1
        order.push(packet(65_535), 1.0)
        order.push(packet(3), 1.0)
    assert (unseen.duplicates, unseen.late) == (seen.duplicates, seen.late) == (2, 1)
    assert unseen.hold == pytest.approx(seen.hold)

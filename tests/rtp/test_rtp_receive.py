"""RFC 3550 appendices A.1, A.3 and A.8, and what calls do beyond them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rtp.packet import RtpPacket
from gateway.rtp.receive import Arrival, Reception
from gateway.rtp.rtcp import ReportBlock


def packet(sequence: int, ssrc: int = 1, timestamp: int | None = None) -> RtpPacket:
    stamp = sequence * 160 if timestamp is None else timestamp
    return RtpPacket(0, sequence & 0xFFFF, stamp & 0xFFFFFFFF, ssrc, b"")


def run(reception: Reception, *sequences: int, ssrc: int = 1) -> list[Arrival]:
    return [reception.receive(packet(n, ssrc), n * 0.02) for n in sequences]


def block(reception: Reception) -> ReportBlock:
    found = reception.report_block()
    assert found is not None
    return found


def test_the_first_packet_counts_at_once() -> None:
    reception = Reception()
    assert reception.report_block() is None
    assert run(reception, 700) == [Arrival.IN_STREAM]
    assert (reception.ssrc, reception.expected, reception.lost) == (1, 1, 0)


def test_numbers_go_on_across_the_wrap() -> None:
    reception = Reception()
    run(reception, *range(65_530, 65_550))
    assert reception.highest == 65_549
    assert (reception.expected, reception.lost) == (20, 0)


def test_losses_copies_and_swaps_are_counted_as_the_rfc_does() -> None:
    reception = Reception()
    assert set(run(reception, 1, 2, 5, 4, 4, 10)) == {Arrival.IN_STREAM}
    assert (reception.expected, reception.lost) == (10, 4)
    assert reception.loss == pytest.approx(0.4)
    run(reception, *([10] * 10))
    assert reception.lost == -6
    assert reception.loss == 0.0


def test_each_report_tells_the_fraction_lost_since_the_one_before() -> None:
    reception = Reception()
    run(reception, *range(100))
    assert block(reception).fraction_lost == 0
    run(reception, *range(150, 200))
    second = block(reception)
    assert (second.fraction_lost, second.cumulative_lost) == (128, 50)
    assert second.highest_sequence == 199
    assert block(reception).fraction_lost == 0


def test_jitter_is_that_of_appendix_a8() -> None:
    reception = Reception(8000)
    expected = 0.0
    for n in range(50):
        late = 0.010 if n % 2 else 0.0
        reception.receive(packet(n, timestamp=0xFFFFFF00 + n * 160), n * 0.02 + late)
        if n:
            expected += (80 - expected) / 16
    assert reception.jitter_units == pytest.approx(expected)
    assert reception.jitter == pytest.approx(expected / 8000)
    assert block(reception).jitter == int(expected)


def test_a_pause_with_unbroken_numbers_is_neither_loss_nor_jitter() -> None:
    reception = Reception()
    run(reception, *range(10))
    reception.receive(packet(10, timestamp=(9 + 100) * 160), (9 + 100) * 0.02)
    assert reception.lost == 0
    assert reception.jitter == pytest.approx(0.0, abs=1e-6)


def test_another_clock_keeps_the_jitters_seconds() -> None:
    reception = Reception(8000)
    for n in range(50):
        reception.receive(packet(n), n * 0.02 + 0.01 * (n % 2))
    before = reception.jitter
    reception.clock = 48_000
    assert reception.jitter == pytest.approx(before)
    assert reception.jitter_units == pytest.approx(before * 48_000)


def test_a_new_source_takes_over_with_its_second_packet_in_a_row() -> None:
    reception = Reception()
    run(reception, *range(5))
    assert run(reception, 900, 901, 902, ssrc=2) == [
        Arrival.FOREIGN,
        Arrival.RESTARTED,
        Arrival.IN_STREAM,
    ]
    assert (reception.ssrc, reception.restarts, reception.foreign) == (2, 1, 1)
    assert (reception.expected, reception.lost, reception.packets) == (2, 0, 7)


def test_two_sources_at_once_never_take_turns() -> None:
    reception = Reception()
    for n in range(50):
        assert run(reception, n) == [Arrival.IN_STREAM]
        assert run(reception, 3000 + n, ssrc=2) == [Arrival.FOREIGN]
    assert (reception.ssrc, reception.restarts, reception.foreign) == (1, 0, 50)


@pytest.mark.parametrize("start", [30_000, 60_000])
def test_a_sender_that_numbers_anew_is_followed(start: int) -> None:
    reception = Reception()
    run(reception, *range(1000, 1010))
    assert run(reception, start, start + 1) == [Arrival.FOREIGN, Arrival.RESTARTED]


def test_one_stray_number_is_dropped() -> None:
    reception = Reception()
    run(reception, 1, 2, 3)
    assert run(reception, 30_000, 4, 30_001, 5) == [
        Arrival.FOREIGN, Arrival.IN_STREAM, Arrival.FOREIGN, Arrival.IN_STREAM,
    ]  # fmt: skip
    assert reception.lost == 0


def test_keys_under_a_source_of_their_own_are_no_new_source_of_sound() -> None:
    reception = Reception()
    run(reception, 1, 2)
    verdicts = [reception.receive(packet(n, 0x01020305), 0.1, is_event=True) for n in range(5)]
    assert set(verdicts) == {Arrival.FOREIGN}
    assert run(reception, 3) == [Arrival.IN_STREAM]
    assert (reception.ssrc, reception.restarts) == (1, 0)


def test_keys_within_the_stream_keep_its_numbers_and_say_nothing_of_jitter() -> None:
    reception = Reception()
    run(reception, 1)
    for n in (2, 3, 4):
        key = packet(n, timestamp=320)
        assert reception.receive(key, n * 0.02, is_event=True) is Arrival.IN_STREAM
    run(reception, 5)
    assert reception.lost == 0
    assert reception.jitter == pytest.approx(0.0, abs=1e-6)


def test_keys_before_any_sound_begin_no_stream() -> None:
    reception = Reception()
    assert reception.receive(packet(1, 5), 0.0, is_event=True) is Arrival.FOREIGN
    assert run(reception, 10) == [Arrival.IN_STREAM]


def test_our_own_packets_sent_back_are_no_stream() -> None:
    reception = Reception(own_ssrc=99)
    assert set(run(reception, 1, 2, 3, ssrc=99)) == {Arrival.FOREIGN}
    assert reception.ssrc is None
    assert run(reception, 7) == [Arrival.IN_STREAM]


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(1, 3), st.booleans()), max_size=60))
@settings(max_examples=200)
def test_any_packets_leave_figures_that_fit_a_report(
    packets: list[tuple[int, int, bool]],
) -> None:
    reception = Reception()
    verdicts = [
        reception.receive(packet(sequence, ssrc), n * 0.01, is_event=is_event)
        for n, (sequence, ssrc, is_event) in enumerate(packets)
    ]
    assert verdicts.count(Arrival.FOREIGN) == reception.foreign
    assert reception.packets + reception.foreign == len(packets)
    report = reception.report_block()
    if report is not None:
        assert ReportBlock.parse(bytes(report)) == report
    assert 0.0 <= reception.loss <= 1.0


def test_packets_counted_unseen_leave_the_same_report_as_packets_that_were_shown() -> None:
    shown, unseen = Reception(), Reception()
    run(shown, *range(65_500, 65_560))
    run(unseen, *range(65_500, 65_510))
    unseen.advance(65_559 & 0xFFFF, 65_559 * 160, 65_559 * 0.02, 50, shown.jitter_units)
    for reception in (shown, unseen):
        run(reception, 65_563)
    assert unseen.report_block() == shown.report_block()
    assert (unseen.packets, unseen.highest, unseen.lost) == (shown.packets, shown.highest, 3)

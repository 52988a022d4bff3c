"""RTCP on the wire, and one call's exchange of reports."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import RtpError
from gateway.rtp.packet import RtpPacket
from gateway.rtp.receive import Reception
from gateway.rtp.report import ReportSession
from gateway.rtp.rtcp import (
    Bye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    Sdes,
    SenderReport,
    pack_compound,
    parse_compound,
)

BLOCK = ReportBlock(2, 255, -3, 70_000, 80, 0xB7052000, 0x00054000)


def test_a_compound_is_read_back_as_it_was_written() -> None:
    packets: list[RtcpPacket] = [
        SenderReport(1, 0xB705200000000000, 160, 10, 1600, [BLOCK]),
        ReceiverReport(3),
        Sdes([(1, [(1, "caller@example"), (6, "")]), (7, [])]),
        Bye([1, 2], "gone"),
        Bye([]),
    ]
    assert parse_compound(pack_compound(packets)) == packets


def test_the_wire_form_is_that_of_the_rfc() -> None:
    assert bytes(ReceiverReport(1, [BLOCK])).hex(" ", 4) == (
        "81c90007 00000001 00000002 fffffffd 00011170 00000050 b7052000 00054000"
    )
    assert bytes(Sdes([(1, [(1, "ab")])])).hex(" ", 4) == "81ca0003 00000001 01026162 00000000"
    assert bytes(Bye([9], "x")).hex(" ", 4) == "81cb0002 00000009 01780000"


def test_kinds_without_use_and_padding_are_passed_over() -> None:
    app = bytes.fromhex("80cc0002 00000001 6e616d65")
    padded = bytes.fromhex("a0c90002 00000001 00000004")
    assert parse_compound(app + padded) == [ReceiverReport(1)]


@pytest.mark.parametrize(
    "data",
    [
        "",
        "80c9",
        "80c90001",
        "40c90001 00000001",
        "80000001 00000001",
        "80c90000",
        "81c90001 00000001",
        "80c80001 00000001",
        "81c80006 " + "00" * 24,
        "81ca0001 00000001",
        "81ca0002 00000001 01ff0000",
        "81ca0002 00000001 00000001 01",
        "82cb0001 00000001",
        "81cb0002 00000001 05616263",
        "a0c90001 00000001 80c90001 00000001",
        "a0c90001 00000000",
        "a0c90001 000000ff",
    ],
)
def test_a_broken_compound_is_refused(data: str) -> None:
    with pytest.raises(RtpError):
        parse_compound(bytes.fromhex(data))


@given(st.binary(max_size=64) | st.binary(max_size=60).map(lambda rest: b"\x81\xca" + rest))
@settings(max_examples=200)
def test_garbage_raises_nothing_but_our_error(data: bytes) -> None:
    for whole in (data, data[: len(data) // 4 * 4]):
        try:
            packets = parse_compound(whole)
        except RtpError:
            continue
        assert parse_compound(pack_compound(packets) or bytes.fromhex("80c9000100000000"))


def joined() -> tuple[ReportSession, ReportSession]:
    """Return two ends that have each sent the other a second of sound."""
    ends = [ReportSession(ssrc, f"{ssrc}@example", 8000, Reception()) for ssrc in (1, 2)]
    for n in range(50):
        for sender, hearer in (ends, ends[::-1]):
            packet = RtpPacket(0, n, n * 160, sender.ssrc, bytes(160))
            sender.sent(packet.timestamp, 160, n * 0.02)
            hearer.reception.receive(packet, n * 0.02)
    return ends[0], ends[1]


def test_a_report_counts_what_was_sent_and_stamps_its_own_moment() -> None:
    ours, _ = joined()
    report, names = parse_compound(ours.report(1.0))
    assert isinstance(report, SenderReport)
    assert (report.packet_count, report.octet_count) == (50, 8000)
    assert report.rtp_timestamp == pytest.approx(8000, abs=1)
    assert report.ntp >> 32 == 1
    assert names == Sdes([(1, [(1, "1@example")])])


def test_who_has_sent_nothing_since_reports_as_a_receiver() -> None:
    ours, _ = joined()
    ours.report(1.0)
    assert isinstance(parse_compound(ours.report(6.0))[0], ReceiverReport)


def test_the_round_trip_is_what_the_reports_took_without_the_pause_between() -> None:
    ours, theirs = joined()
    theirs.receive(ours.report(10.0), 10.030)
    ours.receive(theirs.report(14.0), 14.050)
    assert ours.round_trip == pytest.approx(0.080, abs=0.001)
    assert theirs.round_trip is None


def test_an_unbelievable_round_trip_is_not_taken() -> None:
    ours, _ = joined()
    ours.receive(bytes(ReceiverReport(2, [ReportBlock(1, last_report=1, delay=0)])), 5.0)
    assert ours.round_trip is None or ours.round_trip < 10


def test_what_the_other_side_hears_of_us_is_kept() -> None:
    ours, _ = joined()
    heard = ReportBlock(1, fraction_lost=64, cumulative_lost=12, jitter=160)
    others = ReportBlock(77, fraction_lost=255)
    ours.receive(bytes(ReceiverReport(2, [others, heard])), 5.0)
    assert ours.remote_loss == 0.25
    assert ours.remote_lost == 12
    assert ours.remote_jitter == pytest.approx(0.020)


def test_a_goodbye_counts_only_from_the_source_that_is_heard() -> None:
    ours, theirs = joined()
    ours.receive(bytes(Bye([99])), 5.0)
    assert not ours.is_over
    ours.receive(theirs.goodbye(5.0), 5.0)
    assert ours.is_over


def test_garbage_is_counted_and_changes_nothing() -> None:
    ours, _ = joined()
    assert ours.receive(b"garbage", 1.0) == []
    assert ours.malformed == 1

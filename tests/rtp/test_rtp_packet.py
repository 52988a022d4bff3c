"""RTP packets on the wire, whole and broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import RtpError
from gateway.rtp.packet import RtpPacket, is_rtcp, pack_header, sequence_delta, timestamp_delta

PLAIN = RtpPacket(0, 65_535, 0xFFFFFF60, 0xDEADBEEF, bytes(160), marker=True)


def test_the_wire_form_is_that_of_the_rfc() -> None:
    assert bytes(PLAIN)[:12].hex() == "8080ffffffffff60deadbeef"
    assert bytes(PLAIN)[:12] == pack_header(0, 65_535, 0xFFFFFF60, 0xDEADBEEF, True)


def test_contributing_sources_extension_and_padding_are_passed_over() -> None:
    header = bytes.fromhex("b2 00 0001 00000002 00000003")
    sources = bytes(8)
    extension = bytes.fromhex("bede 0001 aabbccdd")
    packet = RtpPacket.parse(header + sources + extension + b"sound" + b"\0\0\3")
    assert packet == RtpPacket(0, 1, 2, 3, b"sound")


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "too short"),
        (bytes(11), "too short"),
        (bytes(12), "version 0"),
        (b"\xc0" + bytes(11), "version 3"),
        (b"\x8f" + bytes(20), "past the end"),
        (b"\x90" + bytes(13), "past the end"),
        (b"\x90" + bytes(13) + b"\0\1", "past the end"),
        (b"\xa0" + bytes(11), "past the end"),
        (b"\xa0" + bytes(11) + b"\2", "past the end"),
        (b"\xa0" + bytes(12), "past the end"),
    ],
)
def test_a_broken_packet_is_refused_in_words_or_without(data: bytes, complaint: str) -> None:
    assert RtpPacket.read(data) is None
    with pytest.raises(RtpError, match=complaint):
        RtpPacket.parse(data)


def test_padding_may_leave_no_payload() -> None:
    assert RtpPacket.parse(b"\xa0" + bytes(11) + b"\1").payload == b""


@pytest.mark.parametrize(("second", "verdict"), [(0, False), (128, False), (191, False),
                                                 (192, True), (200, True), (223, True),
                                                 (224, False)])  # fmt: skip
def test_rtcp_is_told_from_rtp_by_its_type(second: int, verdict: bool) -> None:
    assert is_rtcp(bytes([0x80, second])) is verdict
    assert not is_rtcp(b"\x80")


def test_counters_are_compared_across_their_wrap() -> None:
    assert sequence_delta(1, 65_535) == 2
    assert sequence_delta(65_535, 1) == -2
    assert timestamp_delta(80, 0xFFFFFFB0) == 160
    assert timestamp_delta(0xFFFFFFB0, 80) == -160


@given(
    st.builds(
        RtpPacket,
        st.integers(0, 127),
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFFFFFFFF),
        st.integers(0, 0xFFFFFFFF),
        st.binary(max_size=200),
        st.booleans(),
    )
)
def test_what_is_written_is_read_back(packet: RtpPacket) -> None:
    assert RtpPacket.parse(bytes(packet)) == packet


@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda rest: b"\xb1" + rest))
def test_garbage_raises_nothing_but_our_error(data: bytes) -> None:
    packet = RtpPacket.read(data)
    if packet is None:
        with pytest.raises(RtpError):
            RtpPacket.parse(data)
    else:
        assert packet == RtpPacket.parse(data)

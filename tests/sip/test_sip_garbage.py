"""Whatever arrives, the parser answers with a message or with its own error."""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import SipError
from gateway.sip.wire.framing import StreamFramer
from gateway.sip.wire.grammar import parse_params, split_list
from gateway.sip.wire.headers import CSeq, NameAddr, Via
from gateway.sip.wire.message import MessageError, Request, parse, response_to, stamp_received
from gateway.sip.wire.uri import Uri

GOOD = (
    b"INVITE sip:demo@192.0.2.9;transport=udp SIP/2.0\r\n"
    b'Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport;x="a;b"\r\n'
    b"Max-Forwards: 70\r\n"
    b'From: "Alice, A" <sip:alice@example.org>;tag=a1\r\n'
    b"To: sip:demo@192.0.2.9\r\n"
    b"Call-ID: c1\r\nCSeq: 7 INVITE\r\n"
    b"Contact: <sip:a@[2001:db8::1]:5062?x=y>;q=1, <tel:+1555>\r\n"
    b"Content-Length: 4\r\n\r\nabcd"
)
SIGNS = st.text(alphabet=' \t\r\n;,:<>"\\=@?%/[]SIPsip/2.0axé\x00\udcff٣', max_size=60)

BRIEF = settings(max_examples=150)


def survives(data: bytes) -> None:
    try:
        message = parse(data)
    except MessageError as error:
        assert (error.status >= 400) is (error.answerable is not None)  # noqa: PT017 - either is right
        if error.answerable is not None:
            stamp_received(error.answerable, ("192.0.2.1", 5060))
            bytes(response_to(error.answerable, error.status, to_tag="t"))
        return
    again = parse(bytes(message))
    assert again.headers.get_all("from") == message.headers.get_all("from")
    if isinstance(message, Request):
        stamp_received(message, ("192.0.2.1", 5060))
        bytes(response_to(message, 200, to_tag="t"))


@BRIEF
@given(st.binary(max_size=300))
def test_noise_is_refused_in_order(data: bytes) -> None:
    survives(data)


@BRIEF
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.binary(max_size=3)), max_size=4))
def test_a_damaged_request_is_read_or_refused_in_order(
    damages: list[tuple[int, bytes]],
) -> None:
    data = GOOD
    for position, piece in damages:
        data = data[:position] + piece + data[position + 1 :]
    survives(data)


@BRIEF
@given(st.integers(0, len(GOOD)))
def test_a_request_cut_short_is_refused_in_order(length: int) -> None:
    survives(GOOD[:length])


@pytest.mark.parametrize(
    "read", [Uri.parse, NameAddr.parse, Via.parse, CSeq.parse, parse_params, split_list]
)
def test_no_value_breaks_a_reader(read: Callable[[str], object]) -> None:
    @BRIEF
    @given(SIGNS)
    def attempt(text: str) -> None:
        with contextlib.suppress(SipError):
            read(text)

    attempt()


@BRIEF
@given(SIGNS)
def test_what_an_address_reader_takes_it_also_writes(text: str) -> None:
    try:
        address = NameAddr.parse(text)
    except SipError:
        return
    assert NameAddr.parse(str(address)) == address


@BRIEF
@given(st.lists(st.binary(max_size=40), max_size=20))
def test_a_stream_of_noise_ends_in_a_sip_error_at_worst(pieces: list[bytes]) -> None:
    framer = StreamFramer()
    try:
        for piece in pieces:
            framer.receive_data(piece)
    except SipError:
        pass


@BRIEF
@given(st.lists(st.integers(1, 40), min_size=1))
def test_a_stream_is_the_same_however_it_is_cut(sizes: list[int]) -> None:
    stream, framer, messages = GOOD * 3, StreamFramer(), []
    for size in sizes:
        messages += framer.receive_data(stream[:size])
        stream = stream[size:]
    messages += framer.receive_data(stream)
    assert messages == [GOOD] * 3


@pytest.mark.parametrize(
    "line",
    [
        b'To: "' + b"\\" * 60_000,
        b"To: " + b"<" * 60_000,
        b"Via: " + b"SIP / " * 10_000,
        b"Contact: " + b'"a"' * 20_000,
        b"Route: " + b"<a>," * 15_000,
        b"To: sip:" + b"%" * 60_000,
    ],
)
def test_a_hostile_header_costs_no_more_than_its_length(line: bytes) -> None:
    survives(GOOD.replace(b"To: sip:demo@192.0.2.9", line))

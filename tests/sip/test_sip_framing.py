"""A stream of bytes becomes messages, whatever the pieces it arrives in."""

import pytest

from gateway.errors import SipError
from gateway.sip.wire.framing import StreamFramer
from gateway.sip.wire.message import MAX_BODY, MAX_HEADER_BYTES

FIRST = b"OPTIONS sip:h SIP/2.0\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
SECOND = b"BYE sip:h SIP/2.0\r\nl : 0\r\n\r\n"


def test_messages_are_cut_by_their_length() -> None:
    framer = StreamFramer()
    assert framer.receive_data(FIRST + SECOND) == [FIRST, SECOND]
    assert framer.data_to_send() == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_the_pieces_do_not_matter(size: int) -> None:
    framer, messages = StreamFramer(), []
    stream = FIRST + b"\r\n\r\n" + SECOND + FIRST
    for start in range(0, len(stream), size):
        messages += framer.receive_data(stream[start : start + size])
    assert messages == [FIRST, SECOND, FIRST]
    assert framer.data_to_send() == [b"\r\n"]


@pytest.mark.parametrize("size", [1, 100])
def test_blank_lines_of_both_kinds_that_share_a_line_feed_end_the_headers_where_the_first_does(
    size: int,
) -> None:
    stream = b"OPTIONS sip:a@b SIP/2.0\r\nl: 3\r\n\n\r\nrest"
    framer = StreamFramer()
    messages = [
        message
        for at in range(0, len(stream), size)
        for message in framer.receive_data(stream[at : at + size])
    ]
    assert messages == [stream[:-3]]


def test_a_ping_is_answered_and_a_pong_is_not() -> None:
    framer = StreamFramer()
    assert framer.receive_data(b"\r\n\r\n") == []
    assert framer.data_to_send() == [b"\r\n"]
    assert framer.receive_data(b"\r\n" + SECOND) == [SECOND]
    assert framer.data_to_send() == []


def test_a_folded_or_repeated_length_is_understood() -> None:
    folded = b"BYE sip:h SIP/2.0\r\nContent-Length:\r\n 2\r\n\r\nxx"
    twice = b"BYE sip:h SIP/2.0\r\nl: 2\r\nContent-Length: 2\r\n\r\nxx"
    assert StreamFramer().receive_data(folded + twice) == [folded, twice]


@pytest.mark.parametrize(
    "head",
    [
        b"X: y",
        b"l: -1",
        b"l: x",
        b"l: 1\r\nContent-Length: 2",
        b"Content-Length:\r\nX: 3",
        f"l: {MAX_BODY + 1}".encode(),
    ],
)
def test_a_length_that_cannot_be_relied_on_ends_the_connection(head: bytes) -> None:
    with pytest.raises(SipError):
        StreamFramer().receive_data(b"BYE sip:h SIP/2.0\r\n" + head + b"\r\n\r\n")


def test_headers_without_an_end_are_not_collected_for_ever() -> None:
    framer = StreamFramer()
    for _ in range(MAX_HEADER_BYTES // 1000):
        framer.receive_data(b"x" * 1000)
    with pytest.raises(SipError) as caught:
        framer.receive_data(b"x" * 1000)
    assert caught.value.status == 513

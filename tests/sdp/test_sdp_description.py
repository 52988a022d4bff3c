"""Descriptions as they come, from tidy to broken."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import SdpError
from gateway.sdp.description import MAX_LINES, MAX_MEDIA, MediaDescription, SessionDescription

CAPTURES = Path(__file__).parents[2].parent / "shared" / "sip" / "captures"

OFFER = (
    b"v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns= \r\nc=IN IP4 192.0.2.1/127\r\nt=0 0\r\n"
    b"a=group:BUNDLE 0 1\r\nm=audio 4000/2 RTP/AVP 0 101\r\nz=what is this\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=rtcp-mux\r\nm=video 0 RTP/AVP 31\r\nc=IN IP6 ::1\r\n"
)


def test_what_is_read_is_written_back_to_the_byte() -> None:
    assert bytes(SessionDescription.parse(OFFER)) == OFFER


def test_the_parts_of_a_description_are_found() -> None:
    description = SessionDescription.parse(OFFER)
    audio, video = description.media
    assert description.origin == "- 1 2 IN IP4 192.0.2.1"
    assert description.connection == "192.0.2.1"
    assert description.attributes("group") == ["BUNDLE 0 1"]
    assert (audio.port, audio.port_count, audio.formats) == (4000, 2, ["0", "101"])
    assert audio.connection is None
    assert audio.attribute("rtcp-mux") == ""
    assert audio.attribute("ptime") is None
    assert (video.port, video.connection) == (0, "::1")


@pytest.mark.parametrize("ending", ["\n", "\r", "\r\n", "\r\n\r\n"])
def test_any_line_ending_and_blank_lines_are_let_through(ending: str) -> None:
    text = OFFER.decode().replace("\r\n", ending)
    assert bytes(SessionDescription.parse(text)) == OFFER


def test_bytes_that_are_no_utf_8_survive() -> None:
    raw = b"v=0\r\ns=caf\xe9\r\n"
    assert bytes(SessionDescription.parse(raw)) == raw


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "v=0"),
        (b"o=- 1 1 IN IP4 a\r\nv=0\r\n", "v=0"),
        (b"v=1\r\n", "v=0"),
        (b"m=audio 1 RTP/AVP 0\r\n", "v=0"),
        (b"v=0\r\nhello\r\n", "not a line"),
        (b"v=0\r\nrtpmap=0\r\n", "not a line"),
        (b"v=0\r\nm=audio 65536 RTP/AVP 0\r\n", "no port"),
        (b"v=0\r\nm=audio -1 RTP/AVP 0\r\n", "media line"),
        (b"v=0\r\nm=audio 4000 RTP/AVP\r\n", "media line"),
        (b"v=0\r\nm=\r\n", "media line"),
        (b"v=0\r\n" + b"m=audio 1 RTP/AVP 0\r\n" * (MAX_MEDIA + 1), "media lines"),
        (b"v=0\r\n" + b"a=x\r\n" * MAX_LINES, "too many"),
        (b"v=0\r\na=" + bytes(70_000), "too large"),
    ],
)
def test_a_broken_description_is_refused_in_words(body: bytes, complaint: str) -> None:
    with pytest.raises(SdpError, match=complaint):
        SessionDescription.parse(body)


def test_a_connection_line_that_cannot_be_read_is_an_error_only_when_asked_for() -> None:
    description = SessionDescription.parse("v=0\nc=nonsense\nm=audio 1 RTP/AVP 0\n")
    with pytest.raises(SdpError, match="connection line"):
        _ = description.connection


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="the captured requests are not at hand")
def test_real_clients_offers_are_kept_to_the_byte() -> None:
    bodies = [path.read_bytes().partition(b"\r\n\r\n")[2] for path in CAPTURES.glob("*.sip")]
    offers = [body for body in bodies if body]
    assert len(offers) >= 7
    assert [bytes(SessionDescription.parse(body)) for body in offers] == offers


@given(st.binary(max_size=300) | st.text("vmc=audio 0RTP/AVP\r\n:1", max_size=200).map(str.encode))
@settings(max_examples=200)
def test_garbage_raises_nothing_but_our_error(data: bytes) -> None:
    for body in (data, b"v=0\r\n" + data, b"v=0\r\nm=" + data):
        try:
            description = SessionDescription.parse(body)
        except SdpError:
            continue
        assert SessionDescription.parse(bytes(description)) == description


@given(st.text(max_size=60))
def test_any_media_line_is_read_or_refused(text: str) -> None:
    try:
        section = MediaDescription.parse(text)
    except SdpError:
        return
    assert 0 <= section.port <= 65_535
    assert section.formats

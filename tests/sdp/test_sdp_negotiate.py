"""Offer and answer, row by row of what carriers and phones send."""

import pytest
from sdp_sides import agreed, answered, leg, offer, version_of

from gateway.errors import NegotiationError
from gateway.sdp.codecs import Codec, accepts_flash
from gateway.sdp.negotiate import Direction

DIRECTIONS: tuple[Direction, ...] = ("sendrecv", "sendonly", "recvonly", "inactive")


def test_the_answer_has_one_section_for_each_offered_and_takes_the_first_it_can() -> None:
    body = offer(
        "m=video 5000 RTP/AVP 31",
        "m=audio 5002 RTP/SAVP 0",
        "m=audio 5004 RTP/AVP 8 0",
        "m=audio 5006 RTP/AVP 0",
    )
    answer = answered(leg(), body)
    assert [(m.media, m.port) for m in answer.media] == [
        ("video", 0),
        ("audio", 0),
        ("audio", 10_000),
        ("audio", 0),
    ]
    assert answer.media[2].formats == ["8"]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("sendrecv", "sendrecv"),
        ("sendonly", "recvonly"),
        ("recvonly", "sendonly"),
        ("inactive", "inactive"),
    ],
)
@pytest.mark.parametrize("at_session_level", [False, True])
def test_the_answer_mirrors_the_direction(theirs: str, ours: str, at_session_level: bool) -> None:
    lines = ["m=audio 5000 RTP/AVP 0", f"a={theirs}"]
    side = leg()
    answer = answered(side, offer(*(reversed(lines) if at_session_level else lines)))
    assert answer.media[0].attribute(ours) == ""
    assert agreed(side).direction == ours
    assert agreed(side).is_held == (theirs in ("sendonly", "inactive"))


def test_a_section_direction_outweighs_the_session_direction() -> None:
    side = leg()
    side.answer(offer("a=inactive", "m=audio 5000 RTP/AVP 0", "a=sendrecv"))
    assert agreed(side).direction == "sendrecv"


def test_the_old_hold_by_a_null_address_sends_nothing_anywhere() -> None:
    side = leg()
    answer = answered(side, offer("m=audio 5000 RTP/AVP 0", "a=sendrecv", host="0.0.0.0"))
    assert answer.media[0].attribute("recvonly") == ""
    assert agreed(side).is_held
    assert not agreed(side).sends
    assert agreed(side).remote is agreed(side).remote_rtcp is None


def test_a_refresh_changes_neither_the_version_nor_the_media() -> None:
    side = leg()
    first = side.answer(offer("m=audio 5000 RTP/AVP 0"))
    media = side.negotiated
    assert side.answer(offer("m=audio 5000 RTP/AVP 0")) == first
    assert side.answer(offer("m=audio 5000 RTP/AVP 0", version=2)) == first
    assert side.negotiated is media


def test_the_version_rises_with_every_change_of_ours() -> None:
    side = leg()
    bodies = [
        offer("m=audio 5000 RTP/AVP 0", f"a={direction}", version=n)
        for n, direction in enumerate(DIRECTIONS)
    ]
    assert [version_of(side.answer(body)) for body in bodies] == [1, 2, 3, 4]
    assert version_of(side.offer("sendonly")) == 5


@pytest.mark.parametrize("number", [96, 101, 120])
def test_keys_are_answered_under_the_offered_number(number: int) -> None:
    side = leg()
    mapping = f"a=rtpmap:{number} telephone-event/8000"
    answer = answered(side, offer(f"m=audio 5000 RTP/AVP 0 {number}", mapping))
    assert answer.media[0].formats == ["0", str(number)]
    assert agreed(side).dtmf_send_type == number
    assert agreed(side).dtmf_receive_types == {number: 8000}


@pytest.mark.parametrize(("codec", "number", "clock"), [("opus", 99, 48_000), ("PCMU", 98, 8000)])
def test_keys_have_the_clock_of_the_chosen_codec(codec: str, number: int, clock: int) -> None:
    side = leg(codec)
    side.answer(
        offer(
            "m=audio 5000 RTP/AVP 96 0 97 98 99",
            "a=rtpmap:96 OPUS/48000/2",
            "a=rtpmap:97 telephone-event/16000",
            "a=rtpmap:98 telephone-event/8000",
            "a=rtpmap:99 telephone-event/48000",
        )
    )
    assert agreed(side).codec.name == codec
    assert (agreed(side).dtmf_send_type, agreed(side).dtmf_send_clock) == (number, clock)


def test_keys_at_another_clock_are_better_than_none() -> None:
    side = leg()
    lines = ("a=rtpmap:96 opus/48000/2", "a=rtpmap:101 telephone-event/8000")
    side.answer(offer("m=audio 5000 RTP/AVP 96 101", *lines))
    assert agreed(side).dtmf_receive_types == {101: 8000}


@pytest.mark.parametrize(("number", "name"), [(0, "PCMU"), (8, "PCMA"), (9, "G722")])
def test_static_numbers_need_no_mapping(number: int, name: str) -> None:
    side = leg()
    side.answer(offer(f"m=audio 5000 RTP/AVP 18 {number}"))
    assert agreed(side).codec == Codec(name, 8000, 1, number)
    assert agreed(side).receive_types == {number: agreed(side).codec}


def test_a_mapping_overrules_a_static_number() -> None:
    with pytest.raises(NegotiationError):
        leg().answer(offer("m=audio 5000 RTP/AVP 0", "a=rtpmap:0 AMR/8000"))


def test_a_codec_of_more_channels_is_another_codec() -> None:
    with pytest.raises(NegotiationError):
        leg().answer(offer("m=audio 5000 RTP/AVP 96", "a=rtpmap:96 PCMU/8000/2"))


@pytest.mark.parametrize(
    ("lines", "ms"),
    [
        ([], 20),
        (["a=ptime:10"], 10),
        (["a=ptime:30"], 30),
        (["a=ptime:60"], 60),
        (["a=ptime:150"], 60),
        (["a=ptime:25"], 20),
        (["a=ptime:5"], 10),
        (["a=ptime:0"], 20),
        (["a=ptime:30", "a=maxptime:20"], 20),
        (["a=maxptime:10"], 10),
        (["a=maxptime:140"], 20),
        (["a=ptime:30.0"], 30),
        (["a=ptime:-20"], 20),
        (["a=ptime:soon"], 20),
        (["a=ptime:99999999999999999999"], 20),
    ],
)
def test_packets_are_as_long_as_the_offer_asks(lines: list[str], ms: int) -> None:
    side = leg()
    answer = answered(side, offer("m=audio 5000 RTP/AVP 0", *lines))
    assert agreed(side).ptime == ms
    assert answer.media[0].attribute("ptime") == str(ms)


@pytest.mark.parametrize(
    ("lines", "rtcp", "is_mux"),
    [
        ([], ("192.0.2.1", 5001), False),
        (["a=rtcp:6000"], ("192.0.2.1", 6000), False),
        (["a=rtcp:6000 IN IP4 192.0.2.7"], ("192.0.2.7", 6000), False),
        (["a=rtcp:6000 IN IP6 ::7"], ("192.0.2.1", 6000), False),
        (["a=rtcp:soon"], ("192.0.2.1", 5001), False),
        (["a=rtcp:0"], ("192.0.2.1", 5001), False),
        (["a=rtcp-mux", "a=rtcp:6000"], ("192.0.2.1", 5000), True),
    ],
)
def test_reports_go_where_the_offer_says(
    lines: list[str], rtcp: tuple[str, int], is_mux: bool
) -> None:
    side = leg()
    answer = answered(side, offer("m=audio 5000 RTP/AVP 0", *lines))
    assert agreed(side).remote == ("192.0.2.1", 5000)
    assert agreed(side).remote_rtcp == rtcp
    assert agreed(side).is_rtcp_mux == is_mux
    assert (answer.media[0].attribute("rtcp-mux") is not None) == is_mux


def test_a_shared_port_is_not_answered_where_it_is_not_wanted() -> None:
    side = leg(rtcp_mux=False)
    answer = answered(side, offer("m=audio 5000 RTP/AVP 0", "a=rtcp-mux"))
    assert answer.media[0].attribute("rtcp-mux") is None
    assert agreed(side).remote_rtcp == ("192.0.2.1", 5001)


@pytest.mark.parametrize("host", ["fd00::2", "phone.example", "999.0.0.1"])
def test_an_address_we_cannot_send_to_waits_for_the_first_packets(host: str) -> None:
    side = leg()
    side.answer(offer("m=audio 5000 RTP/AVP 0", f"c=IN IP4 {host}"))
    assert agreed(side).remote is None
    assert not agreed(side).is_held


def test_media_is_never_sent_to_a_group() -> None:
    with pytest.raises(NegotiationError, match="multicast"):
        leg().answer(offer("m=audio 5000 RTP/AVP 0", "c=IN IP4 224.2.1.1/127"))


def test_comfort_noise_is_accepted_where_it_is_offered() -> None:
    side = leg()
    answer = answered(side, offer("m=audio 5000 RTP/AVP 0 13"))
    assert answer.media[0].formats == ["0", "13"]
    assert agreed(side).receive_types[13].name == "CN"


def test_the_hook_flash_is_accepted_where_it_is_offered() -> None:
    lines = ("m=audio 5000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000")
    assert answered(leg(), offer(*lines)).media[0].attribute("fmtp") == "101 0-15"
    with_flash = offer(*lines, "a=fmtp:101 0-16")
    assert answered(leg(), with_flash).media[0].attribute("fmtp") == "101 0-16"


@pytest.mark.parametrize(
    ("fmtp", "verdict"),
    [("", False), ("0-15", False), ("0-16", True), ("0-11,16", True), ("events=0-16", True),
     ("16", True), ("-", False), ("a-b,,", False), ("0-15,32-40", False), ("٠-٩٩", False)],
)  # fmt: skip
def test_event_spans_are_read_leniently(fmtp: str, verdict: bool) -> None:
    assert accepts_flash(Codec("telephone-event", 8000, 1, 101, fmtp)) is verdict

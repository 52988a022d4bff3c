"""Offer and answer, row by row of what carriers and phones send."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.clock import CountedIds
from gateway.errors import NegotiationError, SdpError
from gateway.sdp.codecs import Codec, accepts_flash
from gateway.sdp.description import SessionDescription
from gateway.sdp.negotiate import Direction, Negotiated, OfferAnswer, State
from gateway.sdp.stream import Ways

CAPTURES = Path(__file__).parents[2].parent / "shared" / "sip" / "captures"
DIRECTIONS: tuple[Direction, ...] = ("sendrecv", "sendonly", "recvonly", "inactive")


def leg(*codecs: str, host: str = "203.0.113.9", rtcp_mux: bool = True) -> OfferAnswer:
    names = codecs or ("PCMU", "PCMA", "G722", "opus")
    return OfferAnswer(host, 10_000, names, ids=CountedIds(), rtcp_mux=rtcp_mux)


def offer(*media: str, host: str = "192.0.2.1", version: int = 1) -> bytes:
    """Return a description whose sections are given as ``m=`` line, then attributes."""
    head = f"v=0\r\no=- 7 {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    return (head + "".join(f"{line}\r\n" for line in media)).encode()


def agreed(side: OfferAnswer) -> Negotiated:
    assert side.negotiated is not None
    return side.negotiated


def version_of(description: bytes) -> int:
    origin = SessionDescription.parse(description).origin
    assert origin is not None
    return int(origin.split()[2])


def answered(side: OfferAnswer, body: bytes) -> SessionDescription:
    return SessionDescription.parse(side.answer(body))


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


@pytest.mark.parametrize(
    "media",
    [
        [],
        ["m=audio 0 RTP/AVP 0"],
        ["m=audio 5000 RTP/AVP 3 18"],
        ["m=audio 5000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"],
        ["m=audio 5000 RTP/AVP 13"],
        ["m=audio 5000 RTP/SAVP 0"],
        ["m=audio 5000 UDP/TLS/RTP/SAVPF 0"],
        ["m=audio 5000 RTP/AVP 300 x"],
        ["m=image 5000 udptl t38"],
    ],
)
def test_an_offer_without_a_common_codec_deserves_488(media: list[str]) -> None:
    side = leg()
    with pytest.raises(NegotiationError) as caught:
        side.answer(offer(*media))
    assert caught.value.status == 488
    assert side.negotiated is None


def test_a_refused_offer_leaves_what_was_agreed() -> None:
    side = leg()
    side.answer(offer("m=audio 5000 RTP/AVP 0"))
    before = side.negotiated
    with pytest.raises(NegotiationError):
        side.answer(offer("m=audio 5000 RTP/AVP 18", version=2))
    assert side.negotiated is before
    assert side.state is State.STABLE


def test_an_offer_without_an_address_cannot_be_read() -> None:
    with pytest.raises(SdpError, match="connection"):
        leg().answer(b"v=0\no=- 1 1 IN IP4 a\ns=-\nt=0 0\nm=audio 5000 RTP/AVP 0\n")


def test_crossed_offers_deserve_491() -> None:
    side = leg()
    side.offer()
    with pytest.raises(NegotiationError) as ours:
        side.offer()
    with pytest.raises(NegotiationError) as theirs:
        side.answer(offer("m=audio 5000 RTP/AVP 0"))
    assert ours.value.status == theirs.value.status == 491


def test_a_withdrawn_hold_leaves_the_direction_as_it_was() -> None:
    side = leg()
    side.answer(offer("m=audio 5000 RTP/AVP 0"))
    side.offer("sendonly")
    side.withdraw()
    side.answer(offer("m=audio 5000 RTP/AVP 0", version=2))
    assert agreed(side).direction == "sendrecv"


def test_our_hold_outlasts_the_other_sides_refresh() -> None:
    side, body = leg(), offer("m=audio 5000 RTP/AVP 0")
    side.answer(body)
    hold = SessionDescription.parse(side.offer("sendonly"))
    assert hold.media[0].formats == ["0"]
    side.accept(offer("m=audio 5000 RTP/AVP 0", "a=recvonly", version=2))
    assert agreed(side).direction == "sendonly"
    assert not agreed(side).is_held
    assert answered(side, body).media[0].attribute("sendonly") == ""


def test_a_later_offer_keeps_every_section_in_its_place() -> None:
    side = leg()
    side.answer(offer("m=video 5002 RTP/AVP 31", "m=audio 5000 RTP/AVP 0"))
    again = SessionDescription.parse(side.offer("inactive"))
    assert [(m.media, m.port) for m in again.media] == [("video", 0), ("audio", 10_000)]
    side.accept(offer("m=video 0 RTP/AVP 31", "m=audio 5000 RTP/AVP 0", "a=inactive"))
    assert agreed(side).direction == "inactive"


def test_numbers_may_differ_each_way() -> None:
    side = leg("opus")
    side.offer()
    side.accept(
        offer(
            "m=audio 5000 RTP/AVP 111 126",
            "a=rtpmap:111 opus/48000/2",
            "a=rtpmap:126 telephone-event/48000",
        )
    )
    assert agreed(side).codec.payload_type == 111
    assert agreed(side).dtmf_send_type == 126
    assert {107, 111} == set(agreed(side).receive_types)
    assert agreed(side).dtmf_receive_types == {103: 48_000, 126: 48_000}


def test_a_final_answer_corrects_a_provisional_one() -> None:
    side = leg()
    side.offer()
    side.accept(offer("m=audio 5000 RTP/AVP 0"))
    side.accept(offer("m=audio 7000 RTP/AVP 8"))
    assert agreed(side).remote == ("192.0.2.1", 7000)
    assert agreed(side).codec.name == "PCMA"


@pytest.mark.parametrize(
    "media",
    [[], ["m=audio 0 RTP/AVP 0"], ["m=audio 5000 RTP/AVP 18"], ["m=audio 5000 RTP/SAVP 0"]],
)
def test_an_answer_that_accepts_nothing_is_an_error(media: list[str]) -> None:
    side = leg()
    side.offer()
    with pytest.raises(NegotiationError):
        side.accept(offer(*media))
    assert side.negotiated is None


def test_an_answer_to_no_offer_is_an_error() -> None:
    with pytest.raises(NegotiationError):
        leg().accept(offer("m=audio 5000 RTP/AVP 0"))


def test_an_ipv6_leg_writes_and_reads_ipv6() -> None:
    side = leg(host="2001:db8::9")
    answer = side.answer(offer("m=audio 5000 RTP/AVP 0", "c=IN IP6 2001:db8::1"))
    assert b"c=IN IP6 2001:db8::9" in answer
    assert agreed(side).remote == ("2001:db8::1", 5000)


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="the captured requests are not at hand")
@pytest.mark.parametrize(
    ("name", "codec", "events"),
    [
        ("baresip-1.0.0-udp", "PCMU", {101: 8000}),
        ("baresip-1.0.0-srtp", "opus", {101: 8000}),
        ("linphonec-5.1.65", "opus", {99: 48_000}),
        ("pjsua2-2.15.1", "PCMU", {121: 8000}),
        ("sipp-3.6.1-uac", "PCMU", {}),
        ("twinkle-1.10.2", "PCMU", {101: 8000}),
    ],
)
def test_real_clients_are_answered(name: str, codec: str, events: dict[int, int]) -> None:
    body = (CAPTURES / f"{name}-invite.sip").read_bytes().partition(b"\r\n\r\n")[2]
    side = leg()
    answer = side.answer(body)
    assert b"crypto" not in answer
    assert agreed(side).codec.name == codec
    assert agreed(side).dtmf_receive_types == events
    assert (agreed(side).remote is None) == name.startswith("linphone")


attribute_lines = st.lists(
    st.sampled_from(
        ["a=sendonly", "a=inactive", "a=rtcp-mux", "a=rtcp:9 IN IP4 x", "a=ptime:x", "a=fmtp:0",
         "a=rtpmap:0", "a=rtpmap:96 opus/48000", "a=rtpmap:x PCMU/8000", "c=IN IP4 224.0.0.1",
         "a=fmtp:101 0-16", "a=rtpmap:101 telephone-event/8000", "a=rtcp:" + "9" * 5000,
         "m=audio 9 RTP/AVP 0 101 96", "m=video 9 RTP/AVP 0", "m=audio 65535 RTP/AVPF 8"]
    ) | st.text(max_size=30).map(lambda text: "a=" + text.replace("\n", "").replace("\r", "")),
    max_size=12,
)  # fmt: skip


@given(attribute_lines, st.sampled_from(["192.0.2.1", "0.0.0.0", "::1", "?"]))
@settings(max_examples=200)
def test_any_offer_is_answered_in_kind_or_refused(lines: list[str], host: str) -> None:
    side = leg()
    body = "\r\n".join(["v=0", "o=- 1 1 IN IP4 a", f"c=IN IP4 {host}", *lines, ""])
    raw = body.encode("utf-8", "surrogatepass")
    try:
        answer = SessionDescription.parse(side.answer(raw))
    except (SdpError, NegotiationError):
        assert side.negotiated is None
        return
    theirs = SessionDescription.parse(raw)
    assert [m.media for m in answer.media] == [m.media for m in theirs.media]
    (accepted,) = [index for index, m in enumerate(answer.media) if m.port]
    assert set(answer.media[accepted].formats) <= set(theirs.media[accepted].formats)
    assert side.answer(raw) == bytes(answer)


@given(st.binary(max_size=200))
def test_a_garbage_answer_raises_nothing_but_our_errors(data: bytes) -> None:
    side = leg()
    side.offer()
    with pytest.raises((SdpError, NegotiationError)):
        side.accept(b"v=0\r\n" + data)


class TwoLegs(RuleBasedStateMachine):
    """Two sides that hold, resume, refuse and refresh in any order stay agreed."""

    def __init__(self) -> None:
        super().__init__()
        self.sides = [leg("opus", "PCMA"), leg("PCMU", "PCMA", "opus", host="203.0.113.8")]
        self.open: tuple[int, bytes] | None = None
        self.versions = [0, 0]

    def sent(self, side: int, body: bytes) -> bytes:
        version = version_of(body)
        assert self.versions[side] <= version <= self.versions[side] + 1
        self.versions[side] = version
        return body

    @precondition(lambda self: self.open is None)
    @rule(side=st.integers(0, 1), direction=st.sampled_from(DIRECTIONS))
    def make_offer(self, side: int, direction: Direction) -> None:
        self.open = side, self.sent(side, self.sides[side].offer(direction))

    @precondition(lambda self: self.open is not None)
    @rule()
    def complete(self) -> None:
        assert self.open is not None
        side, body = self.open
        answer = self.sent(1 - side, self.sides[1 - side].answer(body))
        self.sides[side].accept(answer)
        self.open = None
        ours, theirs = agreed(self.sides[side]), agreed(self.sides[1 - side])
        assert Ways.of(ours.direction) == tuple(reversed(Ways.of(theirs.direction)))
        assert ours.codec.payload_type in theirs.receive_types
        assert theirs.codec.payload_type in ours.receive_types
        assert ours.dtmf_send_type in theirs.dtmf_receive_types

    @precondition(lambda self: self.open is not None)
    @rule()
    def refuse(self) -> None:
        assert self.open is not None
        self.sides[self.open[0]].withdraw()
        self.open = None

    @invariant()
    def only_the_offerer_waits(self) -> None:
        waiting = [side.state is State.OFFERED for side in self.sides]
        assert waiting == [self.open is not None and self.open[0] == n for n in (0, 1)]


TestTwoLegs = TwoLegs.TestCase
TestTwoLegs.settings = settings(max_examples=60, stateful_step_count=20)

"""Any offer, any answer, and any order of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sdp_sides import agreed, leg, version_of

from gateway.errors import NegotiationError, SdpError
from gateway.sdp.description import SessionDescription
from gateway.sdp.negotiate import Direction, State
from gateway.sdp.stream import Ways

DIRECTIONS: tuple[Direction, ...] = ("sendrecv", "sendonly", "recvonly", "inactive")


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

"""Bodies of several parts: what is taken, what is left, what must be refused (RFC 5621)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_agent_refusals import answers, forge

from gateway.sip.dialogs.session_events import Ringing
from gateway.sip.wire.message import Headers, Request, response_to
from gateway.sip.wire.multipart import Part, description, has_unknown, parts
from gateway.testing.sip import Phone, VirtualNetwork

SDP = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\n"
TWO = f"""\
--cut
Content-Type: application/sdp

{SDP}
--cut
Content-Type: application/isup;version=nxv3;base=etsi121
Content-Disposition: signal;handling={{handling}}

\x01\x11
--cut--
"""
RECORDER = f"""\
preamble, to be left out
--"odd" boundary
content-type : application/SDP ; charset=utf-8
Content-Disposition: session;handling=required

{SDP}
--"odd" boundary
Content-Type: application/rs-metadata+xml
Content-Disposition: recording-session

<recording/>
--"odd" boundary--
epilogue"""
NESTED = f"""\
--out
Content-Type: multipart/alternative; boundary=in

--in
Content-Type: text/plain

hello
--in
Content-Type: application/sdp

{SDP}
--in--
--out--
"""
MIXED = 'Content-Type: multipart/mixed;boundary="cut"\n'


def message(kind: str, body: str | bytes) -> Request:
    data = body if isinstance(body, bytes) else body.replace("\n", "\r\n").encode()
    return Request("INVITE", "sip:bob@192.0.2.2", Headers(("Content-Type", kind)), data)


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@pytest.mark.parametrize(
    ("kind", "body", "kinds"),
    [
        ("multipart/mixed; boundary=cut", TWO, ["application/sdp", "application/isup"]),
        (
            r'Multipart/Mixed ; boundary="\"odd\" boundary"',
            RECORDER,
            ["application/sdp", "application/rs-metadata+xml"],
        ),
        ("multipart/mixed;boundary=out", NESTED, ["text/plain", "application/sdp"]),
        ("application/sdp", SDP, ["application/sdp"]),
    ],
)
def test_the_description_is_found_and_the_rest_kept(
    kind: str, body: str, kinds: list[str], newline: str
) -> None:
    sent = message(kind, body.replace("\n", newline).encode())
    assert [part.content_type for part in parts(sent)] == kinds
    text = (description(sent) or b"").decode()
    assert text.rstrip() == SDP.replace("\n", newline).rstrip()


def test_a_part_is_kept_byte_for_byte() -> None:
    sent = message("multipart/mixed;boundary=cut", TWO)
    _, isup = parts(sent)
    assert isup == Part("application/isup", isup.headers, b"\x01\x11")
    assert isup.headers.get("content-disposition") == "signal;handling={handling}"


@pytest.mark.parametrize(
    ("kind", "body", "found"),
    [
        ("multipart/mixed", TWO, []),
        ("multipart/mixed;boundary=", TWO, []),
        ("multipart/mixed;boundary=other", TWO, []),
        ('multipart/mixed;boundary="cut', TWO, []),
        ("multipart/mixed;boundary=cut", "--cut--\n", []),
        ("multipart/mixed;boundary=cut", "--cut\n\nplain\n", [("", b"plain\r\n")]),
        ("multipart/mixed;boundary=cut", "--cut\nno headers end", [("", b"no headers end")]),
        (
            "multipart/mixed;boundary=cut",
            "--cut\n\na\n--cut \t\n\nb\n--cut--",
            [("", b"a"), ("", b"b")],
        ),
        ("multipart/mixed;boundary=cut", "--cut\n--cut\n\nb\n--cut--", [("", b""), ("", b"b")]),
        ("application/sdp", "", []),
    ],
)
def test_what_is_badly_cut_is_read_as_far_as_it_goes(
    kind: str, body: str, found: list[tuple[str, bytes]]
) -> None:
    assert [(part.content_type, part.body) for part in parts(message(kind, body))] == found


def test_parts_are_bounded_in_number_and_depth() -> None:
    many = message("multipart/mixed;boundary=cut", "--cut\n\nx\n" * 1000)
    assert len(parts(many)) == 16
    layer = SDP
    for depth in range(6):
        layer = f"--a{depth}\nContent-Type: multipart/mixed;boundary=a{depth - 1}\n\n{layer}\n"
    assert parts(message("multipart/mixed;boundary=a5", layer)) == []


@given(st.binary(max_size=300), st.text(max_size=20))
@settings(max_examples=300)
def test_any_body_can_be_cut(body: bytes, boundary: str) -> None:
    kind = f"multipart/mixed;boundary={boundary}".replace("\r", "").replace("\n", "")
    sent = message(kind, b"--" + boundary.encode("utf-8", "surrogateescape") + b"\r\n" + body)
    description(sent)
    has_unknown(sent, ("application/sdp",))


def test_an_invite_with_parts_is_a_call(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    body = TWO.format(handling="optional")
    answers(network, ann, bob, forge("INVITE", extra=MIXED, body=body))
    (taken,) = bob.calls
    assert taken.offer is not None
    assert taken.offer.startswith(b"v=0")
    assert parts(taken.request)[1].content_type == "application/isup"


@pytest.mark.parametrize(
    ("extra", "body"),
    [
        (MIXED, TWO.format(handling="required")),
        (MIXED, TWO.format(handling='"Required"')),
        (MIXED, "nothing is cut here"),
        ("Content-Type: application/isup\n", "x"),
        ("Content-Type: application/isup\nContent-Disposition: signal\n", "x"),
    ],
)
def test_what_must_be_understood_and_is_not_is_refused(
    network: VirtualNetwork, ann: Phone, bob: Phone, extra: str, body: str
) -> None:
    sent = answers(network, ann, bob, forge("INVITE", extra=extra, body=body))
    assert sent == ["415 INVITE"]
    assert network.last("415 INVITE").headers.get("Accept") == "application/sdp"


def test_a_body_that_may_be_ignored_is(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    extra = "Content-Type: application/isup\nContent-Disposition: signal;handling=optional\n"
    answers(network, ann, bob, forge("INVITE", extra=extra, body="x"))
    assert bob.calls[0].offer is None, "we are asked for an offer"


def test_responses_may_have_parts_too(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    call = ann.call(bob, b"offer")
    network.run(0.1)
    ringing = response_to(network.last_request("INVITE"), 183, to_tag="isup")
    ringing.headers.add("Contact", "<sip:bob@192.0.2.2>")
    ringing.headers.add("Content-Type", "multipart/mixed;boundary=cut")
    ringing.body = TWO.replace("\n", "\r\n").encode()
    network.carry(bytes(ringing), bob.flow_to(ann))
    network.run(0.1)
    (told,) = ann.heard(call)
    assert isinstance(told, Ringing)
    assert told.sdp is not None
    assert told.sdp.startswith(b"v=0")


@pytest.mark.parametrize("length", ["Content-Length: 3\n", ""])
@pytest.mark.parametrize(
    ("second", "status"), [("application/sdp", ""), ("text/plain", "400 INVITE")]
)
def test_headers_given_twice_must_agree(
    network: VirtualNetwork, ann: Phone, bob: Phone, length: str, second: str, status: str
) -> None:
    extra = f"Content-Type: application/sdp\nContent-Type: {second}\n{length}"
    sent = answers(network, ann, bob, forge("INVITE", extra=extra, body="v=0"))
    assert sent == ([status] if status else [])
    assert len(bob.calls) == (not status)


def test_lengths_that_differ_are_refused(network: VirtualNetwork, ann: Phone, bob: Phone) -> None:
    extra = "Content-Type: application/sdp\nContent-Length: 2\n"
    assert answers(network, ann, bob, forge("INVITE", extra=extra, body="v=0")) == ["400 INVITE"]

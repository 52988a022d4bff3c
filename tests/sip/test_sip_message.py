"""Messages: what is read, what is refused with which answer, and what an answer copies."""

from typing import Any

import pytest

from gateway.errors import SipError
from gateway.sip.wire.headers import CSeq
from gateway.sip.wire.message import (
    MAX_BODY,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_VIAS,
    Headers,
    MessageError,
    Request,
    Response,
    parse,
    read,
    response_to,
    stamp_received,
)

FIELDS = {
    "Via": "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport",
    "Max-Forwards": "70",
    "From": '"Alice" <sip:alice@example.org>;tag=a1',
    "To": "<sip:demo@192.0.2.9>",
    "Call-ID": "c1@192.0.2.1",
    "CSeq": "7 INVITE",
    "Contact": "<sip:alice@192.0.2.1>",
}


def wire(
    start: str = "INVITE sip:demo@192.0.2.9 SIP/2.0", body: bytes = b"", **changes: str | None
) -> bytes:
    """Write a message; a change of None drops the header, underscores stand for hyphens."""
    fields: dict[str, str | None] = {**FIELDS, "Content-Length": str(len(body))}
    fields |= {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([start, *lines, "", ""]).encode("utf-8", "surrogateescape") + body


def request(data: bytes) -> Request:
    message = parse(data)
    assert isinstance(message, Request)
    return message


def refusal(data: bytes) -> MessageError:
    with pytest.raises(MessageError) as caught:
        parse(data)
    return caught.value


def test_a_request_comes_apart() -> None:
    invite = request(wire(body=b"v=0\r\n", Content_Type="Application/SDP ; charset=utf-8"))
    assert (invite.method, invite.uri) == ("INVITE", "sip:demo@192.0.2.9")
    assert invite.request_uri.username == "demo"
    assert invite.via.branch == "z9hG4bK1"
    assert (invite.from_.display, invite.from_.tag, invite.to.tag) == ("Alice", "a1", None)
    assert (invite.call_id, invite.cseq) == ("c1@192.0.2.1", CSeq(7, "INVITE"))
    assert (invite.max_forwards, invite.content_type) == (70, "application/sdp")
    assert str(invite.contacts[0].uri) == "sip:alice@192.0.2.1"
    assert invite.body == b"v=0\r\n"


def test_a_response_comes_apart() -> None:
    response = parse(wire("SIP/2.0 180 Ringing"))
    assert isinstance(response, Response)
    assert (response.status, response.reason) == (180, "Ringing")
    assert bytes(response).startswith(b"SIP/2.0 180 Ringing\r\n")


@pytest.mark.parametrize("start", ["SIP/2.0 200 ", "SIP/2.0 200", "sip/2.0 200 OK"])
def test_an_empty_reason_and_a_small_sip_are_understood(start: str) -> None:
    response = parse(wire(start))
    assert isinstance(response, Response)
    assert response.status == 200


def test_folded_lines_are_joined() -> None:
    invite = request(wire(Subject="one\r\n  two\r\n\tthree", From="\r\n sip:a@h\r\n ;tag=1"))
    assert invite.headers.get("Subject") == "one two three"
    assert invite.from_.tag == "1"


def test_a_blank_before_the_colon_does_not_hide_a_header() -> None:
    data = wire().replace(b"Via:", b"Via \t:").replace(b"CSeq:", b"cseq :")
    assert request(data).via.branch == "z9hG4bK1"


def test_compact_forms_are_understood_and_kept() -> None:
    data = wire(Via=None, v=FIELDS["Via"], From=None, f=FIELDS["From"], Call_ID=None, i="x1")
    invite = request(data)
    assert (invite.via.branch, invite.from_.tag, invite.call_id) == ("z9hG4bK1", "a1", "x1")
    assert b"\r\nv: SIP/2.0" in bytes(invite)


def test_several_addresses_in_one_line_are_several() -> None:
    invite = request(wire(Contact='"A, x" <sip:1@h>, "C" <sip:2@h>;q=0.5'))
    assert [c.display for c in invite.contacts] == ["A, x", "C"]
    assert request(wire(Contact="*")).contacts == []


def test_keep_alives_before_a_message_are_skipped() -> None:
    assert request(b"\r\n\r\n" + wire()).method == "INVITE"


def test_bare_line_feeds_end_lines_too() -> None:
    assert request(wire(body=b"x").replace(b"\r\n", b"\n")).body == b"x"


def test_bytes_that_are_no_utf8_survive_the_way_through() -> None:
    data = wire().replace(b"Alice", b"Al\xefce \xff")
    assert b"Al\xefce \xff" in bytes(request(data))


def test_a_body_longer_than_said_is_cut_and_one_without_length_runs_to_the_end() -> None:
    assert request(wire(body=b"abcdef", Content_Length="3")).body == b"abc"
    assert request(wire(body=b"abcdef", Content_Length=None)).body == b"abcdef"
    assert request(wire(body=b"abc", Content_Length="  0003   ")).body == b"abc"


def test_equal_duplicates_are_one() -> None:
    data = wire(body=b"abc", Content_Type="text/plain", c="text/plain", l="3")
    assert request(data).body == b"abc"


def test_what_was_read_is_written_back() -> None:
    assert bytes(request(wire())) == wire()


def test_values_are_written_back_to_the_letter() -> None:
    strange = '<sip:a@h;Foo=Bar>;TAG=a%41b;foo="a b;c"'
    invite = request(wire(From=strange, Identity="abc+/=;info=<https://x>;alg=ES256"))
    assert f"From: {strange}\r\n".encode() in bytes(invite)
    assert invite.from_.tag == "a%41b"


def test_the_length_is_always_that_of_the_body() -> None:
    invite = request(wire(body=b"abc"))
    invite.body = b"longer"
    assert bytes(invite).endswith(b"Content-Length: 6\r\n\r\nlonger")
    assert bytes(invite).count(b"Content-Length") == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"From": None}, "no from"),
        ({"To": None}, "no to"),
        ({"Call_ID": None}, "no call-id"),
        ({"CSeq": None}, "no cseq"),
        ({"Call_ID": "a b"}, "Call-ID"),
        ({"CSeq": "7 OPTIONS"}, "CSeq names"),
        ({"CSeq": "99999999999 INVITE"}, "CSeq"),
        ({"Max_Forwards": "many"}, "Max-Forwards"),
        ({"Max_Forwards": "-1"}, "Max-Forwards"),
        ({"To": '"open <sip:a@h>'}, "address"),
        ({"Contact": "<sip:a@h>;;"}, "parameters"),
        ({"Route": "nonsense"}, "address"),
        ({"Record_Route": "<sip:a@h>, <sip:"}, "brackets"),
        ({"Supported": 'timer, "'}, "quotes"),
        ({"Content_Length": "-1"}, "Content-Length"),
        ({"Content_Length": "x"}, "Content-Length"),
        ({"Content_Length": "10"}, "of body"),
        ({"l": "7"}, "Content-Length"),
        ({"t": "<sip:other@h>"}, "more than one to"),
        ({"Content_Type": "a/b", "c": "c/d"}, "content-type"),
        ({"Via": "SIP/2.0/UDP h;;,;,,"}, "parameters"),
        ({"Bad Name": "x"}, "header"),
        ({"Subject": "a\rb"}, "carriage"),
    ],
)
def test_a_broken_request_is_refused_with_400(change: dict[str, Any], why: str) -> None:
    error = refusal(wire(**change))
    assert error.status == 400
    assert error.answerable is not None
    assert why in str(error)
    answer = bytes(response_to(error.answerable, error.status))
    assert answer.startswith(b"SIP/2.0 400 Bad Request\r\nVia: ")


@pytest.mark.parametrize(
    "start",
    [
        "INVITE  sip:demo@h SIP/2.0",
        "INVITE sip:demo@h SIP/2.0 ",
        "INVITE <sip:demo@h> SIP/2.0",
        "INVITE sip:demo@h; lr SIP/2.0",
        "INVITE SIP/2.0",
        "IN{VITE sip:demo@h SIP/2.0",
        "INVITE sip:@ SIP/2.0",
        "INVITE demo SIP/2.0",
    ],
)
def test_a_broken_request_line_is_refused_with_400(start: str) -> None:
    error = refusal(wire(start))
    assert (error.status, error.answerable is not None) == (400, True)


def test_another_version_is_refused_with_505() -> None:
    assert refusal(wire("INVITE sip:demo@h SIP/7.0")).status == 505


def test_a_missing_end_of_the_headers_is_refused() -> None:
    assert refusal(wire()[:-4]).status == 400
    assert refusal(wire()[:36]).answerable is None  # not even a Via has come


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"\x00" * 40,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        wire("SIP/2.0 4294967301 too much"),
        wire("SIP/2.0 99 too little"),
        wire("SIP/7.0 200 OK"),
        wire("SIP/2.0 200 OK", CSeq=None),
        wire("SIP/2.0 200 OK", Content_Length="99"),
        wire(Via=None),
        wire("ACK sip:demo@h SIP/2.0"),  # its CSeq says INVITE
    ],
)
def test_what_cannot_or_must_not_be_answered_is_dropped(data: bytes) -> None:
    error = refusal(data)
    assert (error.status, error.answerable) == (0, None)


def test_everything_has_a_limit() -> None:
    many = "\r\n".join(["x"] + [f"X-{i}: y" for i in range(MAX_HEADERS)])
    assert refusal(wire(Subject=many)).status == 400
    vias = ", ".join([FIELDS["Via"]] * (MAX_VIAS + 1))
    assert "hops" in str(refusal(wire(Via=vias)))
    assert "addresses" in str(refusal(wire(Contact=", ".join(["<sip:a@h>"] * 257))))
    assert refusal(wire(Subject="x" * MAX_HEADER_BYTES)).status == 400
    assert refusal(wire(Content_Length=str(MAX_BODY + 1))).status == 513


def test_nothing_breaks_out_of_the_start_line() -> None:
    assert Response(400, "bad\r\nVia: x").start_line == "SIP/2.0 400 bad Via: x"
    with pytest.raises(SipError):
        bytes(Request("BYE", "sip:a@h SIP/2.0\r\nVia: x"))


def test_a_shallow_read_leaves_the_values_alone() -> None:
    message = read(wire(From="nonsense"))
    with pytest.raises(SipError):
        message.from_  # noqa: B018
    with pytest.raises(SipError):
        read(wire(Via=None)).via  # noqa: B018


def test_typed_values_follow_a_change_of_their_header() -> None:
    invite = request(wire())
    assert invite.max_forwards == 70
    invite.headers.set("Max-Forwards", "69")
    assert invite.max_forwards == 69


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, None), ("3600", 3600), ("x", None), ("9" * 100, 2**32 - 1), ("-1", None)],
)
def test_expires_is_read_or_ignored(value: str | None, seconds: int | None) -> None:
    assert request(wire(Expires=value)).expires == seconds


def test_options_are_compared_in_lower_case() -> None:
    invite = request(wire(Require="100rel, Timer", Supported="", k="Replaces"))
    assert (invite.require, invite.supported) == (["100rel", "timer"], ["replaces"])


def test_an_answer_copies_what_it_must_to_the_letter() -> None:
    invite = request(
        wire(
            Via="SIP/2.0/UDP p1;branch=z9hG4bKp, SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
            Record_Route="<sip:p1;r2=on;lr>, <sip:p0;r2=on;lr>",
            Timestamp="54",
        )
    )
    ok = response_to(invite, 200, to_tag="b2")
    assert list(ok.headers.items()) == [
        ("Via", "SIP/2.0/UDP p1;branch=z9hG4bKp, SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
        ("From", FIELDS["From"]),
        ("To", FIELDS["To"] + ";tag=b2"),
        ("Call-ID", FIELDS["Call-ID"]),
        ("CSeq", "7 INVITE"),
        ("Record-Route", "<sip:p1;r2=on;lr>, <sip:p0;r2=on;lr>"),
    ]
    trying = response_to(invite, 100)
    assert (trying.headers.get("Timestamp"), trying.to.tag) == ("54", None)
    assert "Record-Route" not in response_to(invite, 486).headers
    assert response_to(invite, 486, "Not now").start_line == "SIP/2.0 486 Not now"


def test_an_answer_keeps_the_tag_that_is_there() -> None:
    bye = request(wire(To="<sip:demo@h>;tag=old"))
    assert response_to(bye, 200, to_tag="new").to.tag == "old"
    assert response_to(request(wire(To="sip:demo@h")), 200, to_tag="t").to.tag == "t"


def test_the_source_is_noted_in_the_topmost_via() -> None:
    invite = request(
        wire(Via="SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK1;received=6.6.6.6, SIP/2.0/UDP b")
    )
    stamp_received(invite, ("203.0.113.5", 1061))
    assert (invite.via.received, invite.via.rport) == ("203.0.113.5", 1061)
    assert invite.headers.get("Via") == (
        "SIP/2.0/UDP 10.0.0.1;rport=1061;branch=z9hG4bK1;received=203.0.113.5, SIP/2.0/UDP b"
    )


def test_a_sender_that_names_itself_rightly_is_left_alone() -> None:
    plain = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"
    invite = request(wire(Via=plain))
    stamp_received(invite, ("192.0.2.1", 5060))
    assert invite.headers.get("Via") == plain
    stamp_received(invite, ("192.0.2.7", 5060))
    assert invite.headers.get("Via") == f"{plain};received=192.0.2.7"


def test_a_via_that_cannot_be_read_is_not_stamped() -> None:
    broken = Request("OPTIONS", "sip:h", Headers(("Via", "nonsense")))
    stamp_received(broken, ("192.0.2.1", 5060))
    assert broken.headers.get("Via") == "nonsense"

"""The torture messages of RFC 4475 get the verdicts the RFC gives them; so do our own."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.sip.message import MessageError, Request, Response, parse, response_to

SHARED = Path(__file__).parents[2].parent / "shared" / "sip"
TORTURE = SHARED / "torture"
VERDICTS: dict[str, Any] = (
    json.loads((TORTURE / "expected.json").read_text())
    if (TORTURE / "expected.json").exists()
    else {}
)
CAPTURES = sorted(SHARED.glob("captures/*.sip"))


@pytest.mark.skipif(not VERDICTS, reason="the RFC's messages are not beside this tree")
@pytest.mark.parametrize("name", sorted(VERDICTS))
def test_every_torture_message_gets_its_verdict(name: str) -> None:
    data = (TORTURE / f"{name}.dat").read_bytes()
    verdict = VERDICTS[name]
    kind = Request if verdict["kind"] == "request" else Response
    if verdict["parse"] != "invalid" or "accept" in verdict["uas"]:
        message = parse(data)
        assert isinstance(message, kind)
        again = parse(bytes(message))
        assert (again.headers.get_all("via"), again.body) == (
            message.headers.get_all("via"),
            message.body,
        )
        return
    with pytest.raises(MessageError) as caught:
        parse(data)
    wanted = re.match(r"\d+", verdict["uas"])
    assert caught.value.status == (int(wanted.group()) if wanted else 0)
    if wanted:
        assert caught.value.answerable is not None
        answer = response_to(caught.value.answerable, caught.value.status)
        assert bytes(answer).startswith(b"SIP/2.0 4" if caught.value.status < 500 else b"SIP/2.0 5")
        assert answer.headers.get("Via")


@pytest.mark.skipif(not CAPTURES, reason="the captured requests are not beside this tree")
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_the_first_request_of_a_real_client_is_read_to_the_letter(path: Path) -> None:
    data = path.read_bytes()
    request = parse(data)
    assert isinstance(request, Request)
    assert request.contacts[0].uri.host in ("127.0.0.1", "[fd00::2]")
    assert request.from_.tag is not None
    padded = re.compile(rb"Content-Length: *\d+\r\n")
    assert sorted(padded.sub(b"", bytes(request)).split(b"\r\n")) == sorted(
        padded.sub(b"", data).split(b"\r\n")
    )


def invite(*lines: str, start: str = "INVITE sip:bob@biloxi.example SIP/2.0") -> bytes:
    fields = {
        "via": "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKtort",
        "from": "From: <sip:alice@atlanta.example>;tag=77",
        "to": "To: <sip:bob@biloxi.example>",
        "call-id": "Call-ID: tort@198.51.100.7",
        "cseq": "CSeq: 1 INVITE",
    }
    for line in lines:
        fields[line.partition(":")[0].strip().lower()] = line
    text = "\r\n".join([start, *fields.values(), "", ""])
    return text.encode("utf-8", "surrogateescape")


# What trips parsers in practice: each is read, and means what stands beside it.
ODD_BUT_RIGHT = {
    "folded From": (invite("From:\r\n <sip:a@h>\r\n\t;tag=9"), "from_.tag", "9"),
    "blank before a colon": (invite("Via  : SIP/2.0/UDP h;branch=z9hG4bKx"), "via.host", "h"),
    "comma in a quoted name": (
        invite('Contact: "Bell, A" <sip:1@h>,"C" <sip:2@h>'),
        "contacts[1].display",
        "C",
    ),
    "headers in a URI": (
        invite("Contact: <sip:1@h?Replaces=a%40b>"),
        "contacts[0].uri.headers",
        {"Replaces": "a%40b"},
    ),
    "scheme in capitals": (invite("To: SIP:x@node1"), "to.uri.host", "node1"),
    "underscore in a host": (invite("To: <sip:x@sip_gw:5060>"), "to.uri.host", "sip_gw"),
    "emergency number": (invite("To: <urn:service:sos>"), "to.uri.scheme", "urn"),
    "hash in a user": (invite("To: <sip:*31#5@h>"), "to.uri.username", "*31#5"),
    "bare IPv6 in received": (
        invite("Via: SIP/2.0/UDP h;received=2001:db8::1;branch=z9hG4bKx"),
        "via.received",
        "2001:db8::1",
    ),
    "unquoted UTF-8 name": (invite("From: Zoë <sip:z@h>;tag=1"), "from_.display", "Zoë"),
    "tag in capitals": (invite("From: <sip:a@h>;TAG=Ab"), "from_.tag", "Ab"),
    "escape in a tag": (invite("From: <sip:a@h>;tag=a%41"), "from_.tag", "a%41"),
    "Latin-1 byte": (invite("From: Zo\udceb <sip:z@h>;tag=1"), "from_.display", "Zo\udceb"),
    "keep-alive in front": (b"\r\n\r\n" + invite(), "call_id", "tort@198.51.100.7"),
    "IPv6 everywhere": (
        invite(
            "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKx",
            start="INVITE sip:[2001:db8::10] SIP/2.0",
        ),
        "via.host",
        "[2001:db8::9:1]",
    ),
    "IPv6 zone": (invite("To: <sip:b@[fe80::1%eth0]>"), "to.uri.address", "fe80::1%eth0"),
    "no tag and no cookie": (invite("From: <sip:a@h>"), "from_.tag", None),
    "names in capitals": (invite("CALL-ID: CAPS", "CALL-ID: CAPS"), "call_id", "CAPS"),
    "colons in a quoted parameter": (
        invite('Via: SIP/2.0/TCP h:5060;x-ds0num="ISDN 0/0/1:15 :DS0";branch=z9hG4bKx'),
        "via.port",
        5060,
    ),
    "hop count of zero": (invite("Max-Forwards: 0"), "max_forwards", 0),
}

BROKEN = {
    "quote left open": invite('To: "Bob <sip:b@h>'),
    "bracket left open": invite("To: <sip:b@h"),
    "comma in a bare name": invite("From: Bell, A <sip:a@h>;tag=1"),
    "empty parameters": invite("Via: SIP/2.0/UDP h;;branch=z9hG4bKx"),
    "method differs from CSeq": invite("CSeq: 1 BYE"),
    "no number in CSeq": invite("CSeq: INVITE"),
    "bytes missing": invite("Content-Length: 500"),
    "negative length": invite("Content-Length: -5"),
    "address in brackets": invite(start="INVITE <sip:bob@h> SIP/2.0"),
    "two blanks": invite(start="INVITE  sip:bob@h SIP/2.0"),
    "no such port": invite("Via: SIP/2.0/UDP h:66000;branch=z9hG4bKx"),
    "From twice": invite("f: <sip:mallory@h>;tag=2"),
}


@pytest.mark.parametrize("name", ODD_BUT_RIGHT)
def test_an_odd_message_is_understood(name: str) -> None:
    data, path, wanted = ODD_BUT_RIGHT[name]
    value: Any = parse(data)
    for step in re.findall(r"\w+", path):
        value = value[int(step)] if step.isdigit() else getattr(value, step)
    assert value == wanted


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_message_is_refused_and_can_be_answered(name: str) -> None:
    with pytest.raises(MessageError) as caught:
        parse(BROKEN[name])
    assert caught.value.status == 400
    assert caught.value.answerable is not None

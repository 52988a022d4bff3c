"""SIP messages that trip what reads them, after RFC 4475, RFC 5118 and the field.

Each of :data:`ODD_BUT_RIGHT` must be understood: with it stand the name of a value, as seen from
the parsed message, and what that is.  Each of :data:`BROKEN` must be refused with 400.
"""

from typing import Final

__all__ = ["BROKEN", "ODD_BUT_RIGHT", "invite"]


def invite(*lines: str, start: str = "INVITE sip:bob@biloxi.example SIP/2.0") -> bytes:
    """Write an INVITE in which ``lines`` take the place of those with the same name."""
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


ODD_BUT_RIGHT: Final[dict[str, tuple[bytes, str, object]]] = {
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
    "port outside the brackets": (
        invite(start="INVITE sip:[2001:db8::10]:5070 SIP/2.0"),
        "uri",
        "sip:[2001:db8::10]:5070",
    ),
    "port inside the brackets": (
        invite(start="INVITE sip:[2001:db8::10:5070] SIP/2.0"),
        "uri",
        "sip:[2001:db8::10:5070]",
    ),
    "IPv4 inside IPv6": (
        invite("Via: SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKx"),
        "via.port",
        19823,
    ),
    "IPv6 with brackets in received": (
        invite("Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKx"),
        "via.received",
        "[2001:db8::9:255]",
    ),
    "three colons": (
        invite("To: <sip:user@[2001:db8:::192.0.2.1]>"),
        "to.uri.username",
        "user",
    ),
}

BROKEN: Final[dict[str, bytes]] = {
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
    "IPv6 without brackets": invite(start="INVITE sip:2001:db8::10 SIP/2.0"),
    "IPv6 without brackets in Via": invite("Via: SIP/2.0/UDP 2001:db8::1;branch=z9hG4bKx"),
    "From twice": invite("f: <sip:mallory@h>;tag=2"),
}

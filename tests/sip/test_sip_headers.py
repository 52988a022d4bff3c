"""Name-addr, Via and CSeq, with the spellings real clients use."""

import pytest

from gateway.errors import SipError
from gateway.sip.wire.grammar import parse_number, parse_params, split_list
from gateway.sip.wire.headers import CSeq, NameAddr, Via


@pytest.mark.parametrize(
    ("text", "display", "uri", "tag"),
    [
        ("<sip:a@h>;tag=1", "", "sip:a@h", "1"),
        ("sip:a@h;tag=1", "", "sip:a@h", "1"),
        ("sip:a@h", "", "sip:a@h", None),
        ('"A \\"B\\" C" <sip:a@h> ; TAG = x', 'A "B" C', "sip:a@h", "x"),
        ('"Comma, Semi;" <sip:a@h;lr>;tag=a%41b', "Comma, Semi;", "sip:a@h;lr", "a%41b"),
        ("A. Bell <sip:a@h>;tag=q", "A. Bell", "sip:a@h", "q"),
        ("Jürgen Groß <sip:a@h>", "Jürgen Groß", "sip:a@h", None),
        ("sip:a@h <sip:b@h>", "sip:a@h", "sip:b@h", None),
        ('"" <tel:+15550100>', "", "tel:+15550100", None),
        ("< sip:a@h >", "", "sip:a@h", None),
    ],
)
def test_an_address_header_comes_apart(text: str, display: str, uri: str, tag: str | None) -> None:
    address = NameAddr.parse(text)
    assert (address.display, str(address.uri), address.tag) == (display, uri, tag)
    assert NameAddr.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        '"Mr. J. User <sip:j.user@example.com>',
        "Bell, Alexander <sip:a@h>",
        "<sip:a@h",
        "sip:a@h?Route=%3Csip:b%3E",
        "<sip:a@h>;;",
        "<sip:a@h> trailing",
        "<sip:a@h>;tag=a b",
        '<sip:a@h>;x="open',
    ],
)
def test_an_address_header_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(SipError):
        NameAddr.parse(text)


def test_parameters_keep_their_values_to_the_letter() -> None:
    params = parse_params(';foo="a b;c";Bar=a%41b;flag;empty=;+sip.instance="<urn:uuid:1>"')
    assert params == {
        "foo": '"a b;c"',
        "bar": "a%41b",
        "flag": None,
        "empty": "",
        "+sip.instance": '"<urn:uuid:1>"',
    }
    assert str(NameAddr.parse('<sip:a@h>;foo="a b;c"')) == '<sip:a@h>;foo="a b;c"'


def test_the_first_of_two_equal_parameters_counts() -> None:
    assert parse_params(";tag=1;TAG=2") == {"tag": "1"}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a, b ,c", ["a", "b", "c"]),
        ("a", ["a"]),
        ("", [""]),
        ('"A, a" <sip:1@h>, "C" <sip:2@h;x=a,b>', ['"A, a" <sip:1@h>', '"C" <sip:2@h;x=a,b>']),
        ('Digest realm="a, b"', ['Digest realm="a, b"']),
        ('"\\"," <sip:a>,b', ['"\\"," <sip:a>', "b"]),
        ("a,,b", ["a", "", "b"]),
        ('"q",', ['"q"', ""]),
    ],
)
def test_lists_split_only_at_commas_that_separate(text: str, parts: list[str]) -> None:
    assert split_list(text) == parts


@pytest.mark.parametrize("text", ['"a,', "<a,b", '"a\\",', 'x, "'])
def test_a_list_left_open_is_refused(text: str) -> None:
    with pytest.raises(SipError):
        split_list(text)


def test_a_via_comes_apart_whatever_the_blanks() -> None:
    via = Via.parse(
        "SIP  / 2.0  / tcp     spindle.example.com : 5070  ;  branch  =   z9hG4bK9 ;rport"
    )
    assert via == Via("TCP", "spindle.example.com", 5070, {"branch": "z9hG4bK9", "rport": None})
    assert str(via) == "SIP/2.0/TCP spindle.example.com:5070;branch=z9hG4bK9;rport"
    assert (via.branch, via.received, via.rport) == ("z9hG4bK9", None, None)
    assert via.sent_by == "spindle.example.com:5070"


@pytest.mark.parametrize(
    ("text", "received", "rport"),
    [
        ("SIP/2.0/UDP h;received=2001:db8::1;rport=5061", "2001:db8::1", 5061),
        ("SIP/2.0/UDP [2001:db8::9]:5060;received=[2001:db8::1]", "[2001:db8::1]", None),
        ("SIP/2.0/WSS x.invalid;rport=70000", None, None),
        ('SIP/2.0/UDP h;x-ds0num="ISDN 0/0/1:15 0/0/1:DS1 9:DS0"', None, None),
    ],
)
def test_where_a_request_came_from_is_read(
    text: str, received: str | None, rport: int | None
) -> None:
    via = Via.parse(text)
    assert (via.received, via.rport) == (received, rport)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "UDP h",
        "SIP/2.0/UDP h;;",
        "SIP/2.0/UDP h:99999",
        "SIP/2.0/UDP h x",
        "SIP/2.0/UDP h:",
        "SIP/2.0 h",
        "SIP/2.0/UDP [::1",
    ],
)
def test_what_is_no_via_is_refused(text: str) -> None:
    with pytest.raises(SipError):
        Via.parse(text)


def test_a_cseq_may_have_leading_zeros_but_not_33_bits() -> None:
    assert CSeq.parse("0009  INVITE") == CSeq(9, "INVITE")
    assert CSeq.parse("4294967295 X").number == 2**32 - 1
    assert str(CSeq(1, "ACK")) == "1 ACK"
    for text in ("4294967296 X", "-1 X", "1", "x INVITE", "1 IN VITE", "\u0661 X"):
        with pytest.raises(SipError):
            CSeq.parse(text)


def test_a_number_is_ascii_digits_and_bounded() -> None:
    assert parse_number("000") == 0
    assert parse_number("70000", largest=65535) is None
    assert parse_number("9" * 5000) is None
    assert parse_number("\u0663") is None
    assert parse_number("") is None

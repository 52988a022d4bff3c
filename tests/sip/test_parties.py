"""Who calls, and how the call came about: each header read, and none believed too much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sip.wire.message import Headers, Request, parse
from gateway.sip.wire.parties import (
    UserToUser,
    asserted,
    caller_of,
    diversions,
    history,
    identities,
    privacy,
    user_to_user,
)
from gateway.sip.wire.reason import Reason

FROM = '"Ann" <sip:+15550100@pbx.example>;tag=1'
PAI = ("P-Asserted-Identity", '"Ann Real" <sip:+15550199@pbx.example>')


def invite(*headers: tuple[str, str], from_: str = FROM) -> Request:
    return Request("INVITE", "sip:demo@gw.example", Headers(("From", from_), *headers))


def number(request: Request, *, is_trusted: bool) -> str:
    return caller_of(request, is_trusted=is_trusted).address.uri.username


def test_an_asserted_identity_counts_from_who_is_trusted_and_from_nobody_else() -> None:
    request = invite(PAI)
    assert number(request, is_trusted=True) == "+15550199"
    assert number(request, is_trusted=False) == "+15550100"
    assert caller_of(request, is_trusted=True).is_asserted
    assert not caller_of(request, is_trusted=False).is_asserted


def test_a_preferred_identity_is_a_wish_and_names_nobody() -> None:
    request = invite(("P-Preferred-Identity", "<sip:+15550111@pbx.example>"))
    assert number(request, is_trusted=True) == "+15550100"


def test_two_identities_in_one_header_and_in_two_are_the_same() -> None:
    both = "<sip:+15550100@pbx.example>, <tel:+15550100>"
    one = asserted(invite(("P-Asserted-Identity", both)))
    two = asserted(invite(*(("P-Asserted-Identity", part) for part in both.split(", "))))
    assert [str(party.uri) for party in one] == [str(party.uri) for party in two]
    assert len(one) == 2


@pytest.mark.parametrize(
    ("party", "expected", "is_private"),
    [
        ("<sip:+15550177@pbx.example>;party=calling;privacy=off;screen=yes", "+15550177", False),
        ("<sip:+15550177@pbx.example>;party=calling;privacy=full;screen=yes", "+15550177", True),
        ("<sip:+15550177@pbx.example>", "+15550177", False),
        ('"A" <sip:+15550177@pbx.example>;party="calling"', "+15550177", False),
        ("<sip:+15550177@pbx.example>;party=called", "+15550100", False),
    ],
)
def test_remote_party_id_is_as_good_as_its_neighbour(
    party: str, expected: str, is_private: bool
) -> None:
    request = invite(("Remote-Party-ID", party))
    caller = caller_of(request, is_trusted=True)
    assert (caller.address.uri.username, caller.is_private) == (expected, is_private)
    assert number(request, is_trusted=False) == "+15550100"


@pytest.mark.parametrize(
    ("headers", "from_", "is_private"),
    [
        ([("Privacy", "id")], FROM, True),
        ([("Privacy", "user;id;critical")], FROM, True),
        ([("Privacy", "critical; ID")], FROM, True),
        ([("Privacy", "none")], FROM, False),
        ([("Privacy", "session;critical")], FROM, False),
        ([], '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1', True),
        ([], "<sip:Anonymous@198.51.100.7>;tag=1", True),
        ([], "<sip:x@anonymous.invalid>;tag=1", True),
        ([], FROM, False),
    ],
)
def test_a_caller_who_wants_to_be_anonymous_is(
    headers: list[tuple[str, str]], from_: str, is_private: bool
) -> None:
    assert caller_of(invite(*headers, from_=from_), is_trusted=False).is_private is is_private


def test_several_privacy_headers_are_one() -> None:
    assert privacy(invite(("Privacy", "id"), ("Privacy", "User; critical"))) == {
        *("id", "user", "critical"),
    }


def test_folded_diversions_of_several_headers_are_read_in_order() -> None:
    message = parse(
        b"INVITE sip:demo@gw.example SIP/2.0\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\n"
        b"From: <sip:a@b.example>;tag=1\r\nTo: <sip:demo@gw.example>\r\n"
        b"Call-ID: 1@b.example\r\nCSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.7>\r\n"
        b'Diversion: "Sales, Inc." <sip:+15550101@pbx.example>;reason=user-busy;counter=2,\r\n'
        b" <sip:+15550102@pbx.example>\r\n"
        b"\t;reason=no-answer;privacy=off;screen=no\r\n"
        b'diversion: <tel:+15550103>;reason="unconditional"\r\n'
        b"Content-Length: 0\r\n\r\n"
    )
    read = [(d.address.uri.username, d.reason, d.counter) for d in diversions(message)]
    assert read == [
        ("+15550101", "user-busy", 2),
        ("+15550102", "no-answer", 1),
        ("+15550103", "unconditional", 1),
    ]


def test_history_tells_whom_the_call_was_for_and_why_it_went_on() -> None:
    first = "<sip:+15550101@pbx.example?Reason=SIP%3Bcause%3D302&Privacy=history>;index=1"
    second = "<sip:+15550102@pbx.example?Reason=SIP%3Bcause%3D486%3Btext%3D%22Busy%22>;index=1.1"
    entries = history(
        invite(
            ("History-Info", f"{first}, {second};mp=1"),
            ("History-Info", "<sip:+15550103@pbx.example>;index=1.2;rc=1.1"),
        )
    )
    read = [(e.address.uri.username, e.index, e.reason, e.is_private) for e in entries]
    assert read == [
        ("+15550101", "1", Reason("SIP", 302), True),
        ("+15550102", "1.1", Reason("SIP", 486, "Busy"), False),
        ("+15550103", "1.2", None, False),
    ]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("48656c6c6f;encoding=hex", UserToUser(b"Hello")),
        ("48656C6C6F", UserToUser(b"Hello")),
        ('"48656c6c6f";encoding="hex"', UserToUser(b"Hello")),
        (
            "0400c8;purpose=call-center;content=application;encoding=hex",
            UserToUser(b"\x04\x00\xc8", "hex", "call-center", "application"),
        ),
        (
            '"order; 7, \\"x\\"";encoding=text;purpose=orders',
            UserToUser(b'order; 7, "x"', "text", "orders"),
        ),
    ],
)
def test_what_is_sent_along_is_read_and_written_back(header: str, expected: UserToUser) -> None:
    (read,) = user_to_user(invite(("User-to-User", header)))
    assert read == expected
    assert user_to_user(invite(("User-to-User", str(read)))) == (expected,)


def test_several_things_sent_along_are_kept_and_broken_ones_left_out() -> None:
    headers = ("User-to-User", "abcd, xyz;encoding=hex, 41;encoding=hex;purpose=p")
    assert [one.data for one in user_to_user(invite(headers))] == [b"\xab\xcd", b"A"]


def test_a_signed_identity_is_kept_to_the_byte() -> None:
    signed = (
        "eyJhbGciOiJFUzI1NiJ9.eyJhdHRlc3QiOiJBIn0.c2ln-_nat;"
        "info=<https://cert.example/a,b.pem>;alg=ES256;ppt=shaken"
    )
    message = parse(
        b"INVITE sip:demo@gw.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\n"
        b"From: <sip:a@b.example>;tag=1\r\nTo: <sip:demo@gw.example>\r\nCall-ID: 1@b\r\n"
        b"CSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.7>\r\n"
        b"Identity: " + signed.encode() + b"\r\ny: second;info=<https://cert.example/b>\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    assert identities(message) == (signed, "second;info=<https://cert.example/b>")


@pytest.mark.parametrize(
    "header",
    ["P-Asserted-Identity", "Remote-Party-ID", "Diversion", "History-Info", "User-to-User"],
)
@given(value=st.text(st.characters(blacklist_characters="\r\n", codec="ascii"), max_size=80))
def test_nonsense_is_left_out_and_breaks_nothing(header: str, value: str) -> None:
    request = invite((header, value))
    caller_of(request, is_trusted=True)
    for read in (asserted, diversions, history, user_to_user, identities):
        read(request)


def test_no_more_is_read_than_anybody_needs() -> None:
    many = ", ".join(["<sip:+15550101@pbx.example>;reason=unknown"] * 500)
    assert len(diversions(invite(("Diversion", many)))) == 32
    assert identities(invite(("Identity", "x" * 10_000))) == ()

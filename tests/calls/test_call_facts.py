"""What an INVITE tells of a call, by what its neighbour is let through with."""

import pytest

from gateway.calls.facts import Behalf, CallFacts, called_by, present
from gateway.config import NumberSettings, TrunkSettings
from gateway.sip.wire.message import Headers, Request
from gateway.sip.wire.uri import Uri

TRUNK = TrunkSettings(name="pbx", hosts=["192.0.2.0/24"])
IDENTITY = "eyJh.eyJi.c2ln;info=<https://cert.example/c.pem>;alg=ES256;ppt=shaken"


def trunk(**changes: object) -> TrunkSettings:
    return TRUNK.model_copy(update=changes)


def invite(
    *headers: tuple[str, str],
    from_: str = '"Ann" <sip:+15550100@pbx.example>;tag=1',
    uri: str = "sip:+15550123@gw.example",
    to: str = "<sip:+15550123@gw.example>",
) -> Request:
    return Request("INVITE", uri, Headers(("From", from_), ("To", to), *headers))


def test_who_calls_whom_is_told_in_the_worlds_numbers() -> None:
    numbers = NumberSettings(country="49")
    request = invite(from_="<sip:0301234567@pbx.example>;tag=1", uri="sip:0049309876543@gw.example")
    facts = CallFacts.of(request, trunk(numbers=numbers))
    assert (facts.caller, facts.called) == ("+49301234567", "+49309876543")


def test_no_header_is_let_through_by_itself() -> None:
    headers = [("X-Account", "7"), ("User-to-User", "41"), ("Identity", IDENTITY)]
    facts = CallFacts.of(invite(*headers), TRUNK)
    assert facts.variables == {"caller_name": "Ann"}
    assert facts.behalf is None


def test_a_caller_s_name_is_bounded_and_has_nothing_in_it_that_is_not_seen() -> None:
    request = invite(from_=f'" A\x07n\u202en {"x" * 900}" <sip:+15550100@pbx.example>;tag=1')
    assert CallFacts.of(request, TRUNK).variables["caller_name"] == "Ann " + "x" * 76


def test_headers_are_let_through_by_name_whatever_their_case() -> None:
    headers = [
        ("X-TWILIO-CALLSID", "CA1"),
        ("x-private", "secret"),
        ("y", IDENTITY),
        ("User-to-User", "48656c6c6f;encoding=hex"),
        ("X-Twilio-Tag", "a"),
        ("X-Twilio-Tag", "b"),
    ]
    allowed = trunk(headers=["X-Twilio-*", "Identity", "user-to-user"])
    assert CallFacts.of(invite(*headers), allowed).variables == {
        "caller_name": "Ann",
        "header.x-twilio-callsid": "CA1",
        "header.identity": IDENTITY,
        "header.user-to-user": "48656c6c6f;encoding=hex",
        "header.x-twilio-tag": "a, b",
        "user_to_user": "Hello",
    }


def test_too_many_headers_and_too_long_ones_are_left_out_and_counted() -> None:
    many = [(f"X-{number}", "v") for number in range(40)]
    facts = CallFacts.of(invite(("X-Long", "v" * 9000), *many), trunk(headers=["X-*"]))
    assert len([name for name in facts.variables if name.startswith("header.")]) == 32
    assert facts.left_out == 9
    big = [(f"X-{number}", "v" * 8000) for number in range(8)]
    assert CallFacts.of(invite(*big), trunk(headers=["X-*"])).left_out == 4


@pytest.mark.parametrize("is_trusted", [True, False])
def test_an_asserted_caller_is_believed_of_a_trusted_trunk(is_trusted: bool) -> None:
    request = invite(("P-Asserted-Identity", "<sip:+15550199@pbx.example>"))
    facts = CallFacts.of(request, trunk(trusted=is_trusted))
    assert facts.caller == ("+15550199" if is_trusted else "+15550100")


def test_an_anonymous_caller_is_named_so_and_known_to_the_trusted_alone() -> None:
    request = invite(
        ("P-Asserted-Identity", '"Ann" <sip:+15550199@pbx.example>'),
        ("Privacy", "id"),
        ("Identity", IDENTITY),
        from_='"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1',
    )
    facts = CallFacts.of(request, trunk(trusted=True))
    assert facts.caller == "anonymous"
    assert facts.variables == {}
    assert facts.behalf == Behalf("<sip:+15550199@pbx.example>", True, (IDENTITY,))


@pytest.mark.parametrize("is_trusted", [True, False])
def test_who_sent_a_call_on_is_told_by_the_trusted(is_trusted: bool) -> None:
    diversion = ("Diversion", "<sip:+15550111@pbx.example>;reason=no-answer")
    facts = CallFacts.of(invite(diversion), trunk(trusted=is_trusted))
    told = {"diverted_from": "+15550111", "diversion_reason": "no-answer"}
    assert facts.variables == {"caller_name": "Ann", **(told if is_trusted else {})}


def test_a_history_tells_it_as_well_but_not_what_is_to_be_kept() -> None:
    kept = "<sip:+15550111@pbx.example?Reason=SIP%3Bcause%3D486>;index=1"
    last = "<sip:+15550123@gw.example>;index=1.1"
    facts = CallFacts.of(invite(("History-Info", f"{kept}, {last}")), trunk(trusted=True))
    assert facts.variables["diverted_from"] == "+15550111"
    assert facts.variables["diversion_reason"] == "486"
    private = kept.replace(">", "&Privacy=history>")
    facts = CallFacts.of(invite(("History-Info", f"{private}, {last}")), trunk(trusted=True))
    assert "diverted_from" not in facts.variables


@pytest.mark.parametrize(
    ("uri", "to", "called"),
    [
        ("sip:+15550123@gw.example", "<sip:+15550199@pbx.example>", "+15550123"),
        ("sip:account@192.0.2.9", "<sip:+15550199@pbx.example>", "+15550199"),
        ("sip:192.0.2.9:5060", "<sip:+15550199@pbx.example>", "+15550199"),
        ("tel:+15550123", "<sip:+15550199@pbx.example>", "+15550123"),
    ],
)
def test_the_request_uri_names_the_called_unless_it_is_our_account(
    uri: str, to: str, called: str
) -> None:
    assert called_by(invite(uri=uri, to=to), trunk(username="account")) == called


def test_where_we_are_registered_calls_come_to_the_address_that_we_gave() -> None:
    request = invite(uri="sip:x7Kq2@192.0.2.9:5060", to="<sip:+15550199@pbx.example>")
    registered = trunk(server="sip:pbx.example", register_=True)
    assert called_by(request, registered) == "+15550199"


OWN = Uri.parse("sip:gateway@gw.example")


@pytest.mark.parametrize(
    ("behalf", "is_trusted", "from_", "headers"),
    [
        (None, False, str(OWN), {}),
        (None, True, str(OWN), {"P-Asserted-Identity": f"<{OWN}>"}),
        (Behalf("<sip:a@b.example>"), False, str(OWN), {}),
        (
            Behalf("<sip:a@b.example>", identities=(IDENTITY,)),
            True,
            str(OWN),
            {"P-Asserted-Identity": "<sip:a@b.example>", "Identity": IDENTITY},
        ),
        (
            Behalf("<sip:a@b.example>", is_private=True),
            True,
            "sip:anonymous@anonymous.invalid",
            {"P-Asserted-Identity": "<sip:a@b.example>", "Privacy": "id"},
        ),
        (Behalf("<sip:a@b.example>", is_private=True), False, str(OWN), {}),
    ],
)
def test_a_trusted_neighbour_is_told_on_whose_behalf_we_call_and_no_other(
    behalf: Behalf | None, is_trusted: bool, from_: str, headers: dict[str, str]
) -> None:
    told_from, told = present(OWN, behalf, is_trusted=is_trusted)
    assert (str(told_from), dict(told)) == (from_, headers)

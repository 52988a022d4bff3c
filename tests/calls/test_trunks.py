"""Whose a request is, and how an address is called: by address, certificate, password, server."""

from typing import Any, cast

import pytest

from gateway.calls.pace import Pace
from gateway.calls.trunks import Trunks
from gateway.clock import CountedIds
from gateway.config import Settings
from gateway.errors import CapacityError, SipError
from gateway.sip.admission import Policy, Verdict
from gateway.sip.credentials.account import Account, Tries
from gateway.sip.dialogs.session import Session
from gateway.sip.duties.registration import Registration
from gateway.sip.flow import Flow
from gateway.sip.wire.message import Headers, Request, Response
from gateway.sip.wire.uri import Uri

IDS = CountedIds("c")
BOB = {"name": "bob", "authenticate": "digest", "username": "bob", "password_env": "B"}


def trunks(*rows: dict[str, Any], now: float = 0.0, **tables: Any) -> Trunks:
    settings = Settings.model_validate({"trunks": list(rows), **tables})
    return Trunks(settings, ids=CountedIds("t"), clock=lambda: now)


def flow(host: str, *names: str) -> Flow:
    return Flow("udp", ("192.0.2.1", 5060), (host, 5060), names=names)


def request(uri: str = "sip:demo@gw", account: Account | None = None) -> Request:
    asked = Request("INVITE", uri, Headers(("CSeq", "1 INVITE")))
    if account is not None:
        account.authorize(asked, IDS)
    return asked


def name_of(found: Any) -> str | None:
    return None if found is None else str(found.name)


class _Registered:
    def __init__(self, *routes: str, token: str = "5ecre7") -> None:
        self.token = token
        self.addresses = {"192.0.2.9": None}
        self.service_routes = list(routes)


class _Live:
    is_live = True
    policy = Policy(trunk="pbx")


def registered(*routes: str, token: str = "5ecre7") -> Registration:
    return cast("Registration", _Registered(*routes, token=token))


# Who calls


def test_the_first_trunk_that_an_address_or_a_certificate_fits_is_it() -> None:
    ours = trunks(
        {"name": "a", "hosts": ["10.0.0.0/8"]},
        {"name": "b", "hosts": ["10.0.0.5"], "tls_names": ["*.pbx.example"]},
        sip={"bind": ["tls:127.0.0.1:5061"], "tls": {"certificate": "own.pem"}},
    )
    assert name_of(ours.of(request(), flow("10.0.0.5"))) == "a"
    assert name_of(ours.of(request(), flow("192.0.2.5", "*.pbx.example"))) == "b"
    assert ours.of(request(), flow("192.0.2.5", "evil.example")) is None
    assert ours.knows(flow("10.1.1.1"))
    assert not ours.knows(flow("192.0.2.5"))


def test_a_call_for_our_registration_is_its_servers_and_nobody_elses() -> None:
    ours = trunks({"name": "pbx", "server": "sip:pbx.example"})
    ours.registrations["pbx"] = registered()
    assert name_of(ours.of(request("sip:5ecre7@192.0.2.1"), flow("192.0.2.9"))) == "pbx"
    assert ours.of(request("sip:5ecre7@192.0.2.1"), flow("192.0.2.8")) is None
    assert ours.of(request("sip:demo@192.0.2.1"), flow("192.0.2.9")) is None
    assert ours.of(request("urn:service:sos"), flow("192.0.2.9")) is None
    assert ours.knows(flow("192.0.2.9"))


def test_of_several_accounts_at_one_server_the_address_that_it_was_told_decides() -> None:
    there = {"server": "sip:192.0.2.9", "hosts": ["192.0.2.9", "192.0.2.20"]}
    ours = trunks({"name": "one", **there}, {"name": "two", **there})
    ours.registrations |= {"one": registered(token="0ne"), "two": registered(token="2wo")}
    for host in there["hosts"]:  # from the registrar, or another of its machines
        assert name_of(ours.of(request("sip:0ne@192.0.2.1"), flow(host))) == "one"
        assert name_of(ours.of(request("sip:2wo@192.0.2.1"), flow(host))) == "two"
        assert name_of(ours.of(request("sip:demo@192.0.2.1"), flow(host))) == "one"
        assert name_of(ours.of(request("urn:service:sos"), flow(host))) == "one"
    assert ours.of(request("sip:2wo@192.0.2.1"), flow("192.0.2.8")) is None


def test_an_address_that_was_told_elsewhere_decides_nothing() -> None:
    ours = trunks(
        {"name": "pbx", "hosts": ["10.0.0.5"]}, {"name": "there", "server": "sip:192.0.2.9"}
    )
    ours.registrations["there"] = registered()
    assert name_of(ours.of(request("sip:5ecre7@192.0.2.1"), flow("10.0.0.5"))) == "pbx"


def test_the_address_that_its_server_was_told_is_no_password() -> None:
    ours = trunks({**BOB, "server": "sip:192.0.2.9", "hosts": ["192.0.2.9"], "password": "sesame"})
    ours.registrations["bob"] = registered()
    assert ours.of(request("sip:5ecre7@192.0.2.1"), flow("192.0.2.9")) is None


def proven(ours: Trunks, account: Account, host: str = "198.51.100.7") -> Any:
    """Knock twice: the first time to be asked for a password."""
    asked = ours.prove(request(), flow(host))
    assert isinstance(asked, Verdict)
    assert asked.status == 401
    account.learn(Response(401, headers=Headers(*asked.headers)), Tries())
    return ours.prove(request(account=account), flow(host))


def test_a_password_makes_a_stranger_a_neighbour() -> None:
    ours = trunks({**BOB, "password": "sesame"})
    assert ours.of(request(), flow("198.51.100.7")) is None
    assert name_of(proven(ours, Account("bob", "sesame"))) == "bob"


@pytest.mark.parametrize(("user", "password"), [("bob", "guess"), ("eve", "sesame")])
def test_a_wrong_one_does_not(user: str, password: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = proven(trunks({**BOB, "password": "sesame"}), Account(user, password))
    assert found == Verdict(403, why=f"a wrong password for '{user}'")
    assert capsys.readouterr().out == "", "how often it is told of is the guard's affair"


def test_without_anybody_to_authenticate_a_stranger_is_refused_at_once() -> None:
    ours = trunks({"name": "a", "hosts": ["10.0.0.1"]})
    assert ours.prove(request(), flow("198.51.100.7")) == Verdict(403)


def test_hosts_beside_a_password_must_fit_as_well() -> None:
    ours = trunks({**BOB, "password": "sesame", "hosts": ["10.0.0.1"]})
    assert ours.of(request(), flow("10.0.0.1")) is None
    assert name_of(proven(ours, Account("bob", "sesame"), "10.0.0.1")) == "bob"
    assert ours.prove(request(), flow("10.0.0.2")) == Verdict(403)


def test_what_a_neighbour_may_prove_itself_by_is_offered_and_nothing_else_accepted() -> None:
    ours = trunks({**BOB, "password": "sesame", "digests": ["MD5"]})
    asked = ours.prove(request(), flow("198.51.100.7"))
    assert isinstance(asked, Verdict)
    ((_, challenge),) = asked.headers
    assert "algorithm=MD5" in challenge
    account = Account("bob", "sesame")
    stronger = challenge.replace("algorithm=MD5", "algorithm=SHA-256")
    account.learn(Response(401, headers=Headers(("WWW-Authenticate", stronger))), Tries())
    shown = ours.prove(request(account=account), flow("198.51.100.7"))
    assert shown == Verdict(403, why="a wrong password for 'bob'")


def test_several_are_offered_what_all_of_them_know() -> None:
    ours = trunks(
        {**BOB, "password": "sesame"},
        {**BOB, "name": "ann", "username": "ann", "password": "open", "digests": ["MD5"]},
    )
    asked = ours.prove(request(), flow("198.51.100.7"))
    assert isinstance(asked, Verdict)
    assert ["MD5" in value for _, value in asked.headers] == [True]


# How many


def test_no_more_calls_at_a_time_than_agreed_both_ways() -> None:
    ours = trunks({"name": "pbx", "server": "sip:pbx.example", "max_calls": 2})
    pbx = ours.named("pbx")
    assert pbx is not None
    live = [cast("Session", _Live())]
    ours.sessions = lambda: live
    assert ours.is_full(pbx) == ""
    live.append(cast("Session", _Live()))
    assert ours.is_full(pbx) == "has 2 calls already, and max_calls is 2"
    with pytest.raises(CapacityError, match="trunk pbx: has 2 calls already"):
        ours.way_out(Uri.parse("sip:1@pbx.example"))


def test_no_more_calls_a_second_than_agreed() -> None:
    ours = trunks({"name": "pbx", "server": "sip:pbx.example", "calls_per_second": 2})
    for _ in range(2):
        ours.way_out(Uri.parse("sip:1@pbx.example"))
    with pytest.raises(CapacityError, match="calls_per_second is 2"):
        ours.way_out(Uri.parse("sip:1@pbx.example"))


def test_a_pace_lets_through_what_it_says_however_they_come() -> None:
    pace = Pace(0.5)
    assert [pace.takes(at) for at in (10.0, 10.5, 11.9, 12.1, 100.0, 100.1)] == [
        *(True, False, False, True, True, False)
    ]


# How an address is called


PBX = {
    "name": "pbx", "server": "sip:pbx.example:5070;transport=tcp",
    "hosts": ["10.0.0.0/24"], "username": "gateway",
}  # fmt: skip


@pytest.mark.parametrize(
    ("target", "asked", "hop"),
    [
        ("sip:1@pbx.example:5070", "sip:1@pbx.example:5070", "sip:pbx.example:5070;transport=tcp"),
        ("sip:1@10.0.0.9", "sip:1@10.0.0.9", "sip:pbx.example:5070;transport=tcp"),
        ("sip:1@far.example", "sip:1@far.example", None),
        ("sips:1@far.example", "sips:1@far.example", None),
        ("sip:1@far.example?Subject=x", "sip:1@far.example", None),
        (
            "tel:+1-555-(0100)",
            "sip:+15550100@pbx.example:5070;user=phone",
            "sip:pbx.example:5070;transport=tcp",
        ),
        (
            "tel:7042;phone-context=+1555",
            "sip:7042;phone-context=+1555@pbx.example:5070;user=phone",
            "sip:pbx.example:5070;transport=tcp",
        ),
    ],
)
def test_an_address_of_a_trunk_goes_by_its_server(target: str, asked: str, hop: str | None) -> None:
    way = trunks(PBX).way_out(Uri.parse(target))
    assert str(way.target) == asked
    assert (None if way.next_hop is None else str(way.next_hop)) == hop
    assert way.headers == ()


def test_a_number_without_a_trunk_and_another_scheme_are_no_addresses() -> None:
    ours = trunks({"name": "a", "hosts": ["10.0.0.1"]})
    for target in ("tel:+15550100", "mailto:a@b"):
        with pytest.raises(SipError) as told:
            ours.way_out(Uri.parse(target))
        assert told.value.status == 416


def test_who_wants_encryption_is_not_called_without() -> None:
    with pytest.raises(SipError, match="trunk pbx is not called by TLS"):
        trunks(PBX).way_out(Uri.parse("sips:1@pbx.example"))
    secure = {**PBX, "server": "sip:pbx.example;transport=tls"}
    way = trunks(secure).way_out(Uri.parse("sips:1@pbx.example"))
    assert str(way.target) == "sip:1@pbx.example;transport=tls"
    direct = trunks({"name": "pbx", "hosts": ["10.0.0.1"]}).way_out(Uri.parse("sips:1@10.0.0.1"))
    assert (str(direct.target), direct.next_hop) == ("sip:1@10.0.0.1;transport=tls", None)


def test_the_way_that_a_registrar_told_is_taken() -> None:
    ours = trunks(PBX)
    ours.registrations["pbx"] = registered("<sip:p1.example;lr>", "<sip:p2.example;lr>")
    way = ours.way_out(Uri.parse("sip:1@pbx.example"))
    assert str(way.next_hop) == "sip:p1.example;lr"
    assert way.headers == (("Route", "<sip:p1.example;lr>"), ("Route", "<sip:p2.example;lr>"))


@pytest.mark.parametrize(
    ("more", "dial", "caller"),
    [
        ({}, {}, "sip:gateway@pbx.example"),
        ({}, {"caller": "sip:desk@us.example"}, "sip:desk@us.example"),
        ({"caller": "+15550100"}, {"caller": "sip:desk@us.example"}, "sip:+15550100@pbx.example"),
        ({"caller": "sip:me@us.example"}, {}, "sip:me@us.example"),
        ({}, {"caller": "tel:+15550199"}, "tel:+15550199"),
        ({"username": ""}, {}, "None"),
    ],
)
def test_whose_call_it_is_said_to_be(
    more: dict[str, Any], dial: dict[str, Any], caller: str
) -> None:
    way = trunks({**PBX, **more}, dial=dial).way_out(Uri.parse("sip:1@pbx.example"))
    assert str(way.caller) == caller


def test_the_server_itself_is_found_before_a_trunk_that_shares_its_host() -> None:
    ours = trunks(
        {"name": "near", "hosts": ["192.0.2.9"]},
        {"name": "first", "server": "sip:192.0.2.9:5080"},
        {"name": "second", "server": "sip:192.0.2.9:5070"},
    )
    assert name_of(ours.towards(Uri.parse("sip:1@192.0.2.9:5070"))) == "second"
    assert name_of(ours.towards(Uri.parse("sip:1@192.0.2.9"))) == "near"


def test_a_trunks_calls_know_its_name_and_its_password() -> None:
    ours = trunks({**PBX, "password_env": "P", "password": "sesame"})
    pbx = ours.named("pbx")
    policy = ours.policy(pbx)
    assert policy.trunk == "pbx"
    assert policy.account is ours.policy(pbx).account
    assert policy.account is not None
    assert "sesame" not in repr(policy)

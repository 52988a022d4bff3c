"""Digest authentication: the RFCs' own examples, both sides, and what must not be believed."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import CountedIds
from gateway.errors import SipError
from gateway.sip.credentials.account import Account, Tries
from gateway.sip.credentials.challenger import Challenger, Proof
from gateway.sip.credentials.digest import Challenge, Credentials, Secret, best_per_realm
from gateway.sip.wire.message import Headers, Request, Response

MUFASA = Secret("Mufasa", "Circle of Life")
IDS = CountedIds("c")


def challenge(algorithm: str = "", more: str = ', qop="auth"', realm: str = "here") -> str:
    named = f", algorithm={algorithm}" if algorithm else ""
    return f'Digest realm="{realm}", nonce="n{algorithm}"{named}{more}'


def refusal(*challenges: str, status: int = 401) -> Response:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    return Response(status, headers=Headers(*((name, line) for line in challenges)))


def request(method: str = "INVITE", body: bytes = b"", uri: str = "sip:bob@there") -> Request:
    return Request(method, uri, Headers(("CSeq", f"1 {method}")), body)


def shown(account: Account, asked: Request, header: str = "Authorization") -> list[Credentials]:
    account.authorize(asked, IDS)
    found = [Credentials.parse(line) for line in asked.headers.get_all(header)]
    return [credentials for credentials in found if credentials is not None]


# RFC 7616 section 3.9.1 and RFC 2617 section 3.5


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616(algorithm: str, response: str) -> None:
    proof = MUFASA.prove(
        algorithm,
        "http-auth@example.org",
        "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "GET",
        "/dir/index.html",
        qop="auth",
        nc="00000001",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert proof == response


def test_the_example_of_rfc_2617() -> None:
    proof = Secret("Mufasa", "Circle Of Life").prove(
        "MD5",
        "testrealm@host.com",
        "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        "GET",
        "/dir/index.html",
        qop="auth",
        nc="00000001",
        cnonce="0a4f113b",
    )
    assert proof == "6629fae49393a05397450978507c4ef1"


def test_without_qop_it_is_as_rfc_2069_has_it() -> None:
    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    expected = md5(f"{md5('Mufasa:r:Circle of Life')}:n:{md5('BYE:sip:b@c')}")
    assert MUFASA.prove("md5", "r", "n", "BYE", "sip:b@c") == expected


def test_integrity_covers_the_body_and_a_session_the_nonces() -> None:
    def sha(text: bytes) -> str:
        return hashlib.new("sha512_256", text).hexdigest()

    first = sha(f"{sha(b'Mufasa:r:Circle of Life')}:n:c".encode())
    what = sha(f"INVITE:sip:b@c:{sha(b'v=0')}".encode())
    expected = sha(f"{first}:n:00000002:c:auth-int:{what}".encode())
    proof = MUFASA.prove(
        "SHA-512-256-sess", "r", "n", "INVITE", "sip:b@c",
        qop="auth-int", nc="00000002", cnonce="c", body=b"v=0",
    )  # fmt: skip
    assert proof == expected


# Reading


def test_commas_and_escapes_inside_quotes_are_kept_as_they_are() -> None:
    line = r'Digest realm="a, \"b\" = c", nonce="n,1", qop="auth,auth-int", opaque="", Stale=TRUE'
    (found,) = Challenge.parse_all([line])
    assert found == Challenge(r"a, \"b\" = c", "n,1", "", ("auth", "auth-int"), "", True)


def test_several_challenges_may_share_a_line_and_unknown_schemes_are_passed_over() -> None:
    line = f"Basic realm=x, {challenge('MD5')}, NTLM realm=y, {challenge('SHA-256')}"
    assert [found.algorithm for found in Challenge.parse_all([line])] == ["MD5", "SHA-256"]


def test_domain_userhash_and_a_quoted_algorithm_are_tolerated() -> None:
    more = ', domain="sip:a sip:b", userhash=true, charset=UTF-8, qop=auth'
    line = f'Digest realm="here", nonce="n", algorithm="SHA-256"{more}'
    (found,) = Challenge.parse_all([line])
    assert (found.algorithm, found.qops) == ("SHA-256", ("auth",))


@given(st.text(alphabet=st.sampled_from(list('Digest realm="nonce=a,\\ x;\t')), max_size=200))
def test_garbage_is_refused_by_our_error_or_read(text: str) -> None:
    for read in (lambda: Challenge.parse_all([text]), lambda: Credentials.parse(text)):
        try:
            read()
        except SipError:
            continue


def test_what_is_too_long_or_too_much_is_refused() -> None:
    with pytest.raises(SipError):
        Challenge.parse_all(["Digest " + "a=b, " * 4000])
    with pytest.raises(SipError):
        Challenge.parse_all([challenge()] * 17)


# Choosing (RFC 8760 section 2.4)


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        (["SHA-512-256", "SHA-256", "MD5"], "SHA-512-256"),
        (["MD5", "SHA-256", "SHA-512-256"], "SHA-512-256"),
        (["SHA-999", "SHA-256", "MD5"], "SHA-256"),
        (["", "SHA-256-sess"], "SHA-256-sess"),
        (["MD5-sess", "MD5"], "MD5-sess"),
        (["AKAv1-MD5"], None),
    ],
)
def test_the_strongest_known_is_taken_and_the_first_of_equals(
    offered: list[str], taken: str | None
) -> None:
    challenges = Challenge.parse_all(challenge(name) for name in offered)
    assert [best.algorithm for best in best_per_realm(challenges)] == (
        [] if taken is None else [taken]
    )


def test_a_quality_nobody_knows_cannot_be_answered() -> None:
    found = Challenge.parse_all([challenge("SHA-256", ', qop="new"'), challenge("MD5")])
    assert [best.algorithm for best in best_per_realm(found)] == ["MD5"]


# Our side


def test_a_nonce_is_used_again_with_its_count_raised() -> None:
    account, tries = Account("ann", "secret"), Tries()
    assert account.learn(refusal(challenge("SHA-256", ', qop="auth", opaque="o"')), tries)
    uses = [shown(account, request())[0] for _ in range(3)]
    assert [use.nc for use in uses] == ["00000001", "00000002", "00000003"]
    assert {(use.opaque, use.qop, use.algorithm) for use in uses} == {("o", "auth", "SHA-256")}


def test_a_plain_challenge_gets_plain_credentials() -> None:
    account = Account("ann", "secret")
    account.learn(refusal(challenge(more="")), Tries())
    asked = request("REGISTER")
    (use,) = shown(account, asked)
    assert (use.nc, use.cnonce, use.qop, use.algorithm) == ("", "", "", "")
    assert "nc=" not in (asked.headers.get("Authorization") or "")


def test_integrity_alone_is_given_where_only_that_is_asked() -> None:
    account = Account("ann", "secret")
    account.learn(refusal(challenge("MD5", ', qop="auth-int"')), Tries())
    (use,) = shown(account, request(body=b"v=0"))
    expected = Secret("ann", "secret").prove(
        "MD5", "here", "nMD5", "INVITE", "sip:bob@there",
        qop="auth-int", nc=use.nc, cnonce=use.cnonce, body=b"v=0",
    )  # fmt: skip
    assert use.response == expected


def test_what_the_server_and_what_a_proxy_asks_is_kept_apart() -> None:
    account, tries = Account("ann", "secret"), Tries()
    assert account.learn(refusal(challenge(realm="proxy"), status=407), tries)
    assert account.learn(refusal(challenge(realm="server"), status=401), tries)
    asked = request()
    assert [use.realm for use in shown(account, asked)] == ["server"]
    assert [use.realm for use in shown(account, asked, "Proxy-Authorization")] == ["proxy"]


def test_a_wrong_password_is_shown_once_and_a_stale_nonce_renewed_once() -> None:
    account, tries = Account("ann", "wrong"), Tries()
    assert account.learn(refusal(challenge()), tries)
    assert not account.learn(refusal(challenge()), tries)
    assert account.learn(refusal(challenge(more=", stale=true")), tries)
    assert not account.learn(refusal(challenge(more=", stale=true")), tries)
    assert not account.learn(Response(403), tries)


def test_no_more_than_four_realms_are_remembered() -> None:
    account = Account("ann", "secret")
    for number in range(9):
        account.learn(refusal(challenge(realm=f"r{number}")), Tries())
    assert [use.realm for use in shown(account, request())] == ["r5", "r6", "r7", "r8"]


def test_a_password_is_never_written_out() -> None:
    assert "sesame" not in repr(Secret("ann", "sesame")) + repr(Account("ann", "sesame"))


# The other side


@pytest.fixture
def door() -> Challenger:
    return Challenger("gw", {"ann": Secret("ann", "secret")}, CountedIds("s"), lifetime=60.0)


def knock(door: Challenger, account: Account, now: float, **what: str) -> Request:
    """Return a request with what answers a challenge of ``door``."""
    account.learn(refusal(*(line for _, line in door.challenges(now))), Tries())
    asked = request(**what)
    account.authorize(asked, IDS)
    return asked


def test_the_right_password_lets_in_and_the_strongest_is_offered_first(door: Challenger) -> None:
    offered = Challenge.parse_all(line for _, line in door.challenges(0.0))
    assert [one.algorithm for one in offered] == ["SHA-256", "MD5"]
    assert door.judge(knock(door, Account("ann", "secret"), 1.0), 2.0) == (
        Proof.GOOD,
        "ann",
        "SHA-256",
    )


@pytest.mark.parametrize(("user", "password"), [("ann", "guess"), ("eve", "secret")])
def test_a_wrong_password_or_name_does_not(door: Challenger, user: str, password: str) -> None:
    proof, name, _ = door.judge(knock(door, Account(user, password), 1.0), 2.0)
    assert (proof, name) == (Proof.WRONG, user)


def test_nothing_or_something_for_another_realm_proves_nothing(door: Challenger) -> None:
    assert door.judge(request(), 1.0)[0] is Proof.NONE
    elsewhere = Challenger("other", {}, CountedIds("o"))
    assert door.judge(knock(elsewhere, Account("ann", "secret"), 1.0), 2.0)[0] is Proof.NONE


def test_an_old_nonce_is_stale_and_its_challenge_says_so(door: Challenger) -> None:
    asked = knock(door, Account("ann", "secret"), 1.0)
    assert door.judge(asked, 62.0)[0] is Proof.STALE
    assert Challenge.parse_all(line for _, line in door.challenges(62.0, is_stale=True))[0].is_stale


def test_an_old_nonce_with_a_wrong_password_is_wrong_all_the_same(door: Challenger) -> None:
    assert door.judge(knock(door, Account("ann", "guess"), 1.0), 62.0)[0] is Proof.WRONG


def test_credentials_shown_twice_count_once(door: Challenger) -> None:
    asked = knock(door, Account("ann", "secret"), 1.0)
    proofs = [door.judge(asked, 2.0)[0] for _ in range(3)]
    assert proofs == [Proof.GOOD, Proof.STALE, Proof.STALE]


def test_a_nonce_may_be_used_again_with_a_higher_count(door: Challenger) -> None:
    account = Account("ann", "secret")
    assert door.judge(knock(door, account, 1.0), 2.0)[0] is Proof.GOOD
    again = request()
    account.authorize(again, IDS)
    assert door.judge(again, 3.0)[0] is Proof.GOOD


def test_a_nonce_of_somebody_elses_making_is_stale_at_best(door: Challenger) -> None:
    other = Challenger("gw", {}, CountedIds("x"))
    assert door.judge(knock(other, Account("ann", "secret"), 1.0), 2.0)[0] is Proof.STALE


def test_credentials_for_one_number_do_not_reach_another(door: Challenger) -> None:
    asked = knock(door, Account("ann", "secret"), 1.0)
    moved = Request("INVITE", "sip:premium@there", asked.headers)
    assert door.judge(moved, 2.0)[0] is Proof.WRONG


def test_forgotten_nonces_cannot_be_shown_again(door: Challenger) -> None:
    account = Account("ann", "secret")
    first = knock(door, account, 1.0)
    assert door.judge(first, 1.0)[0] is Proof.GOOD
    for number in range(4097):
        now = 1.001 + number / 1000
        assert door.judge(knock(door, account, now), now)[0] is Proof.GOOD
    assert door.judge(first, 6.0)[0] is Proof.STALE


@given(st.binary(max_size=60))
def test_garbage_proves_nothing(noise: bytes) -> None:
    door = Challenger("gw", {}, CountedIds("s"))
    text = noise.decode("latin-1").replace("\r", "").replace("\n", "")
    asked = request()
    asked.headers.add("Authorization", f'Digest realm="gw", {text}')
    assert door.judge(asked, 1.0)[0] is not Proof.GOOD


def test_a_suffix_alone_is_no_algorithm() -> None:
    (challenge,) = Challenge.parse_all(['Digest realm="r", nonce="n", algorithm=-sess'])
    assert challenge.strength == -1

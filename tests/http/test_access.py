"""Who is let in: by token and role, or as a reader who sits at the machine itself."""

from collections.abc import Mapping

import pytest
from aiohttp import HttpVersion10, web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from gateway.http import Access, Keyring, Role
from gateway.http.access import is_from_here
from gateway.http.keyring import ConfiguredToken
from gateway.http.operation import Visitor
from gateway.http.problems import Refusal

KEY = b"a key that is long enough"


def asked(
    headers: Mapping[str, str] | None = None, *, remote: str = "127.0.0.1", host: str = "localhost"
) -> web.Request:
    request = make_mocked_request("GET", "/", CIMultiDict({"Host": host, **(headers or {})}))
    return request.clone(remote=remote)


def access(*, is_open_here: bool = False, now: float = 0.0) -> Access:
    tokens = [ConfiguredToken("look", Visitor("wall", Role.VIEWER, 100.0))]
    return Access(Keyring(tokens, KEY), is_open_here=is_open_here, unix_clock=lambda: now)


def bearer(token: str) -> web.Request:
    return asked({"Authorization": f"Bearer {token}"})


def refusal(door: Access, request: web.Request, role: Role) -> Refusal:
    with pytest.raises(Refusal) as refused:
        door.admit(request, role)
    assert door.refused == 1
    return refused.value


def test_a_token_opens_what_is_for_its_role_and_below() -> None:
    for role in (Role.NOBODY, Role.CALLER, Role.VIEWER):
        assert access().admit(bearer("look"), role).name == "wall"
    refused = refusal(access(), bearer("look"), Role.SUPERVISOR)
    assert refused.status == 403
    assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]


def test_whoever_shows_nothing_is_told_what_to_show() -> None:
    refused = refusal(access(), asked(), Role.VIEWER)
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="voice-gateway"'


def test_a_token_ends_at_its_second() -> None:
    assert access(now=99.9).admit(bearer("look"), Role.VIEWER).name == "wall"
    refused = refusal(access(now=100.0), bearer("look"), Role.VIEWER)
    assert (refused.status, refused.detail) == (401, "this token has expired")
    signed = Keyring([], KEY).make("ann", Role.ADMIN, 100)
    assert access(now=99.0).admit(bearer(signed), Role.ADMIN).name == "ann"
    assert refusal(access(now=100.0), bearer(signed), Role.ADMIN).status == 401


@pytest.mark.parametrize(
    "shown",
    ["", " ", "Bearer", "Bearer ", "look", "Basic look", "Bearer look look", "Bearer\tlook",
     "Bearer look,", "Bearerlook", "bearer LOOK", "Bearer \x00", "Bearer " + "x" * 5000],
)  # fmt: skip
def test_odd_headers_open_nothing(shown: str) -> None:
    assert refusal(access(), asked({"Authorization": shown}), Role.CALLER).status == 401


def test_two_tokens_are_as_good_as_none() -> None:
    headers = CIMultiDict([("Host", "h"), ("Authorization", "Bearer look")])
    headers.add("Authorization", "Bearer look")
    assert refusal(access(), make_mocked_request("GET", "/", headers), Role.VIEWER).status == 401


def test_the_scheme_may_be_written_in_any_case() -> None:
    shown = asked({"Authorization": "bEARER look"})
    assert access().admit(shown, Role.VIEWER).name == "wall"


def test_what_is_for_all_is_for_whoever_shows_nonsense_too() -> None:
    assert access().admit(bearer("nonsense"), Role.NOBODY).role is Role.NOBODY


def test_where_nobody_has_a_token_the_machine_s_own_people_may_look_and_no_more() -> None:
    door = access(is_open_here=True)
    assert door.admit(asked(), Role.VIEWER) == Visitor("local", Role.VIEWER)
    assert refusal(door, asked(), Role.ADMIN).status == 403
    assert refusal(access(is_open_here=True), asked(remote="192.0.2.1"), Role.VIEWER).status == 401


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "LOCALHOST", "127.0.0.1:1", "127.9.9.9", "[::1]:80"]
)
@pytest.mark.parametrize("remote", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_known_by_its_names(host: str, remote: str) -> None:
    assert is_from_here(asked(host=host, remote=remote))


@pytest.mark.parametrize(
    ("host", "headers"),
    [
        ("evil.example", {}),  # a name that was bent to 127.0.0.1
        ("localhost.evil.example", {}),
        ("127.0.0.1.evil.example:8080", {}),
        ("", {}),
        ("[", {}),
        ("[::1].evil.example", {}),
        ("localhost", {"X-Forwarded-For": "192.0.2.1"}),
        ("localhost", {"Forwarded": "for=192.0.2.1"}),
        ("localhost", {"Via": "1.1 proxy"}),
        ("localhost", {"x-forwarded-proto": "https"}),
        ("localhost", {"X-Real-IP": "192.0.2.1"}),
        ("localhost", {"CF-Ray": "1"}),
        ("localhost", {"True-Client-IP": "192.0.2.1"}),
        ("localhost", {"Origin": "https://evil.example"}),
        ("localhost", {"Origin": "null"}),
        ("localhost", {"Sec-Fetch-Site": "cross-site"}),
        ("localhost", {"Sec-Fetch-Site": "same-site"}),
    ],
)
def test_what_comes_through_another_site_or_a_proxy_is_not_from_here(
    host: str, headers: dict[str, str]
) -> None:
    assert not is_from_here(asked(headers, host=host))


def test_a_proxy_that_speaks_http_1_0_is_not_from_here() -> None:
    headers = CIMultiDict({"Host": "localhost"})
    old = make_mocked_request("GET", "/", headers, version=HttpVersion10)
    assert not is_from_here(old.clone(remote="127.0.0.1"))


def test_a_page_of_our_own_is_from_here() -> None:
    own = {"Origin": "http://localhost:8080", "Sec-Fetch-Site": "same-origin"}
    assert is_from_here(asked(own, host="localhost:8080"))


def test_who_tries_many_tokens_is_not_looked_at_any_more_for_a_while() -> None:
    now, waits = 0.0, dict[int, str]()
    tokens = [ConfiguredToken("look", Visitor("wall", Role.VIEWER))]
    door = Access(Keyring(tokens, KEY), is_open_here=False, clock=lambda: now)

    def tried(token: str, remote: str, role: Role = Role.VIEWER) -> int:
        request = asked({"Authorization": f"Bearer {token}"}, remote=remote)
        try:
            return door.admit(request, role).role
        except Refusal as refused:
            waits[refused.status] = refused.headers.get("Retry-After", "")
            return refused.status

    here, there = "2001:db8::1", "2001:db8::2"  # of one network
    assert [tried(f"guess{n}", here) for n in range(30)] == [401] * 30
    assert tried("guess", there) == 429
    assert tried("look", there) == 429
    assert tried("look", there, Role.NOBODY) == Role.NOBODY
    assert tried("look", "2001:db8:1::1") == Role.VIEWER
    assert (door.wrong, door.slowed) == (30, 3)
    assert waits == {401: "", 429: "2"}
    now = 2.1
    assert tried("look", here) == Role.VIEWER
    assert [tried(f"guess{n}", here) for n in range(3)] == [401, 429, 429]


def test_an_expired_token_is_no_guess() -> None:
    door = access(now=100.0)
    for _ in range(100):
        with pytest.raises(Refusal, match="has expired"):
            door.admit(bearer("look"), Role.VIEWER)
    assert door.wrong == 0

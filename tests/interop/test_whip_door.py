"""WHIP as HTTP: what is asked how, by whom, and how it is answered (RFC 9725)."""

import asyncio
import datetime
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from gateway.calls.browsers import Guest
from gateway.clock import RandomIds
from gateway.config import WebRtcSettings
from gateway.config.web import IceServer, TokenSettings
from gateway.errors import CapacityError, DialError, NegotiationError, RtcError
from gateway.http import Access, HttpServer, Keyring, WhipDoor
from gateway.http.keyring import configured_tokens
from gateway.http.whip import Mode
from gateway.legs.web_connection import WebConnection
from gateway.media.lane import Lane
from gateway.sdp.browser import BrowserOffer
from gateway.testing.lanes import NotedLane
from gateway.testing.offers import CODECS, FINGERPRINT, chromium
from gateway.testing.ways import NotedWay

pytestmark = pytest.mark.interop

SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
MORE = "m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.9 4000 typ host\r\n"
ANEW = "a=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n"
SERVERS = [
    IceServer(urls=["stun:stun.example"]),
    IceServer(
        urls=["turn:turn.example?transport=udp"],
        username="u",
        credential=SecretStr('se"cret\\'),
    ),
]
LINKS = [
    '<stun:stun.example>; rel="ice-server"',
    '<turn:turn.example?transport=udp>; rel="ice-server"; username="u"; '
    'credential="se\\"cret\\\\"; credential-type="password"',
]


class Desk:
    """Takes every offer, and keeps what became of it."""

    def __init__(self) -> None:
        self.connections: dict[str, WebConnection] = {}
        self.ways: list[NotedWay] = []
        self.guests: list[Guest] = []
        self.joined: list[tuple[str, Mode]] = []
        self.fault: Exception | None = None
        self.goodbyes: set[asyncio.Task[None]] = set()

    async def take(self, offer: bytes, guest: Guest) -> WebConnection:
        if self.fault is not None:
            raise self.fault
        read = BrowserOffer(offer, CODECS)
        way = NotedWay()
        connection = WebConnection(
            read,
            cast("Lane", NotedLane(fingerprint=FINGERPRINT)),
            way.made,
            RandomIds(),
            lambda over: self.connections.pop(over.id),
            self._begin,
        )
        await connection.prepare()
        self.connections[connection.id] = connection
        self.ways.append(way)
        self.guests.append(guest)
        return connection

    async def join(self, call_id: str, mode: Mode, offer: bytes, guest: Guest) -> WebConnection:
        if call_id != "c1":
            raise LookupError
        self.joined.append((call_id, mode))
        return await self.take(offer, guest)

    def _begin(self, goodbye: Coroutine[Any, Any, None]) -> None:
        self.goodbyes.add(asyncio.create_task(goodbye))


@asynccontextmanager
async def serving(desk: Desk, *, origins: tuple[str, ...] = (), **table: Any) -> AsyncIterator[str]:
    settings = WebRtcSettings(ice_servers=SERVERS, **table)
    tokens = [
        TokenSettings(name="ann", role="caller", token_env="A", token=SecretStr("a" * 20)),
        TokenSettings(name="sue", role="supervisor", token_env="S", token=SecretStr("s" * 20)),
        TokenSettings(
            name="old",
            role="caller",
            token_env="O",
            token=SecretStr("o" * 20),
            expires=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
        ),
    ]
    keyring = Keyring(configured_tokens(_Http(tokens)), b"key")
    door = WhipDoor(desk, settings, retry_after=lambda: 7, join=desk.join)
    access = Access(keyring, is_open_here=False)
    server = HttpServer([door], host="127.0.0.1", port=0, access=access, origins=origins)
    await server.start()
    yield server.url
    await server.close()


class _Http:
    def __init__(self, tokens: list[TokenSettings]) -> None:
        self.token, self.tokens = None, tokens


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def page(desk: Desk) -> AsyncIterator[ClientSession]:
    """Whoever may call."""
    ann = {"Authorization": "Bearer " + "a" * 20}
    async with serving(desk) as url, ClientSession(url, headers=ann) as session:
        yield session


async def call(page: ClientSession) -> tuple[str, str]:
    """Return the address and the tag of a new connection."""
    async with page.post("/whip", data=chromium(), headers=SDP) as answer:
        assert answer.status == 201
        return answer.headers["Location"], answer.headers["ETag"]


async def problem(answer: Any) -> str:
    assert answer.content_type == "application/problem+json"
    body = await answer.json()
    assert body["status"] == answer.status
    return str(body["detail"])


async def test_an_offer_is_answered_and_gets_an_address_of_its_own(
    page: ClientSession, desk: Desk
) -> None:
    async with page.post("/whip", data=chromium(), headers=SDP) as answer:
        (connection,) = desk.connections.values()
        assert (answer.status, answer.content_type) == (201, "application/sdp")
        assert await answer.read() == connection.answer
        assert answer.headers["Location"] == f"/whip/{connection.id}"
        assert answer.headers["ETag"] == f'"{connection.entity_tag}"'
        assert answer.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
        assert answer.headers.getall("Link") == LINKS
    assert len(connection.id) == 32
    assert (desk.guests[0].name, desk.guests[0].address) == ("ann", "127.0.0.1")


@pytest.mark.parametrize(
    ("token", "status"), [("", 401), ("Bearer forged", 401), ("Bearer " + "o" * 20, 401)]
)
async def test_who_shows_no_good_token_does_not_call_and_is_told_of_no_server(
    desk: Desk, token: str, status: int
) -> None:
    headers = {"Authorization": token} if token else {}
    async with serving(desk) as url, ClientSession(url, headers=headers) as page:
        async with page.post("/whip", data=chromium(), headers=SDP) as answer:
            assert answer.status == status
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert "turn.example" not in await problem(answer)
        async with page.options("/whip") as answer:
            assert (answer.status, answer.headers["Accept-Post"]) == (200, "application/sdp")
            assert "Link" not in answer.headers
    assert desk.guests == []


async def test_a_public_page_calls_without_a_token(desk: Desk) -> None:
    async with serving(desk, public=True) as url, ClientSession(url) as page:
        await call(page)
        async with page.options("/whip") as answer:
            assert answer.headers.getall("Link") == LINKS
    assert desk.guests[0].name == ""


async def test_more_addresses_are_taken_under_the_tag_they_are_for(
    page: ClientSession, desk: Desk
) -> None:
    where, tag = await call(page)
    async with page.patch(where, data=MORE, headers={**FRAGMENT, "If-Match": tag}) as answer:
        assert (answer.status, "ETag" in answer.headers) == (204, False)
    assert desk.ways[0].tried[-1] == "1 1 udp 1 192.0.2.9 4000 typ host"
    async with page.patch(where, data=MORE, headers=FRAGMENT) as answer:
        assert answer.status == 428
    async with page.patch(where, data=MORE, headers={**FRAGMENT, "If-Match": '"x"'}) as answer:
        assert answer.status == 412


@pytest.mark.parametrize("any_tag", ["*", '"*"'])
async def test_a_search_begun_anew_has_a_tag_of_its_own(
    page: ClientSession, desk: Desk, any_tag: str
) -> None:
    where, tag = await call(page)
    async with page.patch(where, data=ANEW, headers={**FRAGMENT, "If-Match": any_tag}) as answer:
        assert (answer.status, answer.content_type) == (200, FRAGMENT["Content-Type"])
        assert "a=ice-ufrag:ours2\r\n" in await answer.text()
        newer = answer.headers["ETag"]
    assert newer != tag
    for known, status in ((tag, 412), (newer, 204)):
        async with page.patch(where, data=MORE, headers={**FRAGMENT, "If-Match": known}) as answer:
            assert answer.status == status
    desk.ways[0].fault = "restarted too often"
    other = ANEW.replace("ysXw", "ysXx")
    async with page.patch(where, data=other, headers={**FRAGMENT, "If-Match": "*"}) as answer:
        assert answer.status == 409
    async with page.patch(where, data=other, headers={**FRAGMENT, "If-Match": newer}) as answer:
        assert answer.status == 422
    assert len(desk.connections) == 1


async def test_hanging_up_is_once_and_needs_only_the_address(
    page: ClientSession, desk: Desk
) -> None:
    where, _ = await call(page)
    async with ClientSession(page._base_url) as anybody, anybody.delete(where) as answer:
        assert answer.status == 200
    assert desk.connections == {}
    for ask in (page.delete(where), page.patch(where, data=MORE, headers=FRAGMENT)):
        async with ask as answer:
            assert answer.status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/whip"), ("HEAD", "/whip"), ("PUT", "/whip"), ("PATCH", "/whip"), ("DELETE", "/whip"),
     ("GET", "/whip/x"), ("POST", "/whip/x"), ("PUT", "/whip/x"), ("HEAD", "/whip/x")],
)  # fmt: skip
async def test_other_methods_are_kept_for_later(
    page: ClientSession, method: str, path: str
) -> None:
    async with page.request(method, path) as answer:
        assert answer.status == 405
        assert "OPTIONS" in answer.headers["Allow"]


AMISS = {
    "another type": (chromium(), "text/plain", 415),
    "nothing": ("", "application/sdp", 400),
    "no description": ("hello", "application/sdp", 400),
    "no sound": (chromium().replace("m=audio", "m=video"), "application/sdp", 422),
    "no codec": (chromium().replace("UDP/TLS", "UDP"), "application/sdp", 406),
    "too much": (chromium() + "a=x\r\n" * 20_000, "application/sdp", 413),
}


@pytest.mark.parametrize("fault", AMISS)
async def test_a_bad_offer_is_answered_by_what_is_amiss(
    page: ClientSession, desk: Desk, fault: str
) -> None:
    body, kind, status = AMISS[fault]
    async with page.post("/whip", data=body, headers={"Content-Type": kind}) as answer:
        assert answer.status == status
        assert await problem(answer)
    assert desk.connections == {}


@pytest.mark.parametrize(
    ("fault", "status", "wait"),
    [
        (CapacityError("no room"), 503, "7"),
        (RtcError("no relay"), 503, "7"),
        (DialError("too many", status=429), 429, "60"),
        (NegotiationError("unknown role"), 422, None),
    ],
)
async def test_a_call_that_is_not_taken_says_when_to_come_again(
    page: ClientSession, desk: Desk, fault: Exception, status: int, wait: str | None
) -> None:
    desk.fault = fault
    async with page.post("/whip", data=chromium(), headers=SDP) as answer:
        assert (answer.status, answer.headers.get("Retry-After")) == (status, wait)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [(MORE, "application/sdp", 415), ("hello", FRAGMENT["Content-Type"], 400),
     ("", FRAGMENT["Content-Type"], 400), ("a=ice-ufrag:x\r\n", FRAGMENT["Content-Type"], 400)],
)  # fmt: skip
async def test_a_bad_fragment_changes_nothing(
    page: ClientSession, desk: Desk, body: str, kind: str, status: int
) -> None:
    where, tag = await call(page)
    headers = {"Content-Type": kind, "If-Match": tag}
    async with page.patch(where, data=body, headers=headers) as answer:
        assert answer.status == status
        accepted = FRAGMENT["Content-Type"] if status == 415 else None
        assert answer.headers.get("Accept-Patch") == accepted
    assert len(desk.ways[0].remotes) == 1


async def test_changes_come_at_a_pace(page: ClientSession) -> None:
    where, tag = await call(page)
    statuses = []
    for _ in range(25):
        async with page.patch(where, data=MORE, headers={**FRAGMENT, "If-Match": tag}) as answer:
            statuses.append(answer.status)
    assert statuses[:20] == [204] * 20
    assert 429 in statuses[20:]


async def test_to_join_a_call_takes_a_supervisor(page: ClientSession, desk: Desk) -> None:
    sue = {**SDP, "Authorization": "Bearer " + "s" * 20}
    nobody = {**SDP, "Authorization": "Bearer forged"}
    path = "/whip?call=c1&mode=speak"
    async with page.post(path, data=chromium(), headers=SDP) as answer:
        assert answer.status == 403
    async with page.post(path, data=chromium(), headers=nobody) as answer:
        assert answer.status == 401
    async with page.post("/whip?call=c1&mode=shout", data=chromium(), headers=sue) as answer:
        assert answer.status == 400
    for mode in ("listen", "speak"):
        async with page.post(f"/whip?mode={mode}", data=chromium(), headers=sue) as answer:
            assert answer.status == 400
            assert answer.content_type == "application/problem+json"
    async with page.post("/whip?call=c2", data=chromium(), headers=sue) as answer:
        assert answer.status == 404
    async with page.post(path, data=chromium(), headers=sue) as answer:
        assert answer.status == 201
        assert answer.headers["Location"].startswith("/whip/")
    assert desk.joined == [("c1", "speak")]
    assert desk.guests[0].name == "sue"


async def test_on_a_public_page_too_only_a_supervisor_joins(desk: Desk) -> None:
    async with (
        serving(desk, public=True) as url,
        ClientSession(url) as page,
        page.post("/whip?call=c1", data=chromium(), headers=SDP) as answer,
    ):
        assert answer.status == 401
    assert desk.joined == []


async def test_only_pages_that_are_named_may_ask_from_elsewhere(desk: Desk) -> None:
    asks = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    shop = {**SDP, "Origin": "https://shop.example"}
    named = serving(desk, public=True, origins=("https://shop.example",))
    async with named as url, ClientSession(url) as page:
        async with page.options("/whip", headers=asks) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
            assert "If-Match" in answer.headers["Access-Control-Allow-Headers"]
        async with page.post("/whip", data=chromium(), headers=shop) as answer:
            exposed = answer.headers["Access-Control-Expose-Headers"]
            assert {"ETag", "Link", "Location"} <= set(exposed.replace(",", "").split())
    async with (
        serving(desk, public=True) as url,
        ClientSession(url) as page,
        page.options("/whip", headers=asks) as answer,
    ):
        assert "Access-Control-Allow-Origin" not in answer.headers

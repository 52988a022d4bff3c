"""The API before people who mean ill: forged tokens, endless bodies, other sites' pages."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from aiohttp import ClientSession, ClientTimeout

from gateway.app import Gateway
from gateway.config import Settings
from gateway.http import Role, bodies
from gateway.testing.service import LoopbackService

pytestmark = pytest.mark.interop

TOKEN = "a-token-of-ours"
HOSTILE = "Robert'); DROP TABLE calls;--\"<script>alert(1)</script>%_!\\ \u202e\x07"
DESK = "https://desk.example"
READS = ("/v1/calls", "/v1/calls/x", "/v1/gateway", "/v1/events")


@asynccontextmanager
async def gateway(**http: Any) -> AsyncIterator[tuple[Gateway, ClientSession]]:
    """Run a gateway that has one token, and nobody to call."""
    tables = {
        "sip": {"bind": ["udp:127.0.0.1:0"]},
        "realtime": {"provider": "custom", "url": "ws://127.0.0.1:1/v1/realtime"},
        "http": {"bind": "127.0.0.1:0", "token": TOKEN, **http},
    }
    running = Gateway(Settings.model_validate(tables))
    await running.start()
    async with ClientSession(running.page, timeout=ClientTimeout(20)) as session:
        yield running, session
    await running.close()


@pytest.fixture
async def ours() -> AsyncIterator[tuple[Gateway, ClientSession]]:
    async with gateway() as both:
        yield both


def shown(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def asked(http: ClientSession, method: str, path: str, **how: Any) -> tuple[int, Any]:
    """Return the status and the body of an answer, which is a problem document if it refuses."""
    async with http.request(method, path, **how) as answer:
        body = await answer.read()
        if answer.status >= 400:
            assert answer.content_type == "application/problem+json"
            told = json.loads(body)
            assert told["status"] == answer.status
            assert told["detail"]
            assert "Traceback" not in body.decode()
            return answer.status, told
        return answer.status, json.loads(body) if body else None


async def test_only_a_good_token_opens_anything(ours: tuple[Gateway, ClientSession]) -> None:
    running, http = ours
    good = running.surface.make_token("ann", Role.VIEWER, 60)
    old = running.surface.make_token("ann", Role.ADMIN, -1)
    prefix, claims, signature = good.split(".")
    bad = [
        "", "x", TOKEN[:-1], TOKEN + "x", old, good[:-1], good + "A", f"{prefix}.{claims}.",
        f"{prefix}.{claims[:-2]}.{signature}", f"vg0.{claims}.{signature}", "." * 100, "A" * 6000,
    ]  # fmt: skip
    for number, path in enumerate(READS):
        assert (await asked(http, "GET", path))[0] == 401
        for token in bad[number::2]:
            assert (await asked(http, "GET", path, headers=shown(token)))[0] == 401, token
    assert (await asked(http, "GET", "/v1/calls", headers=shown(good)))[0] == 200
    assert (await asked(http, "POST", "/v1/tokens", headers=shown(good), json={}))[0] == 403
    assert (await asked(http, "GET", "/healthz"))[0] == 200


async def test_who_guesses_tokens_is_slowed_down_and_nobody_else() -> None:
    async with gateway(trusted_proxies=["127.0.0.1"]) as (running, http):

        async def tried(token: str, address: str) -> int:
            headers = shown(token) | {"X-Forwarded-For": f"198.51.100.1, {address}"}
            return (await asked(http, "GET", "/v1/calls", headers=headers))[0]

        statuses = [await tried(f"guess-{n}", "203.0.113.1") for n in range(40)]
        assert statuses[:30] == [401] * 30
        assert 429 in statuses[30:]
        assert await tried(TOKEN, "203.0.113.2") == 200
        counted = running.surface.counted
        assert counted["tokens_wrong"] == statuses.count(401)
        assert counted["tokens_not_looked_at"] == statuses.count(429)


async def test_callers_behind_a_proxy_have_each_a_pace_of_their_own() -> None:
    async with gateway(trusted_proxies=["127.0.0.0/8"]) as (_, http):

        async def called(address: str) -> int:
            headers = {**shown(TOKEN), "Content-Type": "application/sdp"}
            headers["X-Forwarded-For"] = address
            return (await asked(http, "POST", "/whip", headers=headers, data=b"v=0"))[0]

        statuses = [await called("203.0.113.1") for _ in range(60)]
        assert statuses[:30] == [422] * 30
        assert 429 in statuses[30:]
        assert await called("203.0.113.2") == 422
        assert await called("203.0.113.1, 203.0.113.3") == 422
    async with gateway() as (_, http):
        statuses = [await called(f"203.0.113.{n}") for n in range(60)]
        assert 429 in statuses, "who is not named is not believed"


async def test_where_proxies_are_named_nobody_reads_without_a_token() -> None:
    async with gateway(token=None, trusted_proxies=["127.0.0.1"]) as (_, http):
        assert (await asked(http, "GET", "/v1/calls"))[0] == 401


async def test_an_admin_makes_tokens_for_others_that_end(
    ours: tuple[Gateway, ClientSession],
) -> None:
    _, http = ours
    wish = {"role": "viewer", "seconds": 2, "name": HOSTILE[:60]}
    status, made = await asked(http, "POST", "/v1/tokens", headers=shown(TOKEN), json=wish)
    assert (status, made["role"], made["name"]) == (201, "viewer", wish["name"])
    assert (await asked(http, "GET", "/v1/calls", headers=shown(made["token"])))[0] == 200
    await asyncio.sleep(max(0.0, made["until"] - time.time() + 0.1))
    status, told = await asked(http, "GET", "/v1/calls", headers=shown(made["token"]))
    assert (status, told["detail"]) == (401, "this token has expired")
    for wrong in (
        {"role": "king"}, {"role": "viewer", "seconds": 0}, {"role": "viewer", "seconds": 1e99},
        {"role": "viewer", "name": ""}, {"role": "viewer", "name": "x" * 65},
        {"role": "viewer", "more": 1}, {},
    ):  # fmt: skip
        status, told = await asked(http, "POST", "/v1/tokens", headers=shown(TOKEN), json=wrong)
        assert status == 400
        assert told["errors"][0]["detail"]


async def test_odd_words_in_every_field_are_only_words(ours: tuple[Gateway, ClientSession]) -> None:
    _, http = ours
    admin = shown(TOKEN)
    for field in ("q", "caller", "called", "trunk"):
        path = f"/v1/calls?{field}={quote(HOSTILE)}"
        assert await asked(http, "GET", path, headers=admin) == (200, {"calls": [], "next": ""})
    for query in ("ended_by=", "state=", "limit=", "since=", "until=", "cursor=", "other="):
        status, _ = await asked(http, "GET", f"/v1/calls?{query}{quote(HOSTILE)}", headers=admin)
        assert status in (400, 404)
    for body in (
        {"to": HOSTILE},
        {"to": "x", "profile": HOSTILE},
        {"to": "x", "variables": {HOSTILE: HOSTILE}},
    ):
        status, _ = await asked(http, "POST", "/v1/calls", headers=admin, json=body)
        assert status in (403, 422)
    assert (await asked(http, "GET", f"/v1/calls/{quote(HOSTILE, safe='')}", headers=admin))[
        0
    ] == 404
    assert (await asked(http, "GET", f"/v1/events?call={quote(HOSTILE)}", headers=admin))[0] == 404


async def test_what_is_too_long_is_refused(ours: tuple[Gateway, ClientSession]) -> None:
    _, http = ours
    admin = shown(TOKEN)
    status, _ = await asked(http, "GET", "/v1/calls?q=" + "a" * 4000, headers=admin)
    assert status == 200
    async with http.get("/v1/calls?q=" + "a" * 20_000, headers=admin) as answer:
        assert answer.status in (400, 414)
    body = {"to": "a" * 70_000}
    assert (await asked(http, "POST", "/v1/calls", headers=admin, json=body))[0] == 413
    deep = b'{"to": ' + b"[" * 30_000
    typed = admin | {"Content-Type": "application/json"}
    assert (await asked(http, "POST", "/v1/calls", headers=typed, data=deep))[0] == 400


async def test_a_body_that_never_ends_is_waited_for_no_longer_than_that(
    ours: tuple[Gateway, ClientSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, _ = ours
    monkeypatch.setattr(bodies, "_SECONDS", 0.3)
    where = urlsplit(running.page)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    head = (
        f"POST /v1/tokens HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    writer.write(head.encode() + b"1\r\n{\r\n")
    async with asyncio.timeout(10):
        assert b" 408 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
async def test_what_another_site_s_form_can_send_is_not_taken(
    ours: tuple[Gateway, ClientSession], content_type: str
) -> None:
    _, http = ours
    headers = shown(TOKEN) | {"Content-Type": content_type}
    status, _ = await asked(http, "POST", "/v1/calls", headers=headers, data=b'{"to": "ann"}')
    assert status == 415


async def test_other_sites_pages_are_let_in_by_name_alone() -> None:
    preflight = {"Origin": DESK, "Access-Control-Request-Method": "POST"}
    async with gateway(origins=[DESK]) as (_, http):
        async with http.options("/v1/calls", headers=preflight) as answer:
            assert answer.status == 204
            assert answer.headers["Access-Control-Allow-Origin"] == DESK
            assert "Idempotency-Key" in answer.headers["Access-Control-Allow-Headers"]
        async with http.get("/v1/calls", headers=shown(TOKEN) | {"Origin": DESK}) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == DESK
            assert {"ETag", "Link", "Location"} <= set(
                answer.headers["Access-Control-Expose-Headers"].split(", ")
            )
            assert "Access-Control-Allow-Credentials" not in answer.headers
            assert answer.headers["Vary"] == "Origin"
        async with http.get("/v1/calls", headers={"Origin": DESK}) as answer:
            assert answer.status == 401
            assert answer.headers["Access-Control-Allow-Origin"] == DESK
        for other in ("https://desk.example.evil.example", "https://desk.example:8443", "null"):
            odd = preflight | {"Origin": other}
            async with http.options("/v1/calls", headers=odd) as answer:
                assert answer.status == 405
                assert "Access-Control-Allow-Origin" not in answer.headers


async def test_where_none_is_named_no_other_site_s_page_is_let_in(
    ours: tuple[Gateway, ClientSession],
) -> None:
    _, http = ours
    async with http.get("/v1/calls", headers=shown(TOKEN) | {"Origin": DESK}) as answer:
        assert answer.status == 200
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_a_name_that_was_bent_to_this_machine_opens_nothing() -> None:
    async with gateway(token=None) as (_, http):
        assert (await asked(http, "GET", "/v1/calls"))[0] == 200
        for headers in ({"Host": "evil.example"}, {"Host": "evil.example:8080"}, {"Host": ""}):
            assert (await asked(http, "GET", "/v1/calls", headers=headers))[0] in (400, 401)
        assert (await asked(http, "GET", "/healthz", headers={"Host": "evil.example"}))[0] == 200
        status, told = await asked(http, "POST", "/v1/calls", json={"to": "ann"})
        assert status == 403
        assert "http.token_env" in told["detail"]


async def test_every_method_that_is_not_for_a_path_is_told_which_ones_are(
    ours: tuple[Gateway, ClientSession],
) -> None:
    _, http = ours
    for method in ("PUT", "PATCH", "TRACE"):
        async with http.request(method, "/v1/calls") as answer:
            assert answer.status == 405
            assert set(answer.headers["Allow"].split(",")) == {"GET", "HEAD", "POST"}
            assert answer.content_type == "application/problem+json"
    async with http.head("/v1/calls", headers=shown(TOKEN)) as answer:
        assert answer.status == 200
        assert int(answer.headers["Content-Length"]) > 0
        assert await answer.read() == b""


async def test_what_is_no_http_is_answered_and_logged_by_nobody(
    ours: tuple[Gateway, ClientSession], caplog: pytest.LogCaptureFixture
) -> None:
    where = urlsplit(ours[0].page)
    for line in (b"BREW / HTTP/1.1\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"\x16\x03\x01\0" * 50):
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(line)
        async with asyncio.timeout(10):
            assert b" 400 " in await reader.readline()
        writer.close()
    assert not caplog.records


async def test_answers_are_kept_by_nobody_and_are_no_pages(
    ours: tuple[Gateway, ClientSession],
) -> None:
    _, http = ours
    async with http.get("/v1/calls", headers=shown(TOKEN)) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Server"] == "voice-gateway"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_an_order_that_is_sent_again_calls_nobody_twice() -> None:
    order = {"to": "ann"}
    async with LoopbackService() as service:
        realtime = {"provider": "custom", "url": service.url}
        targets = {"ann": "sip:ann@127.0.0.1:9"}
        tables = {
            "sip": {"bind": ["udp:127.0.0.1:0"]},
            "realtime": realtime,
            "targets": targets,
            "http": {"bind": "127.0.0.1:0", "token": TOKEN},
        }
        running = Gateway(Settings.model_validate(tables))
        await running.start()
        keyed = shown(TOKEN) | {"Idempotency-Key": "order-1"}
        async with ClientSession(running.page) as http:
            status, first = await asked(http, "POST", "/v1/calls", headers=keyed, json=order)
            assert status == 201
            async with http.post("/v1/calls", headers=keyed, json=order) as again:
                assert again.status == 201
                assert again.headers["Idempotency-Replayed"] == "true"
                assert again.headers["Location"] == f"/v1/calls/{first['call_id']}"
                assert await again.json() == first
            other = order | {"variables": {"name": "Ann"}}
            status, _ = await asked(http, "POST", "/v1/calls", headers=keyed, json=other)
            assert status == 422
            both = [
                asked(http, "POST", "/v1/calls", headers=shown(TOKEN) | {"Idempotency-Key": "o-2"},
                      json=order)
                for _ in range(5)
            ]  # fmt: skip
            answers = await asyncio.gather(*both)
            assert {status for status, _ in answers} <= {201, 409}
            placed = {told["call_id"] for status, told in answers if status == 201}
            assert len(placed) == 1
            assert len(running.registry.records()) == 2
            refused = shown(TOKEN) | {"Idempotency-Key": "o-3"}
            for _ in range(2):
                status, _ = await asked(
                    http, "POST", "/v1/calls", headers=refused, json={"to": "mallory"}
                )
                assert status == 403
            status, _ = await asked(http, "POST", "/v1/calls", headers=refused, json=order)
            assert status == 201, "what came to nothing binds nobody"
        await running.close()

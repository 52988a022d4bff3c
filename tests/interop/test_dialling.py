"""Calls that the gateway places: who may have them placed, to whom, and what becomes of them."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession
from peers import Sipp
from scripts import OFFER, answers, asks, called, hears, pause, script, wants

from gateway.app import Gateway
from gateway.config import Settings
from gateway.testing.loopback import loopback_gateway, sip_address
from gateway.testing.service import LoopbackService

pytestmark = pytest.mark.interop

TOKEN = "a-token-of-ours"


@asynccontextmanager
async def calling_gateway(service: str, **tables: Any) -> AsyncIterator[Gateway]:
    """Run a gateway with a page and a token."""
    standard: dict[str, Any] = {
        "sip": {"bind": ["udp:127.0.0.1:0"]},
        "realtime": {"provider": "custom", "url": service},
        "http": {"bind": "127.0.0.1:0", "token": TOKEN},
    }
    gateway = Gateway(Settings.model_validate(standard | tables))
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.close()


async def order(gateway: Gateway, body: Any, token: str | None = TOKEN) -> ClientResponse:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    async with (
        ClientSession(gateway.page, headers=headers) as session,
        session.post("/v1/calls", json=body) as response,
    ):
        await response.read()
        return response


async def until_over(gateway: Gateway, within: float = 10.0) -> dict[str, Any]:
    async with asyncio.timeout(within):
        while len(gateway.registry):
            await asyncio.sleep(0.02)
    (record,) = gateway.registry.records()
    return record.as_dict()


async def test_a_call_is_placed_and_its_answer_is_waited_for() -> None:
    async with (
        LoopbackService([1037.0], reply_seconds=0.5) as ours,
        LoopbackService([407.0]) as theirs,
        loopback_gateway(theirs.url) as there,
    ):
        host, port = sip_address(there)
        profile = {"variables": {"name": "nobody"}, "session": {"instructions": "Remind them."}}
        async with calling_gateway(
            ours.url,
            targets={"ann": f"sip:ann@{host}:{port}"},
            profiles={"reminders": profile},
        ) as gateway:
            wish = {"to": "ann", "profile": "reminders", "variables": {"name": "Ann"}}
            response = await order(gateway, wish)
            assert response.status == 201
            answer = await response.json()
            assert response.headers["Location"] == f"/v1/calls/{answer['call_id']}"
            session = await ours.session(0)
            await session.until(lambda: bool(session.of("response.create")))
            (update,) = session.of("session.update")
            assert update["session"]["instructions"] == "Remind them."
            heard = await session.hears(1.0)
            assert abs(heard.astype(int)).max() > 1000
            (call,) = there.registry
            call.hang_up("done")
            record = await until_over(gateway)
    assert record["called"] == "ann"
    (started,) = (e["detail"] for e in record["timeline"] if e["name"] == "call.started")
    assert started["is_outbound"]
    assert started["variables"] == {"name": "Ann"}
    names = [entry["name"] for entry in record["timeline"]]
    assert names.index("leg.answered") < names.index("response.create")


async def test_a_call_that_nobody_takes_ends_with_its_status_and_leaves_nothing() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        target = f"sip:nobody@127.0.0.1:{silent.getsockname()[1]}"
        async with (
            LoopbackService() as ours,
            calling_gateway(ours.url, targets={"nobody": target}, dial={"seconds": 1.0}) as gateway,
        ):
            assert (await order(gateway, {"to": "nobody"})).status == 201
            record = await until_over(gateway)
    assert record["ended_by"] == "gateway"
    assert "leg.answered" not in [entry["name"] for entry in record["timeline"]]


async def test_one_who_rings_reliably_and_wants_longer_sessions_is_talked_to(sipp: Sipp) -> None:
    async with LoopbackService([1037.0]) as ours:
        with sipp.called("answers_reliably") as target:
            async with calling_gateway(ours.url, targets={"operator": target}) as gateway:
                assert (await order(gateway, {"to": "operator"})).status == 201
                record = await until_over(gateway)
    assert (record["ended_by"], record["q850"]) == ("peer", 31)
    names = [entry["name"] for entry in record["timeline"]]
    assert "leg.answered" in names


RINGING = answers("180 Ringing", tag="a")
ANSWER = answers("200 OK", tag="a", body=OFFER)
GONE = wants("BYE", 9, "a") + hears(200)


async def dialled(sipp: Sipp, *steps: str, **tables: Any) -> dict[str, Any]:
    """Have sipp called, which does ``steps``; return the record of the call."""
    async with LoopbackService([1037.0]) as ours:
        with sipp.called(script(called(), *steps)) as target:
            async with calling_gateway(ours.url, targets={"operator": target}, **tables) as gateway:
                assert (await order(gateway, {"to": "operator"})).status == 201
                return await until_over(gateway)


async def test_an_answer_that_crosses_our_cancel_is_acknowledged_and_ended(sipp: Sipp) -> None:
    crossed = RINGING, asks("CANCEL"), answers("200 OK"), ANSWER
    ended = asks("ACK", CSeq="1 ACK"), asks("BYE"), answers("200 OK")
    record = await dialled(sipp, *crossed, *ended, dial={"seconds": 1.0})
    assert record["ended_by"] == "gateway"
    assert "leg.answered" not in [entry["name"] for entry in record["timeline"]]


async def test_of_two_places_that_answer_one_is_talked_to_and_one_let_go(sipp: Sipp) -> None:
    ring = RINGING, answers("180 Ringing", tag="b")
    early = wants("UPDATE", 1, "b", body=OFFER), hears(491, CSeq="1 UPDATE")
    first = ANSWER, asks("ACK", To="tag=a$", message="^ACK sip:a@")
    second = answers("200 OK", tag="b", body=OFFER), asks("ACK", To="tag=b$", message="^ACK sip:b@")
    ended = asks("BYE", To="tag=b$", message="^BYE sip:b@"), answers("200 OK")
    record = await dialled(sipp, *ring, *early, *first, *second, *ended, pause(200), GONE)
    assert record["ended_by"] == "peer"
    assert [entry["name"] for entry in record["timeline"]].count("leg.answered") == 1


async def test_an_answer_that_comes_again_after_a_change_is_acknowledged_again(sipp: Sipp) -> None:
    changed = wants("INVITE", 2, "a", body=OFFER), hears(200), wants("ACK", 2, "a")
    again = ANSWER, asks("ACK", CSeq="^ 1 ACK")
    record = await dialled(sipp, RINGING, ANSWER, asks("ACK"), *changed, *again, GONE)
    assert record["ended_by"] == "peer"
    first, second = sipp.came("ACK")
    assert first == second


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"to": "mallory"}, 403),
        ({"to": "sip:+1900555@carrier.example"}, 403),
        ({"to": "sip:ann@allowed.example.evil.example"}, 403),
        ({"to": "sip:ann@evil.example;a=b@allowed.example"}, 403),
        ({"to": "sip:ann@evil.example?a=b@allowed.example"}, 403),
        ({"to": "sip:ann@evil.example:5060;x=@allowed.example"}, 403),
        ({"to": "sip:ann@allowed.example;maddr=192.0.2.1"}, 403),
        ({"to": "sips:ann@allowed.example"}, 403),
        ({"to": "sip:ann@" + "a" * 64 + ".allowed.example"}, 403),
        ({"to": "sip:ann@long." + "a" * 64}, 502),
        ({"to": "ann", "profile": "nobody's"}, 422),
        ({"to": "fax"}, 502),
        ({"to": 5}, 400),
        ({}, 400),
        ({"to": "ann", "cost": "none"}, 400),
        ([], 400),
    ],
)
async def test_whom_the_gateway_may_not_call_it_does_not(body: Any, status: int) -> None:
    async with calling_gateway(
        "ws://127.0.0.1:1/v1/realtime",
        targets={"ann": "sip:ann@127.0.0.1:9", "fax": "tel:+15550100"},
        dial={"allow": ["sip:*@allowed.example", "sip:*@long.*"]},
    ) as gateway:
        response = await order(gateway, body)
        assert response.status == status
        assert response.content_type == "application/problem+json"
        assert not len(gateway.registry)
        assert not gateway.registry.records(), "it never was a call"


@pytest.mark.parametrize("token", [None, "", "wrong", f"{TOKEN}x"])
async def test_without_the_token_nobody_is_called(token: str | None) -> None:
    async with calling_gateway("ws://127.0.0.1:1/v1/realtime") as gateway:
        response = await order(gateway, {"to": "ann"}, token)
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer realm=")


async def test_odd_headers_and_bodies_are_refused_in_words() -> None:
    async with calling_gateway("ws://127.0.0.1:1/v1/realtime") as gateway:
        url = gateway.page + "v1/calls"
        async with ClientSession() as session:
            ours = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            for headers, body, status in (
                ({"Authorization": "Bearer \xff\xfe"}, b"{}", 401),
                ({"Authorization": "Basic YTpi"}, b"{}", 401),
                ({**ours, "Content-Encoding": "gzip"}, b"{}", 400),
                (ours, b"\xff", 400),
                (ours, b"[" * 1000, 400),
                (ours, b"[" * 70_000, 413),
                ({**ours, "Content-Type": "text/plain"}, b"{}", 415),
            ):
                async with session.post(url, data=body, headers=headers) as response:
                    assert response.status == status
                    assert response.content_type == "application/problem+json"


async def test_where_no_token_is_configured_nobody_is_called() -> None:
    async with calling_gateway(
        "ws://127.0.0.1:1/v1/realtime", http={"bind": "127.0.0.1:0"}
    ) as gateway:
        for token, status in ((None, 403), ("", 401), (TOKEN, 401)):
            assert (await order(gateway, {"to": "ann"}, token)).status == status


async def test_a_full_gateway_calls_nobody() -> None:
    async with calling_gateway(
        "ws://127.0.0.1:1/v1/realtime", targets={"ann": "sip:ann@127.0.0.1:9"}
    ) as gateway:
        gateway.registry.is_draining = True
        response = await order(gateway, {"to": "ann"})
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 0

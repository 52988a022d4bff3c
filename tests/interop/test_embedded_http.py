"""The embedded service's HTTP: handshakes, client secrets, the preview, refusals, on loopback."""

import asyncio
import contextlib
import io
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from gateway.embedded.server import EmbeddedService

pytestmark = pytest.mark.interop

KEY = "sk-test-secret-key"
AUTH = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture
async def service() -> AsyncIterator[EmbeddedService]:
    service = EmbeddedService("127.0.0.1", 0, "echo", key=KEY, max_sessions=3)
    await service.start()
    yield service
    await service.close()
    assert len(asyncio.all_tasks()) == 1


def at(service: EmbeddedService, path: str, scheme: str = "ws") -> str:
    return f"{scheme}://127.0.0.1:{service.port}{path}"


def opened(service: EmbeddedService, path: str = "/v1/realtime", **more: Any) -> connect:
    more.setdefault("additional_headers", AUTH)
    return connect(at(service, path), compression=None, proxy=None, **more)


async def event(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(10):
        found: dict[str, Any] = json.loads(await socket.recv())
        return found


async def ask(
    service: EmbeddedService, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    async with (
        aiohttp.ClientSession() as http,
        http.request(
            method, at(service, path, "http"), json=body, headers=headers or AUTH
        ) as answer,
    ):
        return answer.status, await answer.json(content_type=None) or {}


async def make_secret(service: EmbeddedService, **body: Any) -> dict[str, Any]:
    status, made = await ask(service, "POST", "/v1/realtime/client_secrets", body)
    assert status == 200, made
    return made


async def refusal(service: EmbeddedService, path: str, **more: Any) -> tuple[int, str]:
    """Return how a handshake was refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with opened(service, path, **more):
            pass
    response = refused.value.response
    assert response.headers["Content-Type"].startswith("application/json")
    return response.status_code, str(json.loads(response.body or b"")["error"]["code"])


# Handshakes


@pytest.mark.parametrize("path", ["/v1/realtime?model=m", "/openai/v1/realtime?model=m"])
async def test_a_session_is_opened_at_both_addresses(service: EmbeddedService, path: str) -> None:
    async with opened(service, path) as socket:
        created = await event(socket)
        assert created["type"] == "session.created"
        assert created["session"]["model"] == "m"


@pytest.mark.parametrize(
    ("path", "headers", "refused"),
    [
        ("/v2/realtime", AUTH, (404, "not_found")),
        ("/v1/realtime", {}, (401, "invalid_api_key")),
        ("/v1/realtime", {"api-key": "sk-other"}, (401, "invalid_api_key")),
        ("/v1/realtime?call_id=rtc_1", AUTH, (404, "call_id_not_found")),
        ("/v1/live/sessions/rtc_1/attach", AUTH, (404, "call_id_not_found")),
        ("/admin/sessions", AUTH, (404, "not_found")),
    ],
)
async def test_who_may_not_come_in_is_told_why(
    service: EmbeddedService, path: str, headers: dict[str, str], refused: tuple[int, str]
) -> None:
    assert await refusal(service, path, additional_headers=headers) == refused


async def test_there_is_room_for_so_many(service: EmbeddedService) -> None:
    async with opened(service), opened(service), opened(service):
        assert service.sessions == 3
        assert await refusal(service, "/v1/realtime") == (429, "rate_limit_exceeded")


async def test_a_plain_request_is_told_to_upgrade(service: EmbeddedService) -> None:
    status, body = await ask(service, "GET", "/v1/realtime")
    assert (status, body["error"]["code"]) == (426, "upgrade_required")


@pytest.mark.parametrize("offers", [["realtime"], []])
async def test_a_browsers_key_comes_as_a_protocol_and_is_neither_echoed_nor_logged(
    service: EmbeddedService, offers: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    protocols = [Subprotocol(each) for each in [*offers, f"openai-insecure-api-key.{KEY}"]]
    async with opened(service, additional_headers={}, subprotocols=protocols) as socket:
        assert socket.subprotocol == (offers[0] if offers else None)
        assert (await event(socket))["type"] == "session.created"
    ours = [r for r in caplog.records if not r.name.startswith("websockets")]
    assert not any(KEY in record.getMessage() for record in ours)


async def test_fifteen_mebibytes_are_taken_and_a_message_of_thirty_is_not(
    service: EmbeddedService,
) -> None:
    async with opened(service) as socket:
        await event(socket)
        append = {"type": "input_audio_buffer.append", "audio": "AAAA" * (5 * 1024 * 1024)}
        await socket.send(json.dumps(append))
        await socket.send('{"type":"input_audio_buffer.clear"}')
        assert (await event(socket))["type"] == "input_audio_buffer.cleared"
        append["audio"] *= 2
        with contextlib.suppress(ConnectionClosed):
            await socket.send(json.dumps(append))
        async with asyncio.timeout(10):
            await socket.wait_closed()
        assert socket.close_code == 1009


async def test_what_is_no_command_is_answered_and_changes_nothing(
    service: EmbeddedService,
) -> None:
    async with opened(service) as socket:
        await event(socket)
        for nonsense in ("", "{", "[" * 100_000, b"\xff\xfe", '{"type":7}', '{"type":"fly"}'):
            await socket.send(nonsense)
            assert (await event(socket))["type"] == "error"


# Client secrets


async def test_a_secret_opens_the_session_it_was_made_for(service: EmbeddedService) -> None:
    session = {"type": "realtime", "model": "mine", "instructions": "Be kind."}
    made = await make_secret(service, session=session, expires_after={"seconds": 10})
    assert made["value"].startswith("ek_")
    assert made["session"]["instructions"] == "Be kind."
    bearer = {"Authorization": f"Bearer {made['value']}"}
    for _ in range(2):
        async with opened(service, "/v1/realtime?model=other", additional_headers=bearer) as socket:
            created = (await event(socket))["session"]
            assert (created["model"], created["instructions"]) == ("mine", "Be kind.")


async def test_a_secret_for_transcription_opens_such_a_session(service: EmbeddedService) -> None:
    made = await make_secret(service, session={"type": "transcription"})
    bearer = {"Authorization": f"Bearer {made['value']}"}
    async with opened(service, additional_headers=bearer) as socket:
        assert (await event(socket))["session"]["type"] == "transcription"


async def test_a_secret_controls_nothing(service: EmbeddedService) -> None:
    bearer = f"Bearer {(await make_secret(service))['value']}"
    for path in ("client_secrets", "calls/rtc_1/hangup", "calls/rtc_1/accept"):
        status, _ = await ask(service, "POST", f"/v1/realtime/{path}", {}, Authorization=bearer)
        assert status == 401


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"expires_after": {"seconds": 9}}, "request.expires_after.seconds"),
        ({"expires_after": {"seconds": 7201}}, "request.expires_after.seconds"),
        ({"expires_after": {"anchor": "tomorrow"}}, "request.expires_after.anchor"),
        ({"session": {"type": "realtime", "temperature": 1}}, "session.temperature"),
        ({"session": []}, "session"),
        ({"sesion": {}}, "request.sesion"),
        ([], None),
    ],
)
async def test_a_secret_that_cannot_be_is_refused(
    service: EmbeddedService, body: Any, param: str | None
) -> None:
    status, answer = await ask(service, "POST", "/v1/realtime/client_secrets", body)
    assert (status, answer["error"]["param"]) == (400, param)


# The preview


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/openai/realtime?api-version=2025-04-01-preview&deployment=gpt-realtime", {}),
        ("/v1/realtime?model=gpt-realtime", {"OpenAI-Beta": "realtime=v1"}),
    ],
)
async def test_the_preview_is_spoken_where_it_is_asked_for(
    service: EmbeddedService, path: str, headers: dict[str, str]
) -> None:
    async with opened(service, path, additional_headers=AUTH | headers) as socket:
        created = await event(socket)
        assert created["type"] == "session.created"
        assert created["session"]["model"] == "gpt-realtime"
        assert created["session"]["input_audio_format"] == "pcm16"
        assert (await event(socket))["type"] == "conversation.created"
        update = {"type": "session.update", "session": {"input_audio_format": "g711_ulaw"}}
        await socket.send(json.dumps(update))
        updated = await event(socket)
        assert updated["session"]["input_audio_format"] == "g711_ulaw"


async def test_a_preview_session_that_transcribes_says_so(service: EmbeddedService) -> None:
    path = "/openai/realtime?api-version=2025-04-01-preview&intent=transcription"
    async with opened(service, path) as socket:
        assert (await event(socket))["type"] == "transcription_session.created"


# Calls that are not there


@pytest.mark.parametrize("verb", ["accept", "reject", "refer", "hangup"])
@pytest.mark.parametrize("stem", ["/v1/realtime/calls", "/openai/v1/realtime/calls"])
async def test_a_call_nobody_knows_is_not_found(
    service: EmbeddedService, stem: str, verb: str
) -> None:
    status, body = await ask(service, "POST", f"{stem}/rtc_0/{verb}", {"type": "realtime"})
    assert (status, body["error"]["code"]) == (404, "call_id_not_found")


async def test_a_method_of_no_use_is_refused_in_json(service: EmbeddedService) -> None:
    status, body = await ask(service, "PUT", "/v1/realtime/calls", {})
    assert (status, body["error"]["code"]) == (405, "method_not_allowed")


async def test_a_body_without_end_is_refused(service: EmbeddedService) -> None:
    url = at(service, "/v1/realtime/client_secrets", "http")
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, data=io.BytesIO(bytes(2_000_000)), headers=AUTH) as answer,
    ):
        assert answer.status == 413
        assert (await answer.json())["error"]["code"] == "request_entity_too_large"

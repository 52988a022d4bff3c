"""Recorded sessions with real services, played again to our links over real sockets."""

import asyncio
import contextlib
import email.parser
import email.policy
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from websockets.asyncio.server import ServerConnection, serve

from gateway.errors import LinkError
from gateway.realtime.client import ServiceClient
from gateway.realtime.commands import BadCommand, InputAudioBufferAppend, decode_command
from gateway.realtime.credentials import Key
from gateway.realtime.dialect import GA, PREVIEW, Dialect
from gateway.realtime.endpoint import Endpoint
from gateway.realtime.events import (
    PREVIEW_ALIASES,
    SERVER_EVENTS,
    ServerEvent,
    SessionCreated,
    Unknown,
    wire_name,
)
from gateway.realtime.link import Link
from gateway.realtime.sideband import SidebandLink
from gateway.realtime.websocket import WebSocketLink

pytestmark = pytest.mark.interop

FOLDER = Path(__file__).parents[2].parent / "shared" / "realtime" / "sessions"
FOREIGN = {"ping", "conversation.item.input_audio_transcription.updated"}  # xAI's own


def steps_of(path: Path) -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml", reason="recordings are YAML")
    steps: list[dict[str, Any]] = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)[
        "interactions"
    ]
    return steps


def recordings(kind: str) -> list[Any]:
    """Return the recordings of one kind; or one that says why there are none."""
    found = []
    for path in sorted(FOLDER.rglob("*.yaml")):
        is_http = "\n- request:" in path.read_text()[:200]
        is_sideband = path.parent.name.endswith("_sideband")
        if kind == ("http" if is_http else "sideband" if is_sideband else "websocket"):
            found.append(pytest.param(path, id=f"{path.parent.name}-{path.stem}"))
    why = pytest.mark.skip(reason=f"recorded sessions are not at {FOLDER}")
    return found or [pytest.param(FOLDER, marks=why, id="absent")]


# Sockets


class Player:
    """The service's side of a recording; one connection for each stretch between closes."""

    def __init__(self, steps: list[dict[str, Any]]) -> None:
        self.steps = iter(steps)
        self.differences: list[tuple[Any, Any]] = []
        self.port = 0
        self.is_done = asyncio.Event()

    async def play(self, connection: ServerConnection) -> None:
        for step in self.steps:
            if step["kind"] == "close":
                await connection.close(step["code"], step["reason"])
                return
            if step["direction"] == "received":
                await connection.send(json.dumps(step["data"]))
                continue
            heard = json.loads(await connection.recv())
            heard.pop("event_id", None)
            expected = {name: value for name, value in step["data"].items() if name != "event_id"}
            if heard != expected:
                self.differences.append((heard, expected))
        self.is_done.set()
        await connection.wait_closed()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Player"]:
        async with serve(self.play, "127.0.0.1", 0, max_size=None) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield self


class Owner:
    """A call that says at each point what was said in the recording."""

    def __init__(self, port: int, dialect: Dialect = GA) -> None:
        self.events: list[ServerEvent | Unknown] = []
        self.ends: list[LinkError | None] = []
        self.changed = asyncio.Event()
        self.endpoint = Endpoint(f"ws://127.0.0.1:{port}/v1/realtime", dialect=dialect)

    def take(self, event: ServerEvent | Unknown) -> None:
        self.events.append(event)
        self.changed.set()

    def end(self, fault: LinkError | None) -> None:
        self.ends.append(fault)
        self.changed.set()

    def websocket(self) -> Link:
        return WebSocketLink(
            self.endpoint, on_event=self.take, on_closed=self.end, append_ms=1, bytes_per_ms=1
        )

    def sideband(self) -> Link:
        return SidebandLink(self.endpoint, "rtc_1", on_event=self.take, on_closed=self.end)

    async def until(self, events: int, ends: int) -> None:
        async with asyncio.timeout(10):
            while len(self.events) < events or len(self.ends) < ends:
                self.changed.clear()
                await self.changed.wait()

    async def follow(self, steps: list[dict[str, Any]], link: Link) -> Link:
        """Live the recording through; returns the link it ended on."""
        await link.connect()
        events = ends = 0
        for step in steps:
            if step["kind"] == "close":
                ends += 1
                await self.until(events, ends)
                link = self.websocket()
                await link.connect()
            elif step["direction"] == "received":
                events += 1
            else:
                await self.until(events, ends)
                _say(link, step["data"])
        await self.until(events, ends)
        return link


def _say(link: Link, frame: dict[str, Any]) -> None:
    command = decode_command(json.dumps(frame))
    assert not isinstance(command, BadCommand)
    if isinstance(command, InputAudioBufferAppend):
        link.append(command.audio)
    else:
        link.send(msgspec.structs.replace(command, event_id=None))


def received(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [step["data"] for step in steps if step.get("direction") == "received"]


def check(owner: Owner, player: Player, steps: list[dict[str, Any]]) -> None:
    """Every frame was handed on, in order, under its own name, with nothing wrong in it."""
    assert player.differences == []
    expected = [frame["type"].strip() for frame in received(steps)]
    assert [wire_name(event) for event in owner.events] == [
        PREVIEW_ALIASES.get(name, name) for name in expected
    ]
    unknown = [event for event in owner.events if isinstance(event, Unknown)]
    assert not [event for event in unknown if event.problem]
    assert {event.type for event in unknown} <= FOREIGN
    assert not FOREIGN & SERVER_EVENTS.keys()


@pytest.mark.parametrize("path", recordings("websocket"))
async def test_a_recorded_session_is_lived_through(path: Path) -> None:
    steps = steps_of(path)
    async with Player(steps).running() as player:
        owner = Owner(player.port)
        link = await owner.follow(steps, owner.websocket())
        async with asyncio.timeout(10):
            await player.is_done.wait()
        await link.close()
    check(owner, player, steps)
    closes = [step for step in steps if step["kind"] == "close"]
    assert len(owner.ends) == len(closes) + 1
    for fault in owner.ends[:-1]:
        assert fault is not None
        assert fault.retryable
    assert owner.ends[-1] is None
    assert link.stats.duplicates == 0


@pytest.mark.parametrize("path", recordings("sideband"))
async def test_a_recorded_sideband_is_lived_through(path: Path) -> None:
    steps = steps_of(path)
    async with Player(steps).running() as player:
        owner = Owner(player.port)
        link = await owner.follow(steps, owner.sideband())
        async with asyncio.timeout(10):
            await player.is_done.wait()
        await link.close()
    check(owner, player, steps)
    names = [wire_name(event) for event in owner.events]
    assert names[0] == "session.updated", "the sideband waited for no session.created"
    assert "response.output_audio.delta" not in names


@pytest.mark.parametrize("path", recordings("websocket"))
async def test_the_preview_dialect_reads_every_recording_too(path: Path) -> None:
    frames = received(steps_of(path))
    events = [PREVIEW.decode(json.dumps(frame)) for frame in frames]
    unknown = [event for event in events if isinstance(event, Unknown)]
    assert {event.type for event in unknown} <= FOREIGN
    created = next(event for event in events if isinstance(event, SessionCreated))
    assert "audio" in created.session or "output_modalities" in created.session
    assert "modalities" not in created.session


# Requests


def is_same(heard: bytes, content_type: str, expected: dict[str, Any]) -> bool:
    if content_type.startswith("multipart/"):
        told = expected["headers"]["content-type"][0]
        ours, theirs = _parts(heard, content_type), _parts(expected["body"].encode(), told)
        return ours == theirs
    if content_type == "application/json":
        session: Any = json.loads(heard)["session"]
        return bool(session == expected["parsed_body"]["session"])
    return heard.decode() == expected["body"]


def _parts(body: bytes, content_type: str) -> dict[str, tuple[str, Any]]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    found = {}
    for part in message.iter_parts():  # type: ignore[attr-defined]
        content = part.get_payload(decode=True).decode().replace("\r\n", "\n").strip()
        kind = part.get_content_type()
        name = part.get_param("name", header="content-disposition")
        found[name] = (kind, json.loads(content) if kind.endswith("json") else content)
    return found


class Desk:
    """Answers requests as a recording has it, in its order."""

    def __init__(self, exchanges: list[dict[str, Any]]) -> None:
        self.exchanges = list(exchanges)
        self.differences: list[str] = []
        app = web.Application()
        app.router.add_post("/{path:.*}", self._serve)
        self.server = TestServer(app)

    async def _serve(self, request: web.Request) -> web.Response:
        exchange = self.exchanges.pop(0)
        expected, answer = exchange["request"], exchange["response"]
        path = expected["uri"].partition("?")[0].split("/", 3)[3]
        if request.path != f"/{path}":
            self.differences.append(f"{request.path} is not {path}")
        content_type = request.headers["Content-Type"]
        if not is_same(await request.read(), content_type, expected):
            self.differences.append(f"another body for {path}")
        body = answer["body"]["string"] if "body" in answer else json.dumps(answer["parsed_body"])
        headers = {name: answer["headers"][name][0] for name in ("content-type", "location")
                   if name in answer["headers"]}  # fmt: skip
        return web.Response(status=answer["status"]["code"], text=body, headers=headers)


def session_in(exchange: dict[str, Any]) -> dict[str, Any]:
    request = exchange["request"]
    if "parsed_body" in request:
        return dict(request["parsed_body"]["session"])
    return dict(
        _parts(request["body"].encode(), request["headers"]["content-type"][0])["session"][1]
    )


@pytest.mark.parametrize("path", recordings("http"))
async def test_a_recorded_request_is_made_and_its_answer_read(path: Path) -> None:
    exchanges = steps_of(path)
    desk = Desk(exchanges)
    is_azure = "/openai/v1/" in exchanges[0]["request"]["uri"]
    stem = "/openai/v1/realtime" if is_azure else "/v1/realtime"
    session, last = session_in(exchanges[0]), exchanges[-1]
    async with desk.server:
        url = f"ws://127.0.0.1:{desk.server.port}{stem}"
        client = ServiceClient(Endpoint(url, Key("sk-1"), takes_forms=not is_azure))
        if last["request"]["uri"].endswith("/client_secrets"):
            assert await client.client_secret(session) == "ek_scrubbed"
        else:
            offer = last["request"]["body"]
            if not is_azure:
                parts = _parts(offer.encode(), last["request"]["headers"]["content-type"][0])
                offer = parts["sdp"][1].replace("\n", "\r\n") + "\r\n"
            answer = await client.call(offer, session)
            assert answer.sdp == last["response"]["body"]["string"]
            assert answer.call_id == last["response"]["headers"]["location"][0].split("/")[-1]
            assert answer.call_id.startswith("rtc_")
        await client.close()
    assert desk.differences == []
    assert desk.exchanges == []

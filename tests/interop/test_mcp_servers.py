"""The embedded service's MCP client at a server of the protocol's own SDK."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from judges import MCP

from gateway.clock import CountedIds, monotonic
from gateway.embedded.agents.agent import (
    AgentEvent,
    AgentStep,
    CallTool,
    Say,
    SessionStarted,
    ToolReturned,
)
from gateway.embedded.errands import Errands
from gateway.embedded.protocol.mcp_server import McpServer
from gateway.embedded.protocol.session import Session
from gateway.embedded.remote.mcp import McpClient, McpError
from gateway.embedded.speech.voice import load_voice
from gateway.embedded.workers import Workers
from gateway.realtime import commands as c
from gateway.realtime.events import decode, wire_name

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module", params=["stream", "json", "stateless"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where a server listens, in each of the ways it may answer."""
    folder = MCP.need()
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "mcp_server" / "serve.py"), request.param],
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it draws its tracebacks
        text=True,
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/mcp"
        process.communicate("", timeout=20)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_its_tools_are_listed_and_called(url: str, http: aiohttp.ClientSession) -> None:
    client = McpClient(http, McpServer("town", url))
    tools = await client.list_tools()
    assert [tool["name"] for tool in tools] == ["weather", "count", "fail"]
    assert tools[0]["description"] == "Tells the weather of a town."
    assert tools[0]["input_schema"]["required"] == ["town"]
    assert await client.call_tool("weather", '{"town": "Oslo"}') == "It rains in Oslo."
    first = int(await client.call_tool("count", "{}"))
    answers = await asyncio.gather(*(client.call_tool("count", "") for _ in range(3)))
    assert sorted(map(int, answers)) == [first + 1, first + 2, first + 3]
    await client.close()


@pytest.mark.parametrize(
    ("name", "arguments", "kind", "told"),
    [
        ("fail", "{}", "tool_execution_error", "fail"),
        ("weather", "{}", "tool_execution_error", "town"),
        ("weather", "Oslo", "tool_execution_error", "no JSON object"),
    ],
)
async def test_what_goes_wrong_is_told_in_the_services_words(
    url: str, http: aiohttp.ClientSession, name: str, arguments: str, kind: str, told: str
) -> None:
    client = McpClient(http, McpServer("town", url))
    with pytest.raises(McpError, match=told) as raised:
        await client.call_tool(name, arguments)
    assert raised.value.detail["type"] == kind
    await client.close()


async def test_a_tool_that_is_not_there_is_an_error(url: str, http: aiohttp.ClientSession) -> None:
    client = McpClient(http, McpServer("town", url))
    with pytest.raises(McpError, match="nobody"):
        await client.call_tool("nobody", "{}")
    await client.close()


class Meteorologist:
    """An agent that asks for the weather, and says what it is told."""

    grammar = None
    barge_in = True
    idle_timeout_ms = None
    deadline = None

    def __init__(self) -> None:
        self.tools: tuple[str, ...] = ()

    def handle(self, event: AgentEvent, now: float) -> list[AgentStep]:
        match event:
            case SessionStarted(tools):
                self.tools = tools
                return []
            case ToolReturned(_, output):
                return [Say(output)]
            case _:
                return [CallTool("weather", {"town": "Oslo"})]

    def wake(self, now: float) -> list[AgentStep]:
        return []


async def test_a_session_calls_a_tool_of_a_real_server(url: str) -> None:
    agent = Meteorologist()
    session = Session(lambda: agent, CountedIds(), now=monotonic(), unix_now=0)
    workers = Workers(load_voice(), None)
    errands = Errands(session, workers, monotonic, lambda: None)
    named = {
        "type": "mcp",
        "server_label": "town",
        "server_url": url,
        "require_approval": "never",
    }
    update = c.SessionUpdate(
        session={"type": "realtime", "tools": [named], "output_modalities": ["text"]}
    )
    names: list[str] = []

    async def send(command: c.ClientEvent) -> None:
        session.receive(c.encode(command), monotonic())
        while jobs := session.jobs():
            for job in jobs:
                await errands.run(job)
        names.extend(wire_name(decode(frame)) for frame in session.data_to_send())

    await send(update)
    assert agent.tools == ("weather", "count", "fail")
    await send(c.ResponseCreate())
    await errands.close()
    workers.close()
    assert names[-8:] == [
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    assert "response.mcp_call.completed" in names


class Rogue:
    """A server that answers as it is told to."""

    def __init__(self) -> None:
        self.answers: list[web.Response] = []
        self.seen: list[dict[str, Any]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append({"headers": dict(request.headers), "body": await request.text()})
        return self.answers.pop(0) if self.answers else web.Response(status=500)


@pytest.fixture
async def rogue() -> AsyncIterator[tuple[Rogue, str]]:
    server = Rogue()
    app = web.Application()
    app.router.add_route("*", "/mcp", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield server, f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
    await runner.cleanup()


def rpc(request_id: int, **fields: Any) -> web.Response:
    return web.json_response({"jsonrpc": "2.0", "id": request_id, **fields})


HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "r"}}


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (lambda: web.Response(status=401), {"type": "http_error", "code": 401}),
        (
            lambda: web.Response(status=307, headers={"Location": "http://127.0.0.1:1/"}),
            {"type": "http_error", "code": 307},
        ),
        (
            lambda: rpc(1, error={"code": -32601, "message": "never heard of it"}),
            {"type": "protocol_error", "code": -32601},
        ),
        (lambda: web.Response(text="hello"), {"type": "protocol_error", "code": -32603}),
        (lambda: web.Response(text="[" * 100_000), {"type": "protocol_error", "code": -32603}),
        (lambda: rpc(1, result=[7]), {"type": "protocol_error", "code": -32603}),
        (
            lambda: web.Response(body=b"[" * 5_000_000, content_type="application/json"),
            {"type": "tool_execution_error"},
        ),
        (
            lambda: web.Response(body=b"data: " * 900_000, content_type="text/event-stream"),
            {"type": "tool_execution_error"},
        ),
    ],
)
async def test_a_server_that_misbehaves_is_an_error_and_nothing_worse(
    rogue: tuple[Rogue, str], http: aiohttp.ClientSession, answer: Any, detail: dict[str, Any]
) -> None:
    server, url = rogue
    server.answers = [answer()]
    client = McpClient(http, McpServer("rogue", url, {"Authorization": "Bearer hush"}))
    with pytest.raises(McpError) as raised:
        await client.list_tools()
    assert detail.items() <= raised.value.detail.items()
    assert "hush" not in str(raised.value)
    assert len(server.seen) == 1


async def test_a_server_that_forgot_us_is_told_again_who_we_are(
    rogue: tuple[Rogue, str], http: aiohttp.ClientSession
) -> None:
    server, url = rogue
    hello = rpc(1, result=HELLO)
    hello.headers["Mcp-Session-Id"] = "first"
    server.answers = [
        hello,
        web.Response(status=202),
        web.Response(status=404),
        rpc(3, result=HELLO),
        web.Response(status=202),
        rpc(4, result={"content": [{"type": "text", "text": "there"}]}),
    ]
    client = McpClient(http, McpServer("rogue", url, {"X-Line": "7"}))
    assert await client.call_tool("hello", "{}") == "there"
    headers = [each["headers"] for each in server.seen]
    assert [each.get("Mcp-Session-Id") for each in headers] == [
        None,
        "first",
        "first",
        None,
        None,
        None,
    ]
    assert {each["X-Line"] for each in headers} == {"7"}
    assert "MCP-Protocol-Version" not in headers[0]
    assert headers[2]["MCP-Protocol-Version"] == "2025-06-18"


async def test_pages_of_tools_are_read_and_what_is_no_tool_is_left_out(
    rogue: tuple[Rogue, str], http: aiohttp.ClientSession
) -> None:
    server, url = rogue
    server.answers = [
        rpc(1, result=HELLO),
        web.Response(status=202),
        rpc(2, result={"tools": [{"name": "one", "inputSchema": {}}, 7], "nextCursor": "more"}),
        rpc(3, result={"tools": [{"name": "two", "annotations": {"readOnlyHint": True}}]}),
    ]
    client = McpClient(http, McpServer("rogue", url))
    tools = await client.list_tools()
    assert tools == [
        {"name": "one", "input_schema": {"type": "object"}},
        {
            "name": "two",
            "input_schema": {"type": "object"},
            "annotations": {"readOnlyHint": True},
        },
    ]
    assert '"cursor":"more"' in server.seen[-1]["body"]


async def test_nobody_at_the_address_is_an_error(http: aiohttp.ClientSession) -> None:
    for url in ("http://127.0.0.1:1/mcp", "nonsense", ""):
        with pytest.raises(McpError) as raised:
            await McpClient(http, McpServer("nobody", url)).list_tools()
        assert raised.value.detail["type"] == "tool_execution_error"

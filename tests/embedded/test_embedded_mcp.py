"""Tools of MCP servers in a session of the embedded service, in virtual time."""

import json
from typing import Any

import pytest
from rote_agent import Fake, once, update

from gateway.clock import CountedIds
from gateway.embedded.agents.agent import CallTool, Say, SessionStarted, ToolReturned
from gateway.embedded.protocol.mcp_server import read_server
from gateway.embedded.protocol.outbox import CallMcp, ListTools
from gateway.embedded.protocol.session import Session
from gateway.realtime import commands as c
from gateway.realtime import events as e
from gateway.testing.service_client import ServiceClient

WEATHER = {"name": "weather", "description": "Tells it.", "input_schema": {"type": "object"}}
BOOK = {"name": "book", "input_schema": {"type": "object"}, "annotations": {"readOnlyHint": False}}
LIST = [
    "conversation.item.added",
    "mcp_list_tools.in_progress",
    "conversation.item.done",
    "mcp_list_tools.completed",
]
CALL = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.mcp_call_arguments.delta",
    "response.mcp_call_arguments.done",
    "response.mcp_call.in_progress",
]


def server(**fields: Any) -> dict[str, Any]:
    return {
        "type": "mcp",
        "server_label": "town",
        "server_url": "http://127.0.0.1:1/mcp",
        "require_approval": "never",
        **fields,
    }


def attach(client: ServiceClient, *tools: dict[str, Any]) -> ListTools:
    """Name MCP servers; return the last one's import, which is then waited for."""
    update(client, tools=list(tools))
    job = client.take_waiting()[-1]
    assert isinstance(job, ListTools)
    return job


def list_tools(client: ServiceClient, *tools: dict[str, Any], **fields: Any) -> None:
    job = attach(client, server(**fields))
    client.session.listed(job.job, list(tools), client.now)
    client.settle()


def call(client: ServiceClient) -> CallMcp:
    (job,) = client.take_waiting()
    assert isinstance(job, CallMcp)
    return job


@pytest.fixture
def weather(client: ServiceClient, agent: Fake) -> ServiceClient:
    """A session whose agent will ask for the weather."""
    list_tools(client, WEATHER)
    agent.answer = [Say("One moment."), CallTool("weather", {"town": "Oslo"})]
    client.take()
    return client


def test_the_tools_of_a_server_are_imported_and_told_to_the_agent(
    client: ServiceClient, agent: Fake
) -> None:
    job = attach(client, server(authorization="hush", headers={"X-Line": "7"}))
    assert client.names[-2:] == LIST[:2]
    assert job.server.headers == {"X-Line": "7", "Authorization": "Bearer hush"}
    assert "hush" not in repr(job)
    client.session.listed(job.job, [WEATHER, BOOK], client.now)
    client.settle()
    assert client.names[-4:] == LIST
    item = client.last(e.ConversationItemDone).item
    assert (item.type, item.server_label, item.tools) == ("mcp_list_tools", "town", [WEATHER, BOOK])
    assert client.last(e.McpListToolsCompleted).item_id == item.id
    assert agent.told[-1] == SessionStarted(("weather", "book"))


def test_what_opens_a_server_is_shown_to_nobody(client: ServiceClient) -> None:
    attach(client, server(authorization="hush", headers={"X-Key": "hush"}))
    assert client.last(e.SessionUpdated).session["tools"] == [server()]
    assert not any(b"hush" in frame for frame in client.raw)


def test_a_server_that_cannot_be_had_is_told_and_the_session_goes_on(
    client: ServiceClient, agent: Fake
) -> None:
    job = attach(client, server())
    client.session.unlisted(job.job)
    client.settle()
    assert client.names[-2:] == ["conversation.item.done", "mcp_list_tools.failed"]
    client.send(c.ResponseCreate())
    assert client.last(e.ResponseDone).response.status == "completed"


def test_a_server_is_asked_again_only_when_it_has_changed(client: ServiceClient) -> None:
    job = attach(client, server())
    update(client, tools=[server()])
    assert client.take_waiting() == []
    attach(client, server(allowed_tools=["book"]))
    client.take()
    client.session.listed(job.job, [WEATHER], client.now)
    client.settle()
    assert client.names == [], "the first import is of no interest any more"


def test_only_allowed_tools_are_imported(client: ServiceClient, agent: Fake) -> None:
    list_tools(client, WEATHER, BOOK, allowed_tools=["book"])
    assert agent.told[-1] == SessionStarted(("book",))
    list_tools(client, WEATHER, BOOK, allowed_tools={"read_only": False})
    assert agent.told[-1] == SessionStarted(("weather", "book"))


def test_a_tool_is_called_by_the_service_and_the_answer_goes_on_with_what_it_gave(
    weather: ServiceClient, agent: Fake
) -> None:
    weather.send(c.ResponseCreate())
    assert once(weather.names)[-5:] == CALL[1:]
    job = call(weather)
    assert (job.name, json.loads(job.arguments)) == ("weather", {"town": "Oslo"})
    agent.answer = [Say("It rains.")]
    weather.take()
    weather.session.tool_returned(job.job, "rain", weather.now)
    weather.settle()
    assert agent.told[-1] == ToolReturned("weather", "rain")
    assert weather.names[:3] == [
        "response.mcp_call.completed",
        "conversation.item.done",
        "response.output_item.done",
    ]
    done = weather.last(e.ResponseDone).response
    assert [item.type for item in done.output or ()] == ["message", "mcp_call", "message"]
    item = (done.output or [])[1]
    assert (item.output, item.error, item.status) == ("rain", None, None)


def test_a_tool_that_fails_is_told_with_its_error_and_the_agent_answers(
    weather: ServiceClient, agent: Fake
) -> None:
    weather.send(c.ResponseCreate())
    job = call(weather)
    agent.answer = [Say("Sorry.")]
    error = {"type": "tool_execution_error", "message": "no such town"}
    weather.session.tool_returned(job.job, None, weather.now, error)
    weather.settle()
    assert "response.mcp_call.failed" in weather.names
    assert agent.told[-1] == ToolReturned(
        "weather", json.dumps({"error": error}, separators=(",", ":"))
    )
    assert weather.last(e.ResponseDone).response.status == "completed"


def test_a_caller_who_speaks_over_a_tool_ends_it(weather: ServiceClient) -> None:
    weather.send(c.ResponseCreate())
    job = call(weather)
    weather.send(c.ResponseCancel())
    assert weather.names.count("response.mcp_call.failed") == 1
    weather.take()
    weather.session.tool_returned(job.job, "rain", weather.now)
    weather.settle()
    assert weather.names == []


def approve(client: ServiceClient, request_id: str | None, *, is_approved: bool) -> None:
    item = {
        "type": "mcp_approval_response",
        "approval_request_id": request_id,
        "approve": is_approved,
        "reason": None if is_approved else "not today",
    }
    client.send(c.ConversationItemCreate(item=item))


def test_a_tool_that_needs_the_clients_word_waits_for_it(
    client: ServiceClient, agent: Fake
) -> None:
    list_tools(client, WEATHER, require_approval="always")
    agent.answer = [CallTool("weather", {"town": "Oslo"})]
    client.send(c.ResponseCreate())
    request = (client.last(e.ResponseDone).response.output or [])[-1]
    assert (request.type, request.name, request.server_label) == (
        "mcp_approval_request",
        "weather",
        "town",
    )
    approve(client, "mcpr_nobody", is_approved=True)
    assert client.last(e.ErrorEvent).error.param == "item.approval_request_id"
    approve(client, request.id, is_approved=True)
    client.take()
    client.send(c.ResponseCreate())
    assert client.names == CALL
    job = call(client)
    agent.answer = [Say("It rains.")]
    client.session.tool_returned(job.job, "rain", client.now)
    client.settle()
    (item, _) = client.last(e.ResponseDone).response.output or []
    assert item.approval_request_id == request.id
    approve(client, request.id, is_approved=True)
    assert client.names[-1] == "error", "an answer counts once"


def test_a_call_that_is_denied_is_not_made_and_the_agent_learns_why(
    client: ServiceClient, agent: Fake
) -> None:
    list_tools(client, WEATHER, require_approval={"never": {"tool_names": ["book"]}})
    agent.answer = [CallTool("weather", {})]
    client.send(c.ResponseCreate())
    request = (client.last(e.ResponseDone).response.output or [])[-1]
    approve(client, request.id, is_approved=False)
    agent.answer = [Say("As you wish.")]
    client.send(c.ResponseCreate())
    assert client.take_waiting() == []
    assert agent.told[-1] == ToolReturned("weather", '{"error":"not today"}')


def test_a_function_of_the_client_goes_before_a_tool_of_the_same_name(
    client: ServiceClient, agent: Fake
) -> None:
    job = attach(client, server(), {"type": "function", "name": "weather"})
    client.session.listed(job.job, [WEATHER], client.now)
    agent.answer = [CallTool("weather", {})]
    client.send(c.ResponseCreate())
    assert "response.function_call_arguments.done" in client.names
    assert "response.mcp_call.in_progress" not in client.names


@pytest.mark.parametrize(
    ("policy", "needs"),
    [
        (None, (True, True)),
        ("never", (False, False)),
        ({"never": {"tool_names": ["weather"]}}, (False, True)),
        ({"always": {"tool_names": ["book"]}}, (False, True)),
        ({"never": {"read_only": True}}, (True, True)),
        ({"always": {"read_only": False}, "never": {"tool_names": ["book"]}}, (True, False)),
    ],
)
def test_who_must_agree_to_what(policy: Any, needs: tuple[bool, bool]) -> None:
    named = read_server(server(require_approval=policy))
    assert (named.needs_approval(WEATHER), named.needs_approval(BOOK)) == needs


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ([server(), server()], "session.tools"),
        ([server(surprise=1)], "session.tools[0].surprise"),
        ([server(headers=["X-Key"])], "session.tools[0].headers"),
        ([{"type": "mcp"}], "session.tools[0].server_label"),
        ([server(require_approval="perhaps")], "session.tools[0].require_approval"),
    ],
)
def test_a_server_that_is_named_wrongly_is_refused(
    client: ServiceClient, tools: list[Any], param: str
) -> None:
    update(client, tools=tools)
    assert client.last(e.ErrorEvent).error.param == param


def test_a_session_that_begins_with_a_server_tells_of_it_after_its_beginning(agent: Fake) -> None:
    preset = {"type": "realtime", "tools": [server()]}
    session = Session(lambda: agent, CountedIds(), now=0, unix_now=1, preset=preset)
    names = [e.wire_name(e.decode(frame)) for frame in session.data_to_send()]
    assert names == ["session.created", *LIST[:2]]

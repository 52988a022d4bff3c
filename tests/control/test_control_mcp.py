"""Tools at MCP servers: allowed or refused, waited for, covered by a soft sound, followed up."""

from typing import Any

import pytest
from call_scenes import said, settings, talking

from gateway.config import Settings
from gateway.control import Log, Play, Stop
from gateway.control.settings import COMFORT
from gateway.realtime import events as wire
from gateway.realtime.commands import ConversationItemCreate, ResponseCreate, SessionUpdate
from gateway.realtime.events import Item, ResponseInfo
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply

CRM = {"type": "mcp", "server_label": "crm", "server_url": "https://crm.example/mcp"}
SHOP = {"type": "mcp", "server_label": "shop", "server_url": "https://shop.example/mcp"}


def plan(*tools: dict[str, Any], **mcp: Any) -> Settings:
    return settings(session={"tools": list(tools or (CRM,))}, mcp=mcp)


def ringing(plan: Settings) -> Flow:
    """Return a call whose session is set up and whose tools are not listed yet."""
    flow = Flow(plan)
    flow.start()
    flow.run(0.3)
    return flow


def listed(item_id: str, label: str) -> wire.ConversationItemDone:
    tools = [{"name": "look_up", "input_schema": {}}, "odd"]
    return wire.ConversationItemDone(
        item=Item(id=item_id, type="mcp_list_tools", server_label=label, tools=tools)
    )


def request(item_id: str = "ask-1", tool: str = "look_up", server: str = "crm") -> Item:
    return Item(
        id=item_id, type="mcp_approval_request", name=tool, server_label=server, arguments="{}"
    )


def call(item_id: str = "call-1", **fields: Any) -> Item:
    return Item(id=item_id, type="mcp_call", name="look_up", server_label="crm", **fields)


def begin(flow: Flow, response_id: str = "r") -> None:
    flow.emit(wire.ResponseCreated(response=ResponseInfo(id=response_id, status="in_progress")))


def finish(flow: Flow, *output: Item, response_id: str = "r", status: str = "completed") -> None:
    info = ResponseInfo(id=response_id, status=status, output=list(output))
    flow.emit(wire.ResponseDone(response=info))


def answers(flow: Flow) -> list[dict[str, Any]]:
    items = [command.item for command in flow.sent(ConversationItemCreate)]
    return [item for item in items if item["type"] == "mcp_approval_response"]


def asked(flow: Flow) -> int:
    return len(flow.sent(ResponseCreate))


def logged(flow: Flow) -> str:
    return "\n".join(action.text for action in flow.did(Log))


# The greeting waits for tools


def test_the_greeting_waits_for_the_tools_of_every_server() -> None:
    flow = ringing(plan(CRM, SHOP))
    assert asked(flow) == 0
    for item_id, label in (("l1", "crm"), ("l2", "shop")):
        flow.emit(wire.McpListToolsInProgress(item_id=item_id))
        flow.emit(listed(item_id, label))
    flow.emit(wire.McpListToolsCompleted(item_id="l1"))
    flow.emit(wire.McpListToolsCompleted(item_id="l1"))
    assert asked(flow) == 0
    flow.emit(wire.McpListToolsCompleted(item_id="l2"))
    assert asked(flow) == 1


def test_tools_that_cannot_be_listed_are_done_without() -> None:
    flow = ringing(plan())
    flow.emit(
        wire.ConversationItemAdded(item=Item(id="l", type="mcp_list_tools", server_label="crm"))
    )
    flow.emit(wire.McpListToolsFailed(item_id="l"))
    assert asked(flow) == 1
    assert "the tools of crm cannot be listed" in logged(flow)


def test_tools_that_take_long_are_not_waited_for_beyond_the_limit() -> None:
    flow = ringing(plan(wait_seconds=1.0))
    flow.run(0.6)
    assert asked(flow) == 0
    flow.run(0.3)
    assert asked(flow) == 1
    flow.emit(wire.McpListToolsCompleted(item_id="l"))
    flow.run(5)
    assert asked(flow) == 1


@pytest.mark.parametrize(
    ("tools", "seconds"),
    [([], 2.0), ([CRM], 0.0), ([CRM | {"defer_loading": True}], 2.0)],
)
def test_nobody_waits_where_no_tools_are_to_come(tools: list[Any], seconds: float) -> None:
    flow = ringing(settings(session={"tools": tools}, mcp={"wait_seconds": seconds}))
    assert asked(flow) == 1


def test_tools_listed_before_the_session_is_confirmed_are_not_waited_for() -> None:
    flow = Flow(plan())
    flow.start()
    flow.run(0.055)
    flow.emit(wire.McpListToolsCompleted(item_id="l"))
    assert flow.controller.state.value != "talking"
    flow.run(0.1)
    assert asked(flow) == 1


def test_every_new_session_is_given_the_tools_in_full_and_greets_nobody_again() -> None:
    flow = talking(plan(wait_seconds=0.1), settle=4)
    greetings = asked(flow)
    flow.lose_service()
    flow.run(10)
    first, second = flow.sent(SessionUpdate)
    assert first.session["tools"] == second.session["tools"]
    assert CRM in second.session["tools"]
    assert asked(flow) == greetings


# Requests to be allowed a tool


@pytest.mark.parametrize(
    ("patterns", "tool", "is_granted"),
    [
        (["crm/look_up"], "look_up", True),
        (["crm/look_*"], "look_up", True),
        (["crm/*"], "delete_all", True),
        (["shop/*", "crm/look_up"], "delete_all", False),
        (["CRM/look_up"], "look_up", False),
        ([], "look_up", False),
    ],
)
def test_a_tool_is_allowed_where_a_pattern_names_it(
    patterns: list[str], tool: str, is_granted: bool
) -> None:
    flow = talking(plan(approve=patterns, wait_seconds=0))
    flow.emit(wire.ConversationItemAdded(item=request(tool=tool)))
    (answer,) = answers(flow)
    assert answer["approve"] is is_granted
    assert answer["approval_request_id"] == "ask-1"
    assert answer["id"]
    assert answer["reason"]
    assert f"tool crm/{tool}" in logged(flow)


def test_a_request_is_answered_once_by_whatever_events_it_is_told() -> None:
    flow = talking(plan(approve=["crm/*"], wait_seconds=0))
    begin(flow)
    flow.emit(wire.ResponseOutputItemAdded(response_id="r", output_index=0, item=request()))
    flow.emit(wire.ConversationItemCreated(item=request()))
    flow.emit(wire.ConversationItemDone(item=request()))
    flow.emit(wire.ResponseOutputItemDone(response_id="r", output_index=0, item=request()))
    finish(flow, request())
    flow.emit(wire.ConversationItemAdded(item=request("ask-2")))
    assert [answer["approval_request_id"] for answer in answers(flow)] == ["ask-1", "ask-2"]


def test_a_request_is_judged_once_it_says_what_it_is_for() -> None:
    flow = talking(plan(approve=["crm/*"], wait_seconds=0))
    flow.emit(wire.ConversationItemAdded(item=Item(id="ask-1", type="mcp_approval_request")))
    assert not answers(flow)
    flow.emit(wire.ConversationItemDone(item=request()))
    assert answers(flow)[0]["approve"] is True


def test_after_an_answer_the_model_is_asked_to_go_on_when_its_response_is_done() -> None:
    flow = talking(plan(wait_seconds=0))
    before = asked(flow)
    begin(flow)
    flow.emit(wire.ResponseOutputItemDone(response_id="r", output_index=0, item=request()))
    flow.run(1.0)
    assert asked(flow) == before
    finish(flow, request())
    flow.run(1.0)
    assert asked(flow) == before + 1


# A caller who waits for a tool


def test_a_model_that_only_calls_what_it_may_not_is_told_to_speak_and_then_left() -> None:
    flow = talking(plan(wait_seconds=0))
    asked_before = asked(flow)
    for number in range(20):
        begin(flow, f"r{number}")
        finish(flow, request(f"ask-{number}"), response_id=f"r{number}")
        flow.run(1)
    assert asked(flow) - asked_before <= 4
    assert "it is asked no more" in logged(flow)


def work(flow: Flow, seconds: float = 3.0) -> None:
    begin(flow)
    flow.emit(wire.ResponseMcpCallInProgress(item_id="call-1", output_index=0))
    flow.run(seconds)


def test_a_tool_that_takes_long_is_covered_by_a_soft_sound_until_it_is_done() -> None:
    flow = talking(plan(wait_seconds=0), settle=4)
    work(flow, 0.7)
    assert Play(COMFORT, is_repeated=True) not in flow.did(Play)
    flow.run(0.2)
    assert flow.did(Play) == [Play(COMFORT, is_repeated=True)]
    flow.emit(wire.ResponseMcpCallCompleted(item_id="call-1", output_index=0))
    assert len(flow.did(Stop)) == 1


def test_a_tool_that_is_quick_or_fails_at_once_is_not_heard_of() -> None:
    for event in (wire.ResponseMcpCallCompleted, wire.ResponseMcpCallFailed):
        flow = talking(plan(wait_seconds=0), settle=4)
        work(flow, 0.5)
        flow.emit(event(item_id="call-1", output_index=0))
        flow.run(3)
        assert not flow.did(Play)


def test_a_tool_that_never_ends_does_not_keep_the_caller_forever() -> None:
    flow = talking(plan(wait_seconds=0), settle=4)
    begin(flow)
    flow.emit(wire.ResponseMcpCallInProgress(item_id="call-1", output_index=0))
    finish(flow, call())
    before = asked(flow)
    flow.run(59)
    assert asked(flow) == before
    flow.run(3)
    assert asked(flow) == before + 1
    assert "takes too long" in logged(flow)


# Going on after a tool


def test_the_model_is_asked_to_go_on_where_it_does_not_by_itself() -> None:
    flow = talking(plan(wait_seconds=0), settle=4)
    before = asked(flow)
    work(flow, 0.2)
    flow.emit(wire.ResponseMcpCallCompleted(item_id="call-1", output_index=0))
    finish(flow, call(output="42"))
    flow.run(0.25)
    assert asked(flow) == before
    flow.run(0.1)
    assert asked(flow) == before + 1


def test_the_model_is_not_asked_where_it_went_on_by_itself() -> None:
    flow = talking(plan(wait_seconds=0), settle=4)
    before = asked(flow)
    work(flow, 0.2)
    flow.emit(wire.ResponseMcpCallCompleted(item_id="call-1", output_index=0))
    finish(flow, call(output="42"))
    begin(flow, "r2")
    finish(flow, Item(id="m", type="message", role="assistant"), response_id="r2")
    flow.run(5)
    assert asked(flow) == before


@pytest.mark.parametrize(
    "output",
    [
        [call(output="42"), Item(id="m", type="message", role="assistant")],
        [Item(id="m", type="message", role="assistant")],
        [],
    ],
)
def test_an_answer_that_ends_in_words_is_not_followed_up(output: list[Item]) -> None:
    flow = talking(plan(wait_seconds=0), settle=4)
    before = asked(flow)
    begin(flow)
    finish(flow, *output)
    flow.run(5)
    assert asked(flow) == before


def test_a_call_still_at_work_when_its_response_is_done_is_waited_for() -> None:
    flow = talking(plan(wait_seconds=0), settle=4)
    before = asked(flow)
    begin(flow)
    flow.emit(wire.ResponseMcpCallInProgress(item_id="call-1", output_index=0))
    finish(flow, call())
    flow.run(4)
    assert asked(flow) == before
    flow.emit(wire.ResponseMcpCallFailed(item_id="call-1", output_index=0))
    flow.run(1)
    assert asked(flow) == before + 1


def test_a_caller_who_speaks_meanwhile_is_answered_once() -> None:
    flow = talking(plan(wait_seconds=0), Reply(), settle=4)
    before = asked(flow)
    work(flow, 0.2)
    flow.emit(wire.ResponseMcpCallCompleted(item_id="call-1", output_index=0))
    finish(flow, call(output="42"))
    flow.service.hear_caller(1.0)
    flow.run(6)
    assert asked(flow) == before


def test_a_goodbye_is_not_followed_up() -> None:
    flow = talking(plan(wait_seconds=0), settle=4)
    begin(flow)
    finish(flow, call(output="42"))
    flow.press("#")
    before = said(flow)
    flow.run(0.1)
    flow.lose_service()
    flow.run(5)
    assert said(flow) == before


def test_a_link_that_is_lost_takes_its_tools_with_it() -> None:
    flow = talking(plan(wait_seconds=0), settle=4)
    work(flow, 0.2)
    flow.emit(
        wire.ResponseMcpCallArgumentsDone(
            response_id="r", item_id="call-1", output_index=0, arguments='{"q": 1}'
        )
    )
    flow.lose_service()
    flow.run(20)
    assert "is called with" in logged(flow)
    assert "takes too long" not in logged(flow)

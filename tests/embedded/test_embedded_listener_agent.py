"""An agent whose gateway speaks the prompts: it says nothing first, and asks for tools."""

from pathlib import Path

import pytest

from gateway.embedded.agents.agent import (
    AgentStep,
    CallTool,
    Remark,
    ResponseRequested,
    Say,
    SessionStarted,
    ToolReturned,
    TurnEnded,
)
from gateway.embedded.agents.engine import ScriptAgent
from gateway.embedded.agents.script import load_script

SCRIPT = load_script(Path(__file__).parents[2] / "sip_configs" / "demo" / "agent.toml")
TOOLS = SessionStarted(("transfer_call", "hang_up", "open_menu", "set_variable", "collect_digits"))


@pytest.fixture
def agent() -> ScriptAgent:
    agent = ScriptAgent(SCRIPT)
    agent.handle(TOOLS, 0.0)
    return agent


def said(agent: ScriptAgent, words: str) -> list[AgentStep]:
    return agent.handle(TurnEnded(words), 0.0)


def test_the_first_words_of_the_caller_are_understood(agent: ScriptAgent) -> None:
    assert said(agent, "sales please") == [CallTool("open_menu", {"menu": "sales"})]


def test_it_repeats_nothing_when_asked_for_a_response(agent: ScriptAgent) -> None:
    assert agent.handle(ResponseRequested(), 0.0) == []


def test_after_a_tool_it_listens_again(agent: ScriptAgent) -> None:
    said(agent, "support")
    assert agent.handle(ToolReturned("collect_digits", '{"ok": true}'), 0.0) == []
    assert said(agent, "hang up")[-1] == CallTool("hang_up")


def test_words_it_does_not_know_are_told_so(agent: ScriptAgent) -> None:
    assert said(agent, "bananas") == [Say("Sorry, I did not get that.")]


def test_it_explains_a_transfer_that_the_gateway_tells_has_failed(agent: ScriptAgent) -> None:
    told = Remark("The transfer to operator failed with status 486: it is busy.")
    assert agent.handle(told, 0.0) == [Say("I am sorry, no operator is free at the moment.")]
    assert agent.handle(Remark("The caller is back."), 0.0) == []


def test_every_tool_it_calls_is_one_the_line_offers() -> None:
    assert {state.call for state in SCRIPT.states.values()} - {""} <= set(TOOLS.tools)

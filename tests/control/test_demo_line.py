"""The demo's line in virtual time: the whole of its configuration, as callers go through it."""

from pathlib import Path

import pytest

from gateway.config import Settings, load
from gateway.control import CallState, HangUp, Mute
from gateway.control.actions import CallOut
from gateway.control.events import MenuClosed, PlayoutFlushed
from gateway.embedded.agents.agent import CallTool, SessionStarted, ToolReturned, TurnEnded
from gateway.embedded.agents.engine import ScriptAgent
from gateway.embedded.agents.script import load_script
from gateway.realtime.commands import ConversationItemCreate
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply
from tests.control.call_scenes import state

LINE = Path(__file__).parents[2] / "sip_configs" / "demo" / "gateway.toml"


@pytest.fixture
def flow() -> Flow:
    """Return a call to the line, which has heard the choice of languages."""
    flow = Flow(load(LINE, {}))
    flow.start()
    flow.run(3)
    return flow


def press(flow: Flow, keys: str, settle: float = 3.0) -> None:
    flow.press(keys)
    flow.run(settle)


def test_the_line_begins_with_the_choice_of_a_language(flow: Flow) -> None:
    assert flow.said[0].startswith("Thank you for calling Northwind.")
    assert flow.place == "language"


@pytest.mark.parametrize(("key", "words"), [("1", "For sales, press 1"), ("2", "Para ventas")])
def test_the_menu_is_in_the_language_chosen(flow: Flow, key: str, words: str) -> None:
    press(flow, key)
    assert flow.said[-1].startswith(words)
    assert flow.place == "main"


def test_the_service_hears_the_caller_from_the_first_word_but_not_while_a_number_is_entered(
    flow: Flow,
) -> None:
    press(flow, "1")
    assert flow.did(Mute) == []
    press(flow, "2")
    assert [mute.who for mute in flow.did(Mute)] == ["caller"]


def test_a_caller_who_talks_over_the_greeting_stops_it_and_is_listened_to() -> None:
    flow = Flow(load(LINE, {}))
    flow.start()
    flow.run(1)
    flow.agent_calls("set_variable", name="language", value="es")
    flow.agent_calls("open_menu", menu="main")
    flow.say("español", seconds=0.8)
    flow.run(5)
    assert any(isinstance(entry.subject, PlayoutFlushed) for entry in flow.timeline.entries)
    assert flow.said[-1].startswith("Para ventas")
    assert flow.place == "main"


@pytest.mark.parametrize(
    ("words", "calls"),
    [
        ("English please", [("set_variable", "en"), ("open_menu", "main")]),
        ("Hello", [("open_menu", "language")]),
    ],
)
def test_the_agent_understands_a_language_and_who_says_hello(
    words: str, calls: list[tuple[str, str]]
) -> None:
    agent = ScriptAgent(load_script(LINE.with_name("agent.toml")))
    agent.handle(SessionStarted(("set_variable", "open_menu")), now=0.0)
    steps = agent.handle(TurnEnded(words), now=0.0)
    for name, value in calls:
        (step,) = steps
        assert isinstance(step, CallTool)
        assert isinstance(step.arguments, dict)
        assert (step.name, list(step.arguments.values())[-1]) == (name, value)
        steps = agent.handle(ToolReturned(name, '{"status":"ok"}'), now=0.0)
    assert agent.state == "listening"


def test_an_account_number_is_taken_by_keys_and_read_out(flow: Flow) -> None:
    press(flow, "1")
    press(flow, "2")
    press(flow, "4711#", settle=6)
    assert flow.variable("account") == "4711"
    assert any(text.startswith("You entered 4 7 1 1. Thank you.") for text in flow.said)
    assert flow.place == "main"


def test_a_number_that_is_too_short_is_asked_for_again_then_an_operator_comes(flow: Flow) -> None:
    press(flow, "1")
    press(flow, "2")
    for _ in range(3):
        press(flow, "47#", settle=6)
    assert flow.said.count("An account number has four to eight digits.") == 1
    assert flow.did(CallOut)


@pytest.mark.parametrize("before", ["", "1", "11"])
def test_zero_is_an_operator_in_every_menu(flow: Flow, before: str) -> None:
    for key in before:
        press(flow, key)
    press(flow, "0")
    assert flow.did(CallOut)
    assert state(flow) is CallState.TRANSFERRING


def test_star_leads_back_from_sales(flow: Flow) -> None:
    press(flow, "1")
    press(flow, "1")
    assert flow.place == "sales"
    press(flow, "*")
    assert flow.place == "main"
    assert flow.said[-1].startswith("For sales")


def test_three_has_the_agent_tell_the_hours(flow: Flow) -> None:
    flow.service.replies.append(Reply())
    press(flow, "1")
    press(flow, "3")
    texts = [command.item for command in flow.sent(ConversationItemCreate)]
    assert "opening hours" in str(texts[-1])
    assert flow.place == "main"


def test_nine_says_goodbye_and_hangs_up(flow: Flow) -> None:
    press(flow, "1")
    press(flow, "9", settle=6)
    assert flow.said[-1] == "Thank you for calling. Goodbye."
    assert flow.did(HangUp)


def test_a_caller_who_does_nothing_is_taken_for_english_and_let_go(flow: Flow) -> None:
    flow.run(90)
    assert flow.variable("language") == "en"
    assert flow.said[-1] == "Thank you for calling. Goodbye."
    assert flow.did(HangUp)


def test_menus_are_told_on_the_timeline(flow: Flow) -> None:
    press(flow, "1")
    closed = [
        entry.subject
        for entry in flow.controller.timeline.entries
        if isinstance(entry.subject, MenuClosed)
    ]
    assert closed == [MenuClosed("language", "key", "1")]


def test_the_operators_line_is_another_agent() -> None:
    settings: Settings = load(LINE, {})
    flow = Flow(settings, called="sip:operator@127.0.0.1")
    flow.start()
    flow.run(3)
    assert flow.place == ""
    press(flow, "9", settle=5)
    assert flow.did(HangUp)

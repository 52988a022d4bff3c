"""Every function of the gateway's own that a model may call: done, refused, explained, once."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, get_args

import pytest

from gateway.config import load
from gateway.config.sections import BuiltinTool
from gateway.control.actions import HangUp, Hold, Refer, Resume, SendDtmf, Transfer
from gateway.control.events import MenuClosed
from gateway.realtime.commands import ConversationItemCreate, ResponseCreate
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import FunctionCall, Reply
from tests.control.call_scenes import call_of

LINE: Final = """
[call]
tools = [{tools}]
goodbye = "Bye."

[targets]
operator = "sip:operator@pbx.example"

[menus.main]
say = "Press 1."
keys.1 = {{ menu = "close" }}

[collects.account]
say = "Number?"
to = "model"
"""


@dataclass
class Case:
    """Right arguments and how their effect is seen; wrong ones, and what is said of them."""

    right: dict[str, Any]
    effect: Callable[[Flow], bool]
    wrong: dict[str, Any]
    why: str
    is_result_late: bool = False  # it is the outcome


CASES: Final[dict[str, Case]] = {
    "transfer_call": Case(
        {"target": "operator"},
        lambda flow: flow.did(Refer) == [Refer("sip:operator@pbx.example")],
        {"target": "+19005550000"},
        "allowed: operator",
        is_result_late=True,
    ),
    "hang_up": Case(
        {},
        lambda flow: flow.did(HangUp) == [HangUp("agent")],
        {"now": True},
        "'now' was unexpected",
    ),
    "send_dtmf": Case(
        {"digits": "1A#"},
        lambda flow: flow.did(SendDtmf) == [SendDtmf("1A#")],
        {"digits": "1x"},
        "digits:",
    ),
    "collect_digits": Case(
        {"name": "account"},
        lambda flow: flow.place == "account",
        {"name": "main"},
        "name:",
        is_result_late=True,
    ),
    "hold_call": Case({}, lambda flow: flow.did(Hold) == [Hold()], {"why": 1}, "unexpected"),
    "resume_call": Case({}, lambda flow: flow.did(Resume) == [Resume()], {"why": 1}, "unexpected"),
    "open_menu": Case(
        {"menu": "main"}, lambda flow: flow.place == "main", {"menu": "close"}, "menu:"
    ),
    "set_variable": Case(
        {"name": "mood", "value": "good"},
        lambda flow: flow.variable("mood") == "good",
        {"name": "caller", "value": "me"},
        "not yours to set",
    ),
}


def test_there_is_a_case_for_every_function() -> None:
    assert set(CASES) == set(get_args(BuiltinTool))


def talking(*tools: str) -> Flow:
    text = LINE.format(tools=", ".join(f'"{tool}"' for tool in tools))
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": text}))
    flow.start()
    flow.run(2)
    return flow


def call(flow: Flow, name: str, arguments: dict[str, Any], call_id: str = "call-1") -> None:
    """Have the model call a function, in answer to the caller."""
    calls: tuple[FunctionCall, ...] = (call_of(name, json.dumps(arguments), call_id),)
    flow.service.replies.append(Reply(500, calls=calls))
    flow.service.hear_caller(0.4)
    flow.run(3)


def results(flow: Flow) -> list[dict[str, Any]]:
    items = [command.item for command in flow.sent(ConversationItemCreate)]
    return [json.loads(one["output"]) for one in items if one["type"] == "function_call_output"]


@pytest.mark.parametrize("name", CASES)
def test_it_is_done_and_its_result_given_once(name: str) -> None:
    case, flow = CASES[name], talking(*CASES)
    if name == "resume_call":
        flow.ask(Hold())
    call(flow, name, case.right)
    assert case.effect(flow)
    assert results(flow) == ([] if case.is_result_late else [{"status": "ok"}])


@pytest.mark.parametrize("name", CASES)
def test_wrong_arguments_are_refused_with_the_reason_and_the_model_goes_on(name: str) -> None:
    case, flow = CASES[name], talking(*CASES)
    asked = len(flow.sent(ResponseCreate))
    call(flow, name, case.wrong)
    (result,) = results(flow)
    assert case.why in result["error"]
    assert len(flow.sent(ResponseCreate)) == asked + 1


@pytest.mark.parametrize("name", CASES)
def test_one_that_is_switched_off_is_not_there(name: str) -> None:
    flow = talking(*(other for other in CASES if other != name))
    call(flow, name, CASES[name].right)
    (result,) = results(flow)
    assert result["error"] == f"there is no function {name!r}"


@pytest.mark.parametrize("last", [Transfer("operator"), HangUp("asked")])
@pytest.mark.parametrize("name", CASES)
def test_a_call_that_is_transferred_or_ended_takes_no_orders(
    name: str, last: Transfer | HangUp
) -> None:
    flow = talking(*CASES)
    flow.ask(last)
    before = len(flow.did(Refer)), len(flow.did(HangUp))
    call(flow, name, CASES[name].right)
    assert (len(flow.did(Refer)), len(flow.did(HangUp))) == before
    assert not flow.did(Hold)
    assert not flow.did(SendDtmf)
    assert flow.place == flow.variable("mood") == ""


@pytest.mark.parametrize("name", CASES)
def test_the_same_call_told_twice_is_run_once(name: str) -> None:
    flow = talking(*CASES)
    call(flow, name, CASES[name].right)
    before = len(flow.actions)
    closed = [e for e in flow.controller.timeline.entries if isinstance(e.subject, MenuClosed)]
    call(flow, name, CASES[name].right)
    outputs = results(flow)
    assert len(outputs) <= 1
    assert not closed
    kinds = (Refer, Hold, SendDtmf, HangUp)
    assert not any(isinstance(done, kinds) for _, done in flow.actions[before:])

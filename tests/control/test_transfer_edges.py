"""Transfers where they meet something else: menus, profiles, ends, and each other."""

import json

import pytest

from gateway.config import load
from gateway.control import CallState, HangUp
from gateway.control.actions import (
    Action,
    CallOut,
    Disconnect,
    DropCallee,
    Log,
    Patch,
    Refer,
    Say,
    SendCommand,
    Transfer,
)
from gateway.control.events import (
    AnswerClassified,
    BeepHeard,
    CalleeAnswered,
    CalleeEnded,
    CalleeProgress,
    Event,
    KeyPressed,
    LegEnded,
    TransferEnded,
    TransferProgress,
    VoiceStarted,
    VoiceStopped,
)
from gateway.realtime.commands import ConversationItemCreate, ResponseCreate, SessionUpdate
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply
from tests.control.call_scenes import DTMF, call_of, state

LINE = f"""
[session]
instructions = "Day."

[call]
variables = {{ shift = "day" }}

[idle]
seconds = 6

[targets]
operator = "sip:operator@pbx.example"
desk = {{ uri = "sip:desk@pbx.example", mode = "bridge", agent = "stays" }}

[menus.night]
say = "Night."
keys.1 = {{ dial = "operator" }}
keys.2 = [{{ say = "Bye." }}, {{ hangup = {{ cause = 34 }} }}]
timeout_ms = 30000

[profiles.night]
call = {{ menu = "night" }}
session = {{ instructions = "Night." }}
variables = {{ shift = "night", desk = "7" }}
[[profiles.night.rules]]
on = "{DTMF}"
digit = "8"
do = {{ log = "night {{shift}} {{desk}}" }}

[profiles.evening]
call = {{ greeting = "Say good evening." }}

[[rules]]
on = "{DTMF}"
digit = "7"
do = {{ transfer = {{ profile = "night" }} }}

[[rules]]
on = "{DTMF}"
digit = "6"
do = {{ transfer = {{ profile = "evening" }} }}

[[rules]]
on = "{DTMF}"
digit = "5"
do = {{ say = "Something else." }}
"""


def line(*replies: Reply) -> Flow:
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": LINE}))
    flow.service.replies.extend([Reply(), *replies])
    flow.start()
    flow.run(2)
    return flow


def results(flow: Flow) -> list[dict[str, str]]:
    items = [command.item for command in flow.sent(ConversationItemCreate)]
    return [json.loads(one["output"]) for one in items if one["type"] == "function_call_output"]


# Another profile


def test_another_profile_is_another_agent_with_its_menu_rules_and_words() -> None:
    flow = line()
    flow.press("7")
    flow.run(2)
    assert flow.place == "night"
    assert flow.said == ["Night."]
    update = flow.sent(SessionUpdate)[-1].session
    assert update == {"type": "realtime", "instructions": "Night."}
    flow.press("8")
    assert Log("night day 7") in flow.did(Log)  # what the call had set stays
    assert not flow.did(Refer)
    assert state(flow) is CallState.TALKING


def test_a_profile_without_a_menu_greets_and_leaves_all_menus() -> None:
    flow = line()
    flow.press("7")
    flow.run(2)
    flow.press("6")
    flow.run(2)
    assert flow.place == ""
    asked = [command.response or {} for command in flow.sent(ResponseCreate)]
    assert asked[-1]["instructions"] == "Say good evening."


def test_a_new_session_after_a_loss_is_the_profiles() -> None:
    flow = line()
    flow.press("7")
    flow.run(2)
    flow.lose_service(seconds=1)
    flow.run(4)
    updates = [c for c in flow.service.sessions[-1] if isinstance(c, SessionUpdate)]
    assert updates[0].session["instructions"] == "Night."


@pytest.mark.parametrize("last", [HangUp("asked"), Transfer("operator")])
def test_a_call_that_leaves_goes_to_no_other_profile(last: HangUp | Transfer) -> None:
    flow = line(Reply(3000))
    if isinstance(last, HangUp):
        flow.service.begin(None)
        flow.run(0.5)
    flow.ask(last)
    flow.ask(Transfer(profile="night"))
    flow.run(1)
    assert flow.place == ""
    assert len(flow.sent(SessionUpdate)) == 1


@pytest.mark.parametrize(
    "request_", [Transfer("nobody"), Transfer(profile="nobody"), Transfer("sip:x@y.example")]
)
def test_a_place_that_is_not_configured_is_no_place_to_go(request_: Transfer) -> None:
    flow = line()
    flow.ask(request_)
    flow.run(3)
    assert state(flow) is CallState.TALKING
    assert not flow.did(Refer)
    assert not flow.did(CallOut)


# Dialling


def test_who_is_dialled_joins_caller_and_agent_and_may_leave_again() -> None:
    flow = line()
    flow.press("7")
    flow.run(2)
    flow.press("1")
    flow.post(CalleeProgress(180))
    flow.post(CalleeAnswered())
    flow.run(1)
    assert flow.did(CallOut) == [CallOut("sip:operator@pbx.example")]
    assert flow.did(Patch) == [Patch("conference")]
    assert state(flow) is CallState.TALKING
    assert not flow.did(Disconnect)
    flow.post(CalleeEnded(200, "bye"))
    flow.run(3)
    assert flow.did(Patch)[-1] == Patch("caller")
    assert state(flow) is CallState.TALKING


def test_a_second_one_is_not_dialled_while_the_first_is_there() -> None:
    flow = line()
    flow.ask(Transfer("desk"))
    flow.post(CalleeAnswered())
    flow.run(3)
    flow.ask(Transfer("desk"))
    flow.run(2)
    assert len(flow.did(CallOut)) == 1
    assert any("is not possible now" in text for text in flow.service.texts())


def test_somebody_who_talks_to_the_caller_breaks_the_silence_too() -> None:
    flow = line()
    flow.ask(Transfer("desk"))
    flow.post(CalleeAnswered())
    flow.run(4)
    for _ in range(5):
        flow.post(VoiceStarted("callee"))
        flow.post(VoiceStopped(300, "callee"))
        flow.run(5)
    assert "input_audio_buffer.timeout_triggered" not in [
        entry.name for entry in flow.controller.timeline.entries
    ]


# Ends


LATE: list[Event] = [
    CalleeProgress(180),
    CalleeAnswered(),
    CalleeEnded(486),
    AnswerClassified("machine", "callee"),
    KeyPressed("1", "rfc4733", leg="callee"),
    BeepHeard(1000, 300, "callee"),
    TransferProgress(180),
    TransferEnded(is_accepted=True, status=200),
    TransferEnded(is_accepted=False, status=603),
]


@pytest.mark.parametrize("event", LATE, ids=repr)
@pytest.mark.parametrize("target", ["operator", "desk"])
def test_whatever_the_second_leg_does_after_the_end_nothing_is_done(
    target: str, event: Event
) -> None:
    flow = line()
    flow.ask(Transfer(target))
    flow.run(0.5)
    flow.post(LegEnded("caller"))
    before = len(flow.actions)
    flow.post(event)
    flow.run(120)
    assert len(flow.actions) == before
    assert flow.controller.deadline is None


@pytest.mark.parametrize("event", LATE[:-2], ids=repr)
def test_whatever_a_second_leg_does_that_nobody_called_nothing_comes_of_it(event: Event) -> None:
    flow = line()
    flow.post(event)
    flow.run(1)
    kinds: tuple[type[Action], ...] = (Patch, DropCallee, Refer, HangUp)
    assert not any(isinstance(done, kinds) for _, done in flow.actions)
    assert state(flow) is CallState.TALKING


def test_a_hang_up_tells_its_cause_once_everything_was_heard() -> None:
    flow = line()
    flow.press("7")
    flow.run(2)
    flow.press("2")
    flow.run(0.3)
    assert not flow.did(HangUp)
    flow.run(3)
    assert flow.did(HangUp) == [HangUp("rule", 34)]


def test_a_transfer_taken_late_is_taken_all_the_same() -> None:
    flow = line()
    flow.ask(Transfer("operator"))
    flow.run(41)
    assert state(flow) is CallState.TALKING
    flow.post(TransferEnded(is_accepted=True, status=200))
    assert flow.did(HangUp) == [HangUp("transferred")]


# The model's own


def test_a_transfer_that_something_else_was_done_in_place_of_is_told_once() -> None:
    call = call_of("transfer_call", '{"target": "operator"}')
    flow = line(Reply(4000, calls=(call,)))
    flow.service.hear_caller(0.4)
    flow.run(2.5)
    flow.press("5")  # while the announcement is heard
    flow.run(6)
    assert not flow.did(Refer)
    assert "Something else." in flow.said
    (result,) = results(flow)
    assert "nobody was transferred" in result["error"]


def test_each_of_two_transfers_has_a_result_of_its_own() -> None:
    calls = [call_of("transfer_call", '{"target": "operator"}', f"call-{n}") for n in (1, 2)]
    flow = line(Reply(300, calls=(calls[0],)), Reply(300), Reply(300, calls=(calls[1],)))
    flow.service.hear_caller(0.3)
    flow.run(2)
    flow.post(TransferEnded(is_accepted=False, status=486))
    flow.run(3)
    flow.service.hear_caller(0.3)
    flow.run(2)
    flow.post(TransferEnded(is_accepted=False, status=603))
    flow.run(2)
    outputs = [c.item for c in flow.sent(ConversationItemCreate)]
    told = [one["call_id"] for one in outputs if one["type"] == "function_call_output"]
    assert told == ["call-1", "call-2"]
    assert "busy" in results(flow)[0]["error"]
    assert "declined" in results(flow)[1]["error"]


def test_a_caller_who_is_asked_for_from_outside_hears_it_first() -> None:
    flow = line()
    flow.ask(Say("One moment."))
    flow.run(0.3)
    assert not flow.did(Refer)
    sent = [a.command for _, a in flow.actions if isinstance(a, SendCommand)]
    assert any(isinstance(command, ResponseCreate) for command in sent)

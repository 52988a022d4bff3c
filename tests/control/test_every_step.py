"""Every step that a rule can take, written as TOML, in every state a call can be in.

A kind of step that has no row in the table below fails the first test.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, get_args

import pytest

from gateway.config import load
from gateway.config.steps import StepKind
from gateway.control.actions import (
    Action,
    Answer,
    CallOut,
    HangUp,
    Hold,
    Log,
    Mute,
    Play,
    Record,
    Redirect,
    Refer,
    Reject,
    Resume,
    Ring,
    RunErrand,
    SendDtmf,
    Stop,
    Transfer,
)
from gateway.control.events import LegEnded, LegHeld, MediaTimeout, Transport
from gateway.control.replay import first_difference, replay
from gateway.control.settings import ControlSettings
from gateway.control.states import CallState
from gateway.control.timeline import TimelineEntry
from gateway.errors import ConfigError
from gateway.realtime.commands import ConversationItemCreate, ResponseCreate, SessionUpdate
from gateway.realtime.faults import classify
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply
from tests.control.call_scenes import state

FILE: Final = """
[targets]
operator = "sip:operator@pbx.example"

[prompts]
song = "song.wav"

[webhooks.crm]
url = "https://crm.example/calls"

[menus.main]
say = "Press 1."
prompt = "song"
keys = {{ "1" = "hangup" }}

[collects.account]
say = "Your number, please."
prompt = "song"

[fallback]                              # a call without its service goes on for a while
prompt = ""
keys = {{ "0" = "hangup" }}
key_seconds = 60

[[rules]]                               # the step comes when the test says so
on = "media.timeout"
state = ["setup", "talking", "leaving", "transferring"]
do = [{step}]

[[rules]]
on = "input_audio_buffer.dtmf_event_received"
digit = "9"
do = [{{ say = "Goodbye." }}, "hangup"]

[[rules]]
on = "leg.held"
do = "{before}"
"""

OPERATOR: Final = "sip:operator@pbx.example"
TALKING, EARLY, LEAVING, TRANSFERRING, HELD, AWAY, LOST, HOSTED = STATES = (
    "talking",
    "early",
    "leaving",
    "transferring",
    "held",
    "away",
    "lost",
    "hosted",
)


SOMEWHERE: Final = frozenset(STATES)
ANSWERED: Final = SOMEWHERE - {EARLY}
SERVED: Final = SOMEWHERE - {LOST}
FREE: Final = ANSWERED - {TRANSFERRING}


@dataclass
class Case:
    """A step, how its effect is seen, and where; ``before`` is done first, to be undone."""

    written: str
    effect: Callable[[Flow], bool]
    where: frozenset[str]
    before: str = "answer"


def did(action: Action) -> Callable[[Flow], bool]:
    return lambda flow: action in [done for _, done in flow.actions]


def errand(flow: Flow) -> bool:
    return [one.kind for one in flow.did(RunErrand)] == ["webhook"]


def asked_to_answer(flow: Flow) -> bool:
    asked = [command.response or {} for command in flow.sent(ResponseCreate)]
    return any(one.get("instructions") == "Be brief." for one in asked)


def whispered(flow: Flow) -> bool:
    items = [command.item for command in flow.sent(ConversationItemCreate)]
    told = [one["content"][0]["text"] for one in items if one.get("role") == "system"]
    return "Be kind to agent." in told


def updated(flow: Flow) -> bool:
    return any(one.session.get("instructions") == "New." for one in flow.sent(SessionUpdate))


def rejected(flow: Flow) -> bool:
    return did(Reject(486))(flow) or did(HangUp("rejected", 21))(flow)


def redirected(flow: Flow) -> bool:
    return did(Redirect(OPERATOR))(flow) or did(Refer(OPERATOR))(flow)


CASES: Final[dict[str, Case]] = {
    "answer": Case('"answer"', did(Answer()), frozenset({EARLY})),
    "ring": Case('"ring"', did(Ring()), frozenset({EARLY})),
    "reject": Case("{ reject = 486 }", rejected, SOMEWHERE),
    "redirect": Case('{ redirect = "operator" }', redirected, SOMEWHERE - {TRANSFERRING}),
    "play": Case('{ play = "song" }', did(Play("song")), SOMEWHERE),
    "say": Case('{ say = "Step {called}." }', lambda flow: "Step agent." in flow.said, SERVED),
    "stop": Case('"stop"', did(Stop()), ANSWERED),
    "respond": Case('{ respond = "Be brief." }', asked_to_answer, SERVED),
    "send_text": Case(
        '{ send_text = "A line." }', lambda f: "A line." in f.service.texts(), SERVED
    ),
    "whisper": Case('{ whisper = "Be kind to {called}." }', whispered, SERVED),
    "update_session": Case('{ update_session = { instructions = "New." } }', updated, SERVED),
    "collect": Case('{ collect = "account" }', lambda flow: flow.place == "account", SOMEWHERE),
    "menu": Case('{ menu = "main" }', lambda flow: flow.place == "main", SOMEWHERE),
    "send_dtmf": Case('{ send_dtmf = "1#" }', did(SendDtmf("1#")), SOMEWHERE),
    "hold": Case('"hold"', did(Hold()), ANSWERED),
    "resume": Case('"resume"', did(Resume()), ANSWERED, before="hold"),
    "mute": Case('{ mute = "both" }', did(Mute("both")), SOMEWHERE),
    "transfer": Case('{ transfer = "operator" }', did(Refer(OPERATOR)), FREE),
    "dial": Case('{ dial = "operator" }', did(CallOut(OPERATOR)), FREE - {HOSTED}),
    "record": Case('{ record = "start" }', did(Record("start")), SOMEWHERE),
    "set": Case(
        '{ set = { mood = "{called}" } }', lambda f: f.variable("mood") == "agent", SOMEWHERE
    ),
    "webhook": Case('{ webhook = "crm" }', errand, SOMEWHERE),
    "log": Case('{ log = "A line for {called}." }', did(Log("A line for agent.")), SOMEWHERE),
    "hangup": Case("{ hangup = { cause = 17 } }", did(HangUp("rule", 17)), SOMEWHERE),
}


def test_there_is_a_case_for_every_step_of_rules() -> None:
    assert set(CASES) == set(get_args(StepKind)) - {"supervise"}


def test_to_supervise_is_for_people_and_refused_in_a_rule() -> None:
    text = FILE.format(step='{ supervise = "takeover" }', before="answer")
    with pytest.raises(ConfigError, match=r"do\[0\]: supervise is for people .* remove it"):
        ControlSettings.of(load(None, {"GATEWAY_CONFIG_BODY": text}))


def call_in(where: str, case: Case) -> Flow:
    """Return a call in a state, just before the step."""
    text = FILE.format(step=case.written, before=case.before)
    transport: Transport = "sip" if where == HOSTED else "websocket"
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": text}), transport)
    flow.service.replies.append(Reply())
    flow.start(links_after=5.0 if where == EARLY else 0.05)
    flow.run(2.0 if where != EARLY else 1.0)
    if where != EARLY and case.before != "answer":
        flow.post(LegHeld(is_held=False))  # the rule that does what is to be undone
    match where:
        case "leaving":
            flow.service.replies.append(Reply(3000))
            flow.press("9")
            flow.run(0.5)
        case "transferring":
            flow.ask(Transfer("operator"))
        case "held":
            flow.post(LegHeld(is_held=True))
        case "away":
            flow.lose_service(seconds=4)
            flow.run(0.2)
        case "lost":
            flow.lose_service(is_retryable=False)
            flow.run(0.2)
        case _:
            pass
    return flow


def step(flow: Flow, case: Case) -> bool:
    """Do the step; tell whether its effect is seen."""
    if case is CASES["stop"]:
        flow.ask(Play("song"))
        flow.run(0.1)
    flow.actions.clear()
    flow.service.received.clear()
    flow.post(MediaTimeout(1.0))
    seen = False
    for _ in range(120):
        flow.run(0.1)
        seen = seen or case.effect(flow)
    return seen


@pytest.mark.parametrize("where", STATES)
@pytest.mark.parametrize("kind", CASES)
def test_the_step_has_its_effect_where_it_can_and_does_no_harm_where_it_cannot(
    kind: str, where: str
) -> None:
    case = CASES[kind]
    flow = call_in(where, case)
    assert step(flow, case) is (where in case.where)
    flow.post(LegEnded("caller"))
    assert state(flow) is CallState.ENDED
    assert flow.controller.deadline is None
    rows = [TimelineEntry.from_dict(row) for row in flow.controller.timeline.as_list()]
    assert first_difference(rows, replay(rows, flow.settings, classify)) is None


@pytest.mark.parametrize("kind", CASES)
def test_a_step_of_a_call_that_is_over_is_not_taken(kind: str) -> None:
    flow = call_in(TALKING, CASES[kind])
    flow.post(LegEnded("caller"))
    before = len(flow.actions)
    flow.post(MediaTimeout(1.0))
    flow.run(60)
    assert len(flow.actions) == before

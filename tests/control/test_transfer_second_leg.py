"""Transfers in which we call the target ourselves: attended, bridged, and all that goes wrong."""

import itertools

import pytest

from gateway.config import BargeInSettings, CallSettings, Settings
from gateway.control import CallState, HangUp, Refer
from gateway.control.actions import (
    CallOut,
    Disconnect,
    DropCallee,
    Patch,
    Respond,
    SendDtmf,
    Transfer,
)
from gateway.control.events import (
    AnswerClassified,
    CalleeAnswered,
    CalleeEnded,
    CalleeProgress,
    Event,
    KeyPressed,
    LegEnded,
    LinkLost,
    TransferEnded,
    name_of,
)
from gateway.control.transfer import SUMMARY
from gateway.control.transfer_stages import STAGES, Stage, Turn
from gateway.realtime.commands import ResponseCreate
from gateway.realtime.events import OutputAudioBufferStarted
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply
from tests.control.call_scenes import DTMF, call_of, state, talking

OPERATOR = "sip:operator@pbx.example"


def asked_for(**target: object) -> Settings:
    rules = [{"on": DTMF, "digit": "0", "do": {"transfer": "operator"}}]
    return Settings.model_validate(
        {"targets": {"operator": {"uri": OPERATOR, **target}}, "rules": rules}
    )


def calling(**target: object) -> Flow:
    """Return a call whose target is being called."""
    flow = talking(asked_for(**target))
    flow.press("0")
    flow.run(1)
    assert flow.did(CallOut) == [CallOut(OPERATOR, target.get("seconds", 40.0))]
    flow.post(CalleeProgress(180))
    return flow


def answered(**target: object) -> Flow:
    flow = calling(**target)
    flow.post(CalleeAnswered())
    flow.run(0.5)
    return flow


def patches(flow: Flow) -> list[str]:
    return [patch.line for patch in flow.did(Patch)]


def explained(flow: Flow, words: str) -> bool:
    return any(words in text for text in flow.service.texts())


def test_a_bridge_without_words_joins_the_two_at_once_and_lets_the_service_go() -> None:
    flow = answered(mode="bridge")
    assert patches(flow) == ["bridge"]
    assert flow.did(Disconnect)
    assert state(flow) is CallState.TRANSFERRING
    flow.post(CalleeEnded(200))
    assert flow.did(HangUp) == [HangUp("callee hung up")]


def test_a_human_hears_what_it_is_about_before_the_caller_is_there() -> None:
    flow = answered(mode="bridge", whisper="It is {caller}, about a chair.")
    assert patches(flow) == ["consult"]
    assert flow.said == ["It is caller, about a chair."]
    flow.run(3)
    assert patches(flow) == ["consult", "bridge"]


def test_without_a_whisper_the_service_sums_up_for_an_attended_transfer() -> None:
    flow = answered(mode="attended")
    assert (flow.sent(ResponseCreate)[-1].response or {})["instructions"] == SUMMARY
    flow.run(3)
    assert flow.did(Refer) == [Refer(OPERATOR, is_attended=True)]
    flow.post(TransferEnded(is_accepted=True, status=200))
    assert flow.did(HangUp) == [HangUp("transferred")]


def test_a_side_that_cannot_replace_us_is_bridged_instead() -> None:
    flow = answered(mode="attended")
    flow.run(3)
    flow.post(TransferEnded(is_accepted=False, status=501))
    assert patches(flow) == ["consult", "bridge"]
    assert not flow.did(HangUp)


def test_a_caller_who_cannot_be_sent_away_is_joined_with_the_target() -> None:
    flow = Flow(asked_for(mode="blind"), can_refer=False)
    flow.start()
    flow.run(2)
    flow.press("0")
    flow.run(1)
    assert (flow.did(CallOut), flow.did(Refer)) == ([CallOut(OPERATOR, 40.0)], [])
    flow.post(CalleeAnswered())
    assert patches(flow) == ["bridge"]


def test_a_human_accepts_by_key() -> None:
    flow = answered(mode="bridge", whisper="Press 1.", accept="1")
    flow.run(4)
    assert patches(flow) == ["consult"]
    flow.post(KeyPressed("1", "rfc4733", leg="callee"))
    assert patches(flow) == ["consult", "bridge"]


@pytest.mark.parametrize("key", ["2", ""])
def test_a_human_who_presses_another_key_or_none_does_not_get_the_caller(key: str) -> None:
    flow = answered(mode="bridge", whisper="Press 1.", accept="1")
    flow.run(3)
    if key:
        flow.post(KeyPressed(key, "rfc4733", leg="callee"))
    flow.run(20)
    assert flow.did(DropCallee)
    assert patches(flow) == ["consult", "caller"]
    assert explained(flow, "the caller is still here")


@pytest.mark.parametrize(
    ("status", "why"), [(486, "busy"), (603, "declined"), (408, "nobody answered"), (404, "nobody")]
)
def test_a_target_that_does_not_take_the_call_has_the_caller_taken_back_and_told(
    status: int, why: str
) -> None:
    flow = calling(mode="attended")
    flow.post(CalleeEnded(status))
    flow.run(2)
    assert state(flow) is CallState.TALKING
    assert explained(flow, why)
    assert not flow.did(DropCallee)


def test_a_target_of_which_nothing_is_heard_is_given_up() -> None:
    flow = calling(mode="bridge", seconds=10.0)
    flow.run(20)
    assert flow.did(DropCallee)
    assert state(flow) is CallState.TALKING


def test_a_target_may_ring_for_its_own_time_and_a_refer_may_take_that_of_the_call() -> None:
    plan = asked_for(mode="attended", seconds=20.0)
    flow = talking(plan.model_copy(update={"call": CallSettings(transfer_seconds=5.0)}))
    flow.press("0")
    flow.run(18)
    assert not flow.did(DropCallee)
    flow.post(CalleeAnswered())
    flow.run(4)
    assert flow.did(Refer) == [Refer(OPERATOR, is_attended=True)]
    flow.run(6)
    assert patches(flow) == ["consult", "bridge"]


def test_a_machine_is_nobody_to_transfer_to() -> None:
    flow = answered(mode="attended")
    flow.post(AnswerClassified("machine", "callee"))
    flow.run(2)
    assert flow.did(DropCallee)
    assert explained(flow, "a machine answered")
    assert patches(flow)[-1] == "caller"


def test_a_human_who_hangs_up_while_being_told_leaves_the_caller_with_the_agent() -> None:
    flow = answered(mode="attended")
    flow.post(CalleeEnded(200))
    flow.run(2)
    assert patches(flow) == ["consult", "caller"]
    assert explained(flow, "they hung up")


def test_an_agent_that_stays_is_in_the_conversation_and_goes_on_alone() -> None:
    flow = answered(mode="bridge", agent="stays")
    assert patches(flow) == ["conference"]
    assert state(flow) is CallState.TALKING
    flow.post(CalleeEnded(200))
    flow.run(2)
    assert patches(flow) == ["conference", "caller"]
    assert explained(flow, "hung up; the caller is still here")


def test_an_agent_that_listens_says_nothing_and_is_there_again_afterwards() -> None:
    flow = answered(mode="bridge", agent="silent")
    said = len(flow.sent(ResponseCreate))
    flow.service.hear_caller(0.5)
    flow.run(3)
    assert patches(flow) == ["monitor"]
    assert len(flow.sent(ResponseCreate)) == said
    flow.post(CalleeEnded(200))
    flow.run(2)
    assert patches(flow) == ["monitor", "caller"]
    assert state(flow) is CallState.TALKING


def test_keys_of_callers_who_talk_to_somebody_else_are_not_for_the_rules() -> None:
    flow = answered(mode="bridge", agent="silent")
    flow.press("0")
    flow.run(2)
    assert len(flow.did(CallOut)) == 1


def test_the_models_own_transfer_gets_its_outcome_once() -> None:
    plan = asked_for(mode="bridge", agent="stays")
    reply = Reply(0, calls=(call_of("transfer_call", '{"target":"operator"}'),))
    flow = talking(plan, reply)
    flow.service.hear_caller(0.3)
    flow.run(3)
    flow.post(CalleeAnswered())
    flow.run(1)
    (result,) = [text for text in flow.service.texts() if "outcome" in text]
    assert '"status": "ok"' in result


def test_a_hosted_call_has_no_second_leg_and_is_transferred_blind() -> None:
    flow = Flow(asked_for(mode="attended"), "sip")
    flow.start()
    flow.run(3)
    flow.controller.request([Transfer("operator")], flow.now)
    assert flow.controller.state is CallState.TRANSFERRING
    names = [entry.name for entry in flow.controller.timeline.entries if entry.kind == "action"]
    assert "Refer" in names
    assert "CallOut" not in names


def test_a_lost_service_leaves_a_bridge_alone_and_a_failed_one_to_the_fallback() -> None:
    flow = calling(mode="bridge")
    flow.lose_service(is_retryable=False)
    flow.run(1)
    assert not flow.did(HangUp)
    flow.post(CalleeEnded(486))
    flow.run(10)
    assert flow.did(HangUp) == [HangUp("service lost")]


EVENTS: list[Event] = [
    CalleeProgress(183),
    CalleeAnswered(),
    CalleeEnded(486),
    AnswerClassified("machine", "callee"),
    AnswerClassified("human", "callee"),
    KeyPressed("1", "rfc4733", leg="callee"),
    KeyPressed("9", "rfc4733", leg="callee"),
    TransferEnded(is_accepted=True, status=200),
    TransferEnded(is_accepted=False, status=603),
    LinkLost("gone"),
    LegEnded("caller"),
]


@pytest.mark.parametrize(
    ("first", "second", "third"), list(itertools.permutations(EVENTS, 3)), ids=name_of
)
def test_whatever_happens_the_caller_is_somewhere_in_the_end(
    first: Event, second: Event, third: Event
) -> None:
    flow = talking(asked_for(mode="attended", accept="1", whisper="Press 1.", seconds=10.0))
    flow.press("0")
    flow.run(1)
    for event in (first, second, third):
        if state(flow) is not CallState.ENDED:
            flow.post(event)
            flow.run(3)
    flow.run(200)
    desk = flow.controller._transfer
    is_over = state(flow) is CallState.ENDED
    is_joined = desk.stage is Stage.BRIDGED
    assert is_over or is_joined or state(flow) is CallState.TALKING
    assert len(flow.did(HangUp)) <= 1
    if desk.stage is Stage.IDLE and not is_over:
        assert patches(flow)[-1:] in ([], ["caller"])


def test_every_stage_but_the_first_has_a_way_back_to_it() -> None:
    for stage in Stage:
        reached, waiting = set(), [stage]
        while waiting:
            at = waiting.pop()
            if at not in reached:
                reached.add(at)
                waiting += [to for (here, _), to in STAGES.items() if here is at]
        assert Stage.IDLE in reached, stage
    assert {turn for _, turn in STAGES} == set(Turn)


@pytest.mark.parametrize(
    "end",
    [CalleeEnded(200), KeyPressed("2", "rfc4733", leg="callee")],
    ids=["hangs up", "declines"],
)
def test_what_the_callee_was_being_told_is_not_told_to_the_caller(end: Event) -> None:
    flow = calling(mode="bridge", whisper="It is about the chair.", accept="1")
    flow.service.replies.append(Reply(8000))
    flow.post(CalleeAnswered())
    flow.run(0.5)
    started = (entry.subject for entry in flow.controller.timeline.entries)
    whisper = [e.response_id for e in started if isinstance(e, OutputAudioBufferStarted)][-1]
    flow.post(end)
    assert flow.controller.is_dropped(whisper)
    flow.run(3)
    assert explained(flow, "the caller is still here")
    assert patches(flow) == ["consult", "caller"]


def test_a_key_that_leads_elsewhere_cuts_what_is_being_said() -> None:
    flow = talking(asked_for(mode="bridge"), Reply(9000), settle=2.0)
    flow.ask(Respond())
    flow.run(1)
    flow.press("0")
    flow.run(0.1)
    assert flow.did(CallOut), "nobody waits nine seconds for it"


def test_where_keys_interrupt_nobody_what_is_being_said_is_heard_first() -> None:
    plan = asked_for(mode="bridge").model_copy(update={"barge_in": BargeInSettings(by=["service"])})
    flow = talking(plan, Reply(3000), settle=2.0)
    flow.ask(Respond())
    flow.run(1)
    flow.press("0")
    flow.run(1)
    assert not flow.did(CallOut)
    flow.run(3)
    assert flow.did(CallOut)


def test_keys_pass_from_one_leg_to_the_other_each_once() -> None:
    flow = answered(mode="bridge")
    flow.press("4")
    flow.press("4", "inband")
    flow.press("5", "info")
    for source in ("rfc4733", "info"):
        flow.post(KeyPressed("7", source, leg="callee"))  # type: ignore[arg-type]
    assert flow.did(SendDtmf) == [
        SendDtmf("4", "callee"),
        SendDtmf("5", "callee"),
        SendDtmf("7", "caller"),
    ]


def test_a_callee_who_leaves_us_as_the_caller_takes_our_place_is_not_lost() -> None:
    flow = answered(mode="attended")
    flow.run(3)
    asked = len(flow.sent(ResponseCreate))
    flow.post(CalleeEnded(200))  # the BYE of the replaced call goes straight to us
    flow.run(0.5)
    assert not flow.did(HangUp)
    flow.post(TransferEnded(is_accepted=True, status=200))
    assert flow.did(HangUp) == [HangUp("transferred")]
    assert patches(flow) == ["consult"]
    assert len(flow.sent(ResponseCreate)) == asked, "the agent does not speak up in between"


@pytest.mark.parametrize("news", [TransferEnded(is_accepted=False, status=481), None])
def test_a_callee_who_leaves_us_for_good_gives_the_caller_back(news: Event | None) -> None:
    flow = answered(mode="attended")
    flow.run(3)
    flow.post(CalleeEnded(200))
    if news is not None:
        flow.post(news)
    flow.run(8)
    assert patches(flow) == ["consult", "caller"]
    assert state(flow) is CallState.TALKING
    assert explained(flow, "they hung up; the caller is still here")

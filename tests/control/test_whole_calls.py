"""Whole calls, played through the controller in virtual time."""

import pytest
from call_scenes import DTMF, settings, state, talking

from gateway.control import (
    Answer,
    CallState,
    Connect,
    ControlSettings,
    Disconnect,
    HangUp,
    Listen,
    Log,
    Play,
    Refer,
    Reject,
    Ring,
    SendCommand,
    Stop,
    first_difference,
    replay,
)
from gateway.control.events import (
    CallStarted,
    LegAnswered,
    LegEnded,
    LinkLost,
    LinkReady,
    TransferEnded,
)
from gateway.control.timeline import TimelineEntry
from gateway.realtime.commands import (
    ConversationItemDelete,
    ConversationItemTruncate,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
)
from gateway.realtime.events import ErrorEvent, SessionUpdated
from gateway.realtime.faults import classify
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply

# Setting up


def test_a_caller_hears_ringing_until_the_service_is_there_then_is_answered_and_greeted() -> None:
    flow = Flow(settings(call={"greeting": "Say hello."}))
    flow.start(links_after=1.0)
    flow.run(3)
    assert [type(action) for _, action in flow.actions] == [
        Ring,
        Connect,
        SendCommand,
        Listen,
        Answer,
        SendCommand,
    ]
    assert flow.when(Answer) == pytest.approx(1.01)  # the service confirmed the session
    (greeting,) = flow.sent(ResponseCreate)
    assert greeting.response is not None
    assert greeting.response["instructions"] == "Say hello."


def test_a_session_is_set_up_with_formats_tools_and_the_users_own_fields() -> None:
    flow = Flow(settings(session={"instructions": "Be brief.", "tools": [{"name": "mine"}]}))
    flow.post(CallStarted("call", "a", "b"))
    (action,) = flow.controller.handle(LinkReady("audio/pcmu"), 1.0)
    assert isinstance(action, SendCommand)
    assert isinstance(action.command, SessionUpdate)
    session = action.command.session
    assert session["type"] == "realtime"
    assert session["instructions"] == "Be brief."
    assert session["audio"]["input"]["format"] == {"type": "audio/pcmu"}
    assert [tool["name"] for tool in session["tools"]] == ["mine", "transfer_call", "hang_up"]
    assert session["tools"][1]["parameters"]["properties"]["target"]["enum"] == ["operator"]


def test_a_call_that_may_not_be_interrupted_tells_the_service_so() -> None:
    flow = talking(settings(barge_in={"by": []}))
    (update,) = flow.sent(SessionUpdate)
    assert update.session["audio"]["input"]["turn_detection"]["interrupt_response"] is False


def test_an_unreachable_service_refuses_the_call_with_503() -> None:
    flow = Flow()
    flow.start(links_after=99)
    flow.run(20)
    assert flow.did(Reject) == [Reject(503, "Service Unavailable")]
    assert flow.when(Reject) == 10.0
    assert state(flow) is CallState.ENDED
    assert flow.controller.deadline is None


def test_an_unreachable_service_is_explained_by_a_prompt_where_there_is_one() -> None:
    flow = Flow(settings(prompts={"sorry": "sorry.wav"}, fallback={"prompt": "sorry"}))
    flow.start(links_after=99)
    flow.run(1)
    flow.post(LinkLost("refused", is_retryable=False))
    flow.run(5)
    assert [type(a) for _, a in flow.actions if not isinstance(a, Log)] == [
        Ring,
        Connect,
        Disconnect,
        Answer,
        Play,
        HangUp,
    ]
    assert flow.when(HangUp) == pytest.approx(flow.when(Play) + flow.prompt_seconds)


@pytest.mark.parametrize("other", [{"type": "audio/pcmu"}, {"type": "audio/pcm", "rate": 16000}])
def test_a_service_that_takes_another_audio_format_is_not_used(other: dict[str, object]) -> None:
    flow = Flow()
    flow.start()
    flow.run(0.05)
    flow.post(SessionUpdated(session={"audio": {"output": {"format": other}}}))
    flow.run(1)
    assert flow.did(Reject) == [Reject(503, "Service Unavailable")]


def test_a_service_that_never_confirms_the_session_refuses_the_call_with_503() -> None:
    flow = Flow()
    flow.start()
    flow.run(0.055)
    flow._is_linked = False  # what it was sent is answered by nothing
    flow.run(20)
    assert flow.did(Reject) == [Reject(503, "Service Unavailable")]
    assert flow.when(Reject) == 10.0


def test_an_outbound_call_is_greeted_once_somebody_answers() -> None:
    flow = Flow()
    flow.post(CallStarted("call", "us", "them", is_outbound=True))
    flow._is_linked = True
    flow.post(LinkReady())
    flow.run(5)
    assert not flow.did(Answer)
    assert not flow.sent(ResponseCreate)
    flow.post(LegAnswered())
    assert len(flow.sent(ResponseCreate)) == 1


# Barge-in


def test_speech_over_the_agent_stops_it_and_truncates_at_what_was_heard() -> None:
    flow = talking(None, settle=0.6)
    flow.service.hear_caller(0.5)
    assert flow.when(Stop) == 0.6
    flow.run(0.1)
    (cut,) = flow.sent(ConversationItemTruncate)
    assert cut.item_id == "item-of-response-1"
    assert 400 < cut.audio_end_ms < 520
    assert flow.controller.is_dropped("response-1")
    assert not flow.sent(ResponseCancel)  # the service cancels by itself
    flow.run(3)
    assert not flow.controller.is_dropped("response-2")


def test_what_was_not_heard_at_all_is_deleted() -> None:
    flow = talking(None, Reply(3000), Reply(1000))
    flow.service.begin(None)
    flow.run(0.7)  # all of it came, and its first second is being heard
    flow.service.begin(None)  # a second response waits behind it in the playout
    flow.run(0.3)
    flow.service.hear_caller(0.5)
    flow.run(0.1)
    assert [cut.item_id for cut in flow.sent(ConversationItemTruncate)] == ["item-of-response-2"]
    assert [gone.item_id for gone in flow.sent(ConversationItemDelete)] == ["item-of-response-3"]


def test_speech_after_the_agent_finished_changes_nothing() -> None:
    flow = talking()
    flow.service.hear_caller(0.5)
    flow.run(0.1)
    assert not flow.did(Stop)
    assert not flow.sent(ConversationItemTruncate)
    assert not flow.sent(ConversationItemDelete)


def test_a_call_without_barge_in_goes_on_speaking() -> None:
    flow = talking(settings(barge_in={"by": []}), settle=0.6)
    flow.service.hear_caller(0.5)
    flow.run(1)
    assert not flow.did(Stop)


def test_a_service_told_not_to_interrupt_itself_is_cancelled_by_us() -> None:
    turns = {"type": "server_vad", "interrupt_response": False}
    flow = talking(settings(session={"audio": {"input": {"turn_detection": turns}}}), Reply(9000))
    flow.service.begin(None)
    flow.run(0.5)
    flow.service.stop = lambda reason: None  # type: ignore[method-assign]
    flow.service.hear_caller(0.5)
    assert [command.response_id for command in flow.sent(ResponseCancel)] == ["response-2"]


# Keys


def test_a_key_nobody_takes_is_told_to_the_model_and_answered() -> None:
    flow = talking()
    flow.press("5")
    flow.run(2)
    assert flow.service.texts() == ["[DTMF 5]"]
    assert len(flow.sent(ResponseCreate)) == 2


def test_a_key_during_speech_stops_it_and_the_answer_waits_for_the_cancelled_response() -> None:
    flow = talking(None, Reply(5000))
    flow.service.begin(None)
    flow.run(0.5)
    flow.press("5")
    flow.run(3)
    assert len(flow.did(Stop)) == 1
    assert len(flow.sent(ResponseCancel)) == 1
    assert len(flow.sent(ResponseCreate)) == 2
    assert not any(isinstance(e.subject, ErrorEvent) for e in flow.controller.timeline.entries)


def test_keys_in_quick_succession_get_one_answer() -> None:
    flow = talking()
    for key in "1234":
        flow.press(key)
        flow.run(0.02)
    flow.run(3)
    assert flow.service.texts() == ["[DTMF 1]", "[DTMF 2]", "[DTMF 3]", "[DTMF 4]"]
    finished = [e for e in flow.controller.timeline.entries if e.name == "playout.stopped"]
    assert len(finished) == 2  # the greeting, and one answer to all four


def test_a_rule_takes_a_key_away_from_the_model() -> None:
    plan = settings(rules=[{"on": DTMF, "digit": "0", "do": [{"transfer": "operator"}]}])
    flow = talking(plan)
    flow.press("0")
    assert flow.did(Refer) == [Refer("sip:operator@pbx.example")]
    assert flow.service.texts() == []
    assert state(flow) is CallState.TRANSFERRING


def test_a_rule_may_wait_for_the_second_press_and_for_a_state() -> None:
    rules = [{"on": DTMF, "digit": "9#", "count": 2, "state": "talking", "do": [{"log": "twice"}]}]
    flow = talking(settings(rules=rules))
    flow.press("9")
    assert Log("twice") not in flow.did(Log)
    flow.press("#")
    assert Log("twice") in flow.did(Log)


# Ends, and the same again


def test_nothing_is_done_after_the_caller_hung_up() -> None:
    flow = talking(settle=0.6)
    flow.post(LegEnded("caller"))
    before = len(flow.actions)
    flow.press("0")
    flow.service.hear_caller(0.3)
    flow.lose_service()
    flow.run(60)
    assert len(flow.actions) == before
    assert flow.controller.deadline is None


def test_a_timeline_gives_the_same_actions_when_played_again() -> None:
    rules = [{"on": DTMF, "digit": "0", "do": [{"say": "One moment."}, {"transfer": "operator"}]}]
    plan = settings(rules=rules)
    flow = talking(plan, Reply(5000), settle=0.6)
    flow.service.hear_caller(0.4)
    flow.run(3)
    flow.press("7")
    flow.run(4)
    flow.service.time_out()
    flow.run(3)
    flow.press("0")
    flow.run(5)
    flow.post(TransferEnded(is_accepted=False, status=486))
    flow.run(5)
    for _ in range(3):
        flow.service.time_out()
        flow.run(4)
    flow.run(10)
    assert flow.ended is not None
    rows = [TimelineEntry.from_dict(row) for row in flow.controller.timeline.as_list()]
    again = replay(rows, ControlSettings.of(plan), classify)
    assert first_difference(rows, again) is None
    other = replay(rows, ControlSettings.of(settings()), classify)
    assert first_difference(rows, other) is not None

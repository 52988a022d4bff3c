"""A service that is there and says nothing: asked again, then replaced, then given up."""

import pytest
from call_scenes import DTMF, said, settings, state, talking

from gateway.control import CallState, Connect, HangUp, Play
from gateway.control.settings import APOLOGY
from gateway.realtime.commands import ResponseCancel, ResponseCreate
from gateway.realtime.events import (
    ResponseCreated,
    ResponseInfo,
    ResponseMcpCallCompleted,
    ResponseMcpCallInProgress,
    ResponseOutputAudioDelta,
)
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply

QUICK = {"response_seconds": 5, "reconnect_seconds": 20}
WHERE = {"item_id": "i", "output_index": 0, "content_index": 0}


def creates(flow: Flow) -> list[float]:
    return [
        at
        for at, action in flow.actions
        if isinstance(getattr(action, "command", None), ResponseCreate)
    ]


def test_a_service_that_accepts_and_never_speaks_ends_in_the_fallback() -> None:
    flow = Flow(settings(realtime=QUICK))
    flow.service.is_mute = True
    flow.start()
    flow.run(120)
    assert len(flow.did(Connect)) > 2
    assert APOLOGY in [play.prompt for play in flow.did(Play)]
    assert flow.did(HangUp) == [HangUp("service lost")]
    assert flow.when(HangUp) < 10 + 20 + 5 + flow.prompt_seconds + 1


def test_an_ask_without_an_answer_is_made_once_more_and_then_the_link_counts_as_lost() -> None:
    flow = Flow(settings(realtime=QUICK))
    flow.service.is_mute = True
    flow.start()
    flow.run(12)
    first, second, third = creates(flow)
    assert second - first == pytest.approx(5)
    assert 5 < third - second < 6
    assert len(flow.did(Connect)) == 2
    assert len(flow.service.sessions) == 2
    flow.service.is_mute = False
    flow.lose_service()
    flow.run(5)
    assert state(flow) is CallState.TALKING
    stopped = [e for e in flow.controller.timeline.entries if e.name == "playout.stopped"]
    assert len(stopped) == 1  # one greeting


def test_a_service_that_answers_the_second_time_is_kept() -> None:
    flow = Flow(settings(realtime=QUICK))
    flow.service.is_mute = True
    flow.start()
    flow.run(3)
    flow.service.is_mute = False
    flow.run(10)
    assert len(flow.did(Connect)) == 1
    assert flow.heard_until("response-2") > 5
    flow.service.is_mute = True
    flow.service.hear_caller(0.3)
    flow.run(7)
    assert len(flow.did(Connect)) == 1  # the count begins anew


def test_a_callers_turn_that_the_service_leaves_unanswered_is_asked_for() -> None:
    flow = talking(settings(realtime=QUICK))
    flow.service.is_mute = True
    flow.service.hear_caller(0.5)
    flow.run(0.6)
    flow.service.is_mute = False
    flow.run(3)
    assert len(creates(flow)) == 1
    flow.run(4)
    assert len(creates(flow)) == 2
    assert flow.heard_until("response-3") > 7


def test_a_turn_that_the_service_was_told_not_to_answer_is_left_alone() -> None:
    turns = {"type": "server_vad", "create_response": False}
    session = {"audio": {"input": {"turn_detection": turns}}}
    flow = talking(settings(realtime=QUICK, session=session))
    flow.service.is_mute = True
    flow.service.hear_caller(0.5)
    flow.run(30)
    assert len(creates(flow)) == 1


def stalled(flow: Flow) -> None:
    """Have a response begin, bring a little, and stop."""
    flow.emit(ResponseCreated(response=ResponseInfo(id="stuck", status="in_progress")))
    flow.emit(ResponseOutputAudioDelta(response_id="stuck", delta=bytes(4800), **WHERE))  # type: ignore[arg-type]


def test_an_answer_that_stops_in_the_middle_is_cancelled_and_asked_for_again() -> None:
    flow = talking(settings(realtime=QUICK))
    stalled(flow)
    flow.run(4.9)
    assert len(creates(flow)) == 1
    flow.run(3)
    assert [c.response_id for c in flow.sent(ResponseCancel)] == ["stuck"]
    assert flow.controller.is_dropped("stuck")
    assert len(creates(flow)) == 2
    assert state(flow) is CallState.TALKING


def test_every_sign_of_an_answer_starts_the_wait_anew() -> None:
    flow = talking(settings(realtime=QUICK))
    stalled(flow)
    for _ in range(10):
        flow.run(4)
        flow.emit(ResponseOutputAudioDelta(response_id="stuck", delta=bytes(480), **WHERE))  # type: ignore[arg-type]
    assert not flow.sent(ResponseCancel)


def test_a_tool_of_the_service_is_given_longer() -> None:
    flow = talking(settings(realtime=QUICK))
    flow.emit(ResponseCreated(response=ResponseInfo(id="tool", status="in_progress")))
    flow.emit(ResponseMcpCallInProgress(item_id="m", output_index=0))
    flow.run(19)
    assert not flow.sent(ResponseCancel)
    flow.emit(ResponseMcpCallCompleted(item_id="m", output_index=0))
    flow.run(6)
    assert flow.sent(ResponseCancel)


def test_a_goodbye_that_is_not_answered_does_not_keep_the_line() -> None:
    rules = [{"on": DTMF, "do": [{"say": "Bye."}, "hangup"]}]
    flow = talking(settings(rules=rules, realtime=QUICK))
    flow.service.is_mute = True
    flow.press("#")
    flow.run(60)
    assert flow.did(HangUp) == [HangUp("rule")]
    assert flow.when(HangUp) <= 2 + 20
    assert len(said(flow)) >= 2


def test_an_owed_answer_is_not_asked_for_once_the_caller_is_leaving() -> None:
    rules = [{"on": DTMF, "do": [{"say": "Bye."}, "hangup"]}]
    flow = talking(settings(rules=rules, realtime=QUICK), Reply(9000))
    flow.press("#")
    flow.run(0.5)
    flow.service.is_mute = True
    flow.service.hear_caller(0.2)
    flow.run(30)
    assert len(creates(flow)) == 2
    assert flow.did(HangUp) == [HangUp("rule")]


def test_a_quiet_call_is_not_a_silent_service() -> None:
    flow = talking(settings(realtime=QUICK, idle={"limit": 0}))
    flow.run(600)
    assert len(flow.did(Connect)) == 1
    assert len(creates(flow)) == 1


def test_over_webrtc_an_answer_that_stops_is_cleared_at_the_service() -> None:
    flow = Flow(settings(realtime=QUICK), transport="webrtc")
    flow.start()
    flow.run(3)
    flow.emit(ResponseCreated(response=ResponseInfo(id="stuck", status="in_progress")))
    flow.run(8)
    names = [type(command).__name__ for command in flow.service.received]
    assert names[-3:] == ["ResponseCancel", "OutputAudioBufferClear", "ResponseCreate"]

"""What one call may take of time, tokens and money, in virtual time."""

import pytest
from call_scenes import DTMF, said, settings, state, talking

from gateway.control import CallState, HangUp, Stop
from gateway.realtime.commands import ResponseCreate
from gateway.realtime.events import (
    ConversationItemInputAudioTranscriptionCompleted,
    ErrorDetail,
    ResponseDone,
    ResponseInfo,
    ResponseOutputAudioDelta,
)
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply

SOON = "We have one more minute."


def used(flow: Flow, tokens: int) -> None:
    """Have the service tell that a response took so many tokens."""
    usage = {"total_tokens": tokens, "input_tokens": 0, "output_tokens": tokens}
    response = ResponseInfo(id=f"used {flow.now}", status="completed", usage=usage)
    flow.emit(ResponseDone(response=response))


def test_a_caller_is_told_a_minute_before_the_longest_duration_and_then_let_go() -> None:
    flow = talking(settings(call={"max_seconds": 300, "wind_down": SOON}))
    flow.run(235)
    assert not said(flow)
    flow.run(10)
    assert said(flow) == [SOON]
    assert not flow.did(HangUp)
    flow.run(60)
    assert said(flow) == [SOON, "Goodbye."]
    assert flow.did(HangUp) == [HangUp("time limit")]
    assert flow.when(HangUp) == pytest.approx(301, abs=1)


def test_a_short_call_is_not_told_before_half_of_its_time() -> None:
    flow = talking(settings(call={"max_seconds": 40, "wind_down": SOON}))
    flow.run(17)
    assert not said(flow)
    flow.run(3)
    assert said(flow) == [SOON]


def test_the_word_of_warning_does_not_cut_an_answer() -> None:
    flow = talking(settings(call={"max_seconds": 300, "wind_down": SOON}))
    flow.run(236)
    flow.service.replies.append(Reply(9000))
    flow.service.hear_caller(0.3)
    flow.run(20)
    assert not flow.did(Stop)
    assert said(flow) == [SOON]


def test_a_call_that_used_most_of_its_tokens_is_told_and_ends_when_all_are_used() -> None:
    flow = talking(settings(call={"max_tokens": 1000, "wind_down": SOON}))
    used(flow, 899)
    flow.run(3)
    assert not said(flow)
    used(flow, 1)
    flow.run(1)
    used(flow, 50)
    flow.run(300)
    assert said(flow) == [SOON]
    used(flow, 50)
    flow.run(10)
    assert said(flow) == [SOON, "Goodbye."]
    assert flow.did(HangUp) == [HangUp("token limit")]


def test_a_call_that_used_its_tokens_ends_at_once_where_there_is_no_warning() -> None:
    flow = talking(settings(call={"max_tokens": 1000}), Reply(3000))
    flow.service.begin(None)
    flow.run(1)
    used(flow, 1000)
    flow.run(9)
    assert not flow.did(Stop)  # the answer that is being heard is not cut
    assert said(flow) == ["Goodbye."]
    assert flow.did(HangUp) == [HangUp("token limit")]


def test_a_call_ends_by_what_it_cost() -> None:
    flow = talking(settings(call={"max_cost": 0.5}, prices={"text_output": 100.0}))
    used(flow, 4_000)
    flow.run(2)
    assert not flow.did(HangUp)
    used(flow, 1_000)
    flow.run(9)
    assert flow.did(HangUp) == [HangUp("cost limit")]


def test_the_callers_words_cost_as_well() -> None:
    flow = talking(settings(call={"max_cost": 0.5}, prices={"transcription_minute": 0.6}))
    words = ConversationItemInputAudioTranscriptionCompleted(
        item_id="i", content_index=0, transcript="…", usage={"type": "duration", "seconds": 60}
    )
    flow.emit(words)
    flow.run(9)
    assert flow.did(HangUp) == [HangUp("cost limit")]


def test_a_limit_reached_while_a_goodbye_is_under_way_adds_nothing() -> None:
    rules = [{"on": DTMF, "do": [{"say": "Bye."}, "hangup"]}]
    flow = talking(settings(rules=rules, call={"max_tokens": 10, "wind_down": SOON}), Reply(4000))
    flow.press("#")
    flow.run(1)
    used(flow, 10)
    flow.run(9)
    assert said(flow) == ["Bye."]
    assert flow.did(HangUp) == [HangUp("rule")]


def test_a_limit_reached_while_the_service_is_away_ends_the_call_all_the_same() -> None:
    flow = talking(settings(call={"max_seconds": 30}, realtime={"reconnect_seconds": 60}))
    flow.run(25)
    flow.lose_service(seconds=99)
    flow.run(60)
    assert flow.did(HangUp) == [HangUp("time limit")]
    assert flow.when(HangUp) < 36


# How responses end


@pytest.mark.parametrize(
    ("reason", "words"),
    [("max_output_tokens", "broke off"), ("content_filter", "content filter")],
)
def test_an_answer_left_incomplete_is_rounded_off_once(reason: str, words: str) -> None:
    short = Reply(800, status="incomplete", reason=reason)
    flow = talking(None, short, short, Reply())
    flow.service.hear_caller(0.3)
    flow.run(9)
    (remark,) = flow.service.texts()
    assert words in remark
    assert len(flow.sent(ResponseCreate)) == 2
    assert state(flow) is CallState.TALKING


def test_given_words_left_incomplete_are_not_asked_about() -> None:
    rules = [{"on": DTMF, "do": [{"say": "Bye."}, "hangup"]}]
    flow = talking(settings(rules=rules), Reply(800, status="incomplete"))
    flow.press("#")
    flow.run(6)
    assert flow.service.texts() == []
    assert len(flow.did(HangUp)) == 1


def test_an_answer_the_caller_cut_is_neither_repeated_nor_counted_as_a_failure() -> None:
    flow = talking(None, Reply(8000), Reply())
    flow.service.begin(None)
    flow.run(0.5)
    flow.service.hear_caller(0.4)
    flow.run(6)
    assert len(flow.sent(ResponseCreate)) == 1
    assert flow.service.texts() == []


def test_what_comes_late_of_a_cancelled_response_is_not_played() -> None:
    flow = talking(None, Reply(8000))
    flow.service.begin(None)
    flow.run(0.5)
    flow.service.stop("client_cancelled")  # by somebody else on the same session
    assert flow.controller.is_dropped("response-2")
    heard = flow.heard_until("response-2")
    where = {"item_id": "item-of-response-2", "output_index": 0, "content_index": 0}
    flow.emit(ResponseOutputAudioDelta(response_id="response-2", delta=bytes(48000), **where))  # type: ignore[arg-type]
    assert flow.heard_until("response-2") == heard
    flow.run(3)
    assert not flow.did(Stop)  # what came in time is heard
    assert state(flow) is CallState.TALKING


def test_a_failure_that_no_retry_mends_leads_out_at_once() -> None:
    spent = ErrorDetail(type="x", code="insufficient_quota", message="no money")
    flow = talking(None, Reply(0, status="failed", error=spent))
    flow.service.hear_caller(0.3)
    flow.run(6)
    assert flow.did(HangUp) == [HangUp("service lost")]

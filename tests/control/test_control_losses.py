"""A service lost in the middle of something else, and what it still says afterwards."""

import pytest
from call_scenes import DTMF, HOURS, asked, assert_alive, call_of, said, settings, state, talking

from gateway.control import (
    CallState,
    Connect,
    HangUp,
    Log,
    Play,
    Refer,
    Stop,
)
from gateway.control.events import LegHeld, LinkLost, TransferEnded
from gateway.realtime.commands import (
    ConversationItemDelete,
    ConversationItemTruncate,
    ResponseCreate,
)
from gateway.realtime.events import (
    ErrorDetail,
    ErrorEvent,
    InputAudioBufferCommitted,
    ResponseCreated,
    ResponseDone,
    ResponseFunctionCallArgumentsDone,
    ResponseInfo,
    ResponseOutputAudioDelta,
    SessionUpdated,
)
from gateway.testing.scripted_service import Reply

# What else is going on


def test_a_loss_during_a_transfer_leaves_it_alone_and_a_failed_one_finds_the_agent_back() -> None:
    flow = talking(None, Reply(500, calls=(call_of("transfer_call", '{"target":"operator"}'),)))
    flow.service.hear_caller(0.3, "A person, please.")
    flow.run(3)
    assert state(flow) is CallState.TRANSFERRING
    flow.lose_service()
    flow.run(3)
    assert state(flow) is CallState.TRANSFERRING
    assert not asked(flow)
    assert len(flow.service.sessions) == 2
    flow.post(TransferEnded(is_accepted=False, status=486))
    flow.run(3)
    assert state(flow) is CallState.TALKING
    told = (
        "[The transfer to operator failed with status 486: it is busy; the caller is still here.]"
    )
    assert flow.service.texts(-1)[-1] == told  # the call it was the result of is of another session
    assert len(asked(flow)) == 1
    assert_alive(flow)


def test_a_transfer_that_fails_while_the_service_is_away_is_explained_once_it_is_back() -> None:
    rules = [{"on": DTMF, "digit": "0", "do": [{"transfer": "operator"}]}]
    flow = talking(settings(rules=rules))
    flow.press("0")
    flow.lose_service(seconds=2)
    flow.run(0.5)
    flow.post(TransferEnded(is_accepted=False, status=480))
    assert len(flow.service.sessions) == 1
    flow.run(5)
    assert any("480" in text for text in flow.service.texts(-1))
    assert len(asked(flow)) == 1
    assert_alive(flow)


def test_a_transfer_of_the_models_that_fails_while_the_service_is_away_is_told_later() -> None:
    flow = talking(None, Reply(500, calls=(call_of("transfer_call", '{"target":"operator"}'),)))
    flow.service.hear_caller(0.3, "A person, please.")
    flow.run(3)
    flow.lose_service(seconds=2)
    flow.run(0.5)
    flow.post(TransferEnded(is_accepted=False, status=486))
    flow.run(6)
    told = (
        "[The transfer to operator failed with status 486: it is busy; the caller is still here.]"
    )
    assert flow.service.texts(-1)[-1] == told
    assert len(asked(flow)) == 1


def test_what_waits_for_the_service_outlasts_the_wait_for_speech() -> None:
    flow = talking(settings(call={"goodbye_seconds": 2}))
    flow.lose_service(seconds=6)
    flow.run(0.5)
    flow.press("5")
    flow.run(12)
    assert flow.service.texts(-1) == ["[DTMF 5]"]
    assert len(asked(flow)) == 1


def test_a_transfer_succeeds_without_the_service() -> None:
    rules = [{"on": DTMF, "digit": "0", "do": [{"transfer": "operator"}]}]
    flow = talking(settings(rules=rules))
    flow.lose_service(seconds=9)
    flow.run(1)
    flow.press("0")
    flow.run(0.2)
    assert flow.did(Refer) == [Refer("sip:operator@pbx.example")]
    flow.post(TransferEnded(is_accepted=True))
    assert flow.did(HangUp) == [HangUp("transferred")]


def test_a_loss_before_the_goodbye_began_says_it_in_the_next_session_and_hangs_up() -> None:
    rules = [{"on": DTMF, "do": [{"say": "Bye now."}, "hangup"]}]
    flow = talking(settings(rules=rules), Reply(3000))
    flow.press("#")
    flow.lose_service()
    flow.run(6)
    assert said(flow) == ["Bye now.", "Bye now."]
    assert flow.did(HangUp) == [HangUp("rule")]
    assert flow.when(HangUp) == pytest.approx(flow.heard_until("response-3"))


def test_a_goodbye_half_of_which_came_is_heard_so_far_and_the_call_ends() -> None:
    rules = [{"on": DTMF, "do": [{"say": "Bye now."}, "hangup"]}]
    flow = talking(settings(rules=rules), Reply(5000))
    flow.press("#")
    flow.run(0.4)
    flow.lose_service(seconds=60)
    flow.run(9)
    assert said(flow) == ["Bye now."]
    assert not flow.did(Stop)
    assert flow.when(HangUp) == pytest.approx(flow.heard_until("response-2"))


def test_a_caller_who_is_leaving_does_not_wait_long_for_a_goodbye() -> None:
    rules = [{"on": DTMF, "do": [{"say": "Bye now."}, "hangup"]}]
    flow = talking(settings(rules=rules))
    flow.press("#")
    flow.lose_service(seconds=60)
    lost_at = flow.now
    flow.run(30)
    assert flow.did(HangUp) == [HangUp("rule")]
    assert flow.when(HangUp) <= lost_at + 5


def test_a_goodbye_called_off_while_the_service_is_away_finds_it_back() -> None:
    rules = [
        {"on": DTMF, "digit": "#", "do": [{"say": "Bye."}, "hangup"]},
        {"on": DTMF, "digit": "1", "do": [{"say": "Welcome back."}]},
    ]
    flow = talking(settings(rules=rules))
    flow.press("#")
    flow.lose_service(seconds=1)
    flow.run(0.2)
    flow.press("1")
    flow.run(6)
    assert said(flow)[-1] == "Welcome back."
    assert_alive(flow)


def test_a_prompt_plays_on_through_a_loss() -> None:
    rules = [{"on": DTMF, "digit": "1", "do": [{"play": "hours"}]}]
    flow = talking(settings(rules=rules, prompts={"hours": "hours.wav"}))
    flow.press("1")
    flow.run(0.5)
    flow.lose_service(seconds=1)
    flow.run(1)
    assert flow.did(Play) == [Play("hours")]
    assert not flow.did(Stop)
    flow.run(5)
    assert flow.did(Play) == [Play("hours")]
    assert_alive(flow)


def test_keys_pressed_while_the_service_is_away_are_told_to_the_next_session_in_order() -> None:
    flow = talking()
    flow.lose_service(seconds=3)
    flow.run(1)
    flow.press("12")
    flow.run(0.3)
    flow.press("3")
    flow.run(6)
    assert flow.service.texts(-1)[-3:] == ["[DTMF 1]", "[DTMF 2]", "[DTMF 3]"]
    assert len(asked(flow)) == 1
    assert_alive(flow)


def test_a_key_while_an_answer_is_owed_is_answered_together_with_it() -> None:
    flow = talking()
    flow.service.hear_caller(0.3, "Hello?")
    flow.run(0.32)
    flow.lose_service(seconds=1)
    flow.run(0.1)
    flow.press("5")
    flow.run(5)
    assert flow.service.texts(-1) == ["Hello?", "[DTMF 5]"]
    assert len(asked(flow)) == 1


def test_a_function_call_cut_by_the_loss_is_not_run_and_is_explained() -> None:
    flow = talking()
    flow.service.begin(None)
    flow.run(0.06)
    flow.emit(
        ResponseFunctionCallArgumentsDone(
            response_id="response-2",
            item_id="call item",
            output_index=0,
            call_id="c1",
            arguments="{}",
            name="hang_up",
        )
    )
    flow.lose_service()
    flow.run(4)
    assert not flow.did(HangUp)
    told = str(flow.service.sessions[-1])
    assert "connection was lost" in told
    assert len(asked(flow)) == 1


def test_the_result_of_a_function_that_was_run_is_carried_over() -> None:
    flow = talking(None, Reply(0, calls=(call_of("weather", call_id="w"),)))
    flow.service.hear_caller(0.3, "Will it rain?")
    flow.run(0.37)  # its result was sent, and the answer to it asked for
    assert len(flow.sent(ResponseCreate)) == 2
    flow.lose_service()
    flow.run(4)
    assert any("no function" in text for text in flow.service.texts(-1))
    assert len(asked(flow)) == 1


def test_a_caller_on_hold_stays_on_hold() -> None:
    flow = talking()
    flow.post(LegHeld(is_held=True))
    flow.lose_service(seconds=2)
    flow.run(6)
    assert len(flow.service.sessions) == 2
    assert_alive(flow)


def test_speech_still_playing_from_before_is_cut_for_the_caller_and_not_corrected() -> None:
    flow = talking(None, Reply(9000, text=HOURS))
    flow.service.hear_caller(0.3, "Hours?")
    flow.run(2.2)
    flow.lose_service()
    flow.run(1)
    flow.service.hear_caller(0.3, "Stop.")
    flow.run(1)
    assert len(flow.did(Stop)) == 1
    assert not [
        c
        for c in flow.service.sessions[-1]
        if isinstance(c, ConversationItemTruncate | ConversationItemDelete)
    ]


# Late and stale


def test_late_events_of_the_old_link_change_nothing() -> None:
    flow = talking()
    flow.lose_service(seconds=5)
    where = {"item_id": "old", "output_index": 0, "content_index": 0}
    late = ResponseOutputAudioDelta(response_id="old", delta=b"12", **where)  # type: ignore[arg-type]
    before = len(flow.actions)
    flow.post(ResponseCreated(response=ResponseInfo(id="old", status="in_progress")))
    flow.post(late)
    flow.post(InputAudioBufferCommitted(item_id="old"))
    flow.post(SessionUpdated(session={}))
    flow.post(ErrorEvent(error=ErrorDetail(code="insufficient_quota", message="late")))
    flow.post(ResponseDone(response=ResponseInfo(id="old", status="failed")))
    assert len(flow.actions) == before
    assert flow.controller.is_dropped("old")
    flow.run(12)
    assert_alive(flow)
    assert not asked(flow)


def test_the_end_of_a_link_that_is_already_lost_is_told_once() -> None:
    flow = talking()
    flow.lose_service(seconds=1)
    flow.post(LinkLost("closed again", is_retryable=False))
    flow.run(5)
    assert_alive(flow)


def test_an_error_for_a_command_of_the_old_session_is_only_logged() -> None:
    flow = talking()
    (old,) = flow.sent(ResponseCreate)
    flow.lose_service()
    flow.run(2)
    error = ErrorDetail(code="insufficient_quota", message="late", event_id=old.event_id)
    flow.emit(ErrorEvent(error=error))
    flow.run(5)
    assert_alive(flow)
    assert any("a session that is gone" in log.text for log in flow.did(Log))


def test_an_expired_session_is_replaced_at_once_and_the_close_that_follows_is_harmless() -> None:
    flow = talking()
    expired_at = flow.now
    flow.emit(ErrorEvent(error=ErrorDetail(code="session_expired", message="60 minutes")))
    tries = [at for at, a in flow.actions if isinstance(a, Connect)]
    assert tries[-1] == expired_at
    flow.run(3)
    assert len(flow.service.sessions) == 2
    assert_alive(flow)


def test_a_session_that_is_over_as_it_begins_is_not_tried_without_a_pause() -> None:
    flow = talking()
    expired = ErrorEvent(error=ErrorDetail(code="session_expired", message="60 minutes"))
    for _ in range(40):
        flow.emit(expired)
        flow.run(0.2)
    assert len(flow.did(Connect)) < 12


@pytest.mark.parametrize("code", ["insufficient_quota", "invalid_api_key"])
def test_a_terminal_error_leads_out_at_once(code: str) -> None:
    flow = talking()
    flow.emit(ErrorEvent(error=ErrorDetail(code=code, message="over")))
    assert len(flow.did(Connect)) == 1
    flow.run(5)
    assert flow.did(HangUp) == [HangUp("service lost")]

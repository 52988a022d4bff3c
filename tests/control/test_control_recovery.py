"""A service that is lost and comes back: the call goes on where it was, in virtual time."""

import itertools

import pytest
from call_scenes import DTMF, call_of, said, settings, state, talking

from gateway.control import (
    Answer,
    CallState,
    Connect,
    ControlSettings,
    HangUp,
    Listen,
    Log,
    Play,
    Reject,
    Stop,
    Transfer,
    first_difference,
    replay,
)
from gateway.control.events import LegHeld, LinkLost, TransferEnded
from gateway.control.outage import Outage, pause_before
from gateway.control.settings import COMFORT
from gateway.control.timeline import TimelineEntry
from gateway.realtime.commands import (
    ConversationItemDelete,
    ConversationItemTruncate,
    ResponseCreate,
    SessionUpdate,
)
from gateway.realtime.events import (
    ErrorDetail,
    ErrorEvent,
    InputAudioBufferCommitted,
    InputAudioBufferSpeechStarted,
    ResponseCreated,
    ResponseDone,
    ResponseFunctionCallArgumentsDone,
    ResponseInfo,
    ResponseOutputAudioDelta,
    SessionUpdated,
)
from gateway.realtime.faults import classify
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply

HOURS = "We are open from nine to five on every day of the week"


def asked(flow: Flow, session: int = -1) -> list[ResponseCreate]:
    """Return what a session was asked to say."""
    return [c for c in flow.service.sessions[session] if isinstance(c, ResponseCreate)]


def assert_alive(flow: Flow) -> None:
    assert state(flow) is CallState.TALKING
    assert not flow.did(HangUp)
    assert not flow.did(Reject)


# Pauses


def test_pauses_grow_to_eight_seconds_and_are_shortened_by_no_more_than_half() -> None:
    for attempt in range(30):
        whole = min(8.0, 0.25 * 2**attempt)
        assert whole / 2 < pause_before("a call", attempt) <= whole


def test_calls_that_lost_the_service_together_come_back_apart_and_the_same_each_time() -> None:
    pauses = [pause_before(f"call {n}", 5) for n in range(100)]
    assert len(set(pauses)) == 100
    assert max(pauses) - min(pauses) > 3
    assert pauses == [pause_before(f"call {n}", 5) for n in range(100)]


def test_a_link_that_lasted_ends_the_outage_and_one_that_only_came_up_does_not() -> None:
    outage = Outage()
    outage.begin(100.0)
    outage.come_up(101.0)
    outage.begin(105.0)
    assert outage.since == 100.0
    outage.come_up(106.0)
    outage.begin(120.0, was_mute=True)
    assert outage.since == 100.0
    outage.come_up(121.0)
    outage.begin(140.0)
    assert outage.since == 140.0


# Lost and found


def test_a_call_outlives_its_service_for_five_seconds_and_the_agent_knows_what_was_said() -> None:
    flow = talking(None, Reply(2000, text=HOURS))
    flow.service.hear_caller(0.5, "When are you open?")
    flow.run(4)
    flow.lose_service(seconds=5)
    flow.run(12)
    assert_alive(flow)
    assert len(flow.service.sessions) == 2
    assert flow.service.texts(-1) == ["When are you open?", HOURS]
    assert len(flow.sent(SessionUpdate)) == 2
    assert flow.sent(SessionUpdate)[0].session == flow.sent(SessionUpdate)[1].session
    assert len(flow.did(Listen)) == 2
    assert len(flow.did(Answer)) == 1
    assert not asked(flow)  # nothing is owed, so nobody speaks
    flow.service.hear_caller(0.5, "Thanks.")
    flow.run(3)
    assert flow.heard_until("response-3") > 0


def test_the_pauses_between_attempts_grow_until_the_service_is_back() -> None:
    flow = talking()
    flow.lose_service(seconds=6)
    lost_at = flow.now
    flow.run(12)
    tries = [at for at, a in flow.actions if isinstance(a, Connect)][1:]
    assert tries[0] - lost_at <= 0.25
    gaps = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert gaps == sorted(gaps)
    assert 4 <= len(tries) <= 8
    assert_alive(flow)


def test_what_came_before_the_loss_is_heard_to_its_end() -> None:
    flow = talking(None, Reply(5000, text=HOURS))
    flow.service.hear_caller(0.3, "Hours?")
    flow.run(1.5)  # all of it came, its first half second was heard
    flow.lose_service(seconds=0.1)
    flow.run(6)
    assert not flow.did(Stop)
    stopped = [e for e in flow.controller.timeline.entries if e.name == "playout.stopped"]
    assert stopped[-1].at == pytest.approx(flow.heard_until("response-2"))
    assert not asked(flow)


def test_a_loss_in_the_middle_of_an_answer_has_it_gone_on_with_and_says_how_far_it_came() -> None:
    flow = talking(None, Reply(8000, text=HOURS))
    flow.service.hear_caller(0.3, "Hours?")
    flow.run(1.0)  # half of it came
    flow.lose_service()
    flow.run(3)
    user, partial, note = flow.service.texts(-1)
    assert user == "Hours?"
    assert HOURS.startswith(partial.rstrip(" .…"))
    assert partial != HOURS
    assert "interrupted" in note
    assert len(asked(flow)) == 1
    assert "greet" not in str(asked(flow)[0].response)
    assert_alive(flow)


def test_a_loss_before_an_answer_began_has_it_asked_for_once_more() -> None:
    flow = talking()
    flow.service.hear_caller(0.3, "Hello?")
    flow.run(0.32)  # committed, and no response.created
    flow.lose_service()
    flow.run(3)
    assert flow.service.texts(-1) == ["Hello?"]
    assert len(asked(flow)) == 1
    flow.run(5)
    assert len(asked(flow)) == 1
    assert_alive(flow)


def test_a_loss_while_the_caller_speaks_lets_them_finish_and_does_not_talk_over_them() -> None:
    flow = talking()
    flow.emit(InputAudioBufferSpeechStarted(item_id="first half", audio_start_ms=0))
    flow.lose_service()
    flow.run(0.6)  # back, and the rest of the sentence is heard
    assert len(flow.service.sessions) == 2
    flow.service.hear_caller(3.0, "and so on")
    flow.run(5)
    assert not asked(flow)  # the service answered by itself
    assert any("while the caller was speaking" in text for text in flow.service.texts(-1))
    assert flow.heard_until("response-2") > 0
    assert_alive(flow)


def test_a_caller_cut_off_by_the_loss_who_says_no_more_is_asked_again() -> None:
    flow = talking()
    flow.emit(InputAudioBufferSpeechStarted(item_id="first half", audio_start_ms=0))
    flow.lose_service()
    flow.run(1.5)
    assert not asked(flow)
    flow.run(2)
    assert len(asked(flow)) == 1
    assert_alive(flow)


def test_a_loss_before_the_greeting_began_greets_once_in_the_next_session() -> None:
    flow = Flow(settings(call={"greeting": "Say hello."}))
    flow.start()
    flow.run(0.09)
    assert len(flow.sent(ResponseCreate)) == 1
    flow.lose_service()
    flow.run(5)
    (greeting,) = asked(flow)
    assert greeting.response is not None
    assert greeting.response["instructions"] == "Say hello."
    assert len([e for e in flow.controller.timeline.entries if e.name == "playout.stopped"]) == 1


def test_a_greeting_that_was_heard_is_not_said_twice() -> None:
    flow = talking(settings(call={"greeting": "Say hello."}))
    flow.lose_service(seconds=1)
    flow.run(6)
    assert not asked(flow)


def test_a_greeting_cut_by_the_loss_is_not_begun_anew() -> None:
    flow = Flow(settings(call={"greeting": "Say hello."}))
    flow.service.replies.append(Reply(6000, text="Hello and welcome to the garden centre"))
    flow.start()
    flow.run(0.6)
    flow.lose_service()
    flow.run(5)
    (go_on,) = asked(flow)
    assert "instructions" not in (go_on.response or {})


def test_words_for_word_text_cut_by_the_loss_is_said_again_whole() -> None:
    rules = [{"on": DTMF, "digit": "1", "do": [{"say": "Your number is 4 2 7."}]}]
    flow = talking(settings(rules=rules), Reply(8000))
    flow.press("1")
    flow.run(0.5)
    flow.lose_service()
    flow.run(3)
    assert said(flow) == ["Your number is 4 2 7."] * 2
    assert_alive(flow)


def test_before_the_answer_an_unreachable_service_is_tried_again_in_time() -> None:
    flow = Flow(settings())
    flow.away_until = 3.0
    flow.start()
    flow.run(8)
    assert flow.did(Answer)
    assert flow.when(Answer) > 3
    assert_alive(flow)
    assert len([e for e in flow.controller.timeline.entries if e.name == "playout.stopped"]) == 1


def test_before_the_answer_the_attempts_end_with_the_time_to_connect() -> None:
    flow = Flow(settings(realtime={"connect_seconds": 4}))
    flow.away_until = 99
    flow.start()
    flow.run(20)
    assert flow.did(Reject) == [Reject(503, "Service Unavailable")]
    assert 1.5 < flow.when(Reject) <= 4
    assert len(flow.did(Connect)) >= 4


def test_a_link_lost_while_the_session_is_set_up_again_is_one_more_attempt() -> None:
    flow = talking(None, Reply(8000, text=HOURS))
    flow.service.hear_caller(0.3, "Hours?")
    flow.run(1.0)
    flow.lose_service()
    flow.service.is_confirming = False
    flow.run(0.5)  # linked, the session.update is not answered
    assert len(flow.service.sessions) == 2
    flow.service.is_confirming = True
    flow.lose_service("reset")
    flow.run(3)
    assert len(flow.service.sessions) == 3
    assert len(flow.service.texts(-1)) == 3  # the note is told to the session that was set up
    assert len(asked(flow)) == 1
    assert_alive(flow)


def test_a_session_that_is_never_confirmed_is_tried_again() -> None:
    flow = talking()
    flow.service.is_confirming = False
    flow.lose_service()
    flow.run(5)
    flow.service.is_confirming = True
    flow.run(12)
    assert len(flow.service.sessions) == 3
    assert_alive(flow)
    assert flow.did(Listen) == [Listen(), Listen()]


def test_a_service_lost_twice_in_a_row_still_owes_the_answer_once() -> None:
    flow = talking()
    flow.service.hear_caller(0.3, "Hello?")
    flow.run(0.32)
    flow.lose_service()
    flow.run(0.45)  # back, and the answer is about to be asked for
    flow.lose_service()
    flow.run(5)
    assert len(flow.service.sessions) == 3
    assert [len(asked(flow, n)) for n in range(1, 3)] in ([0, 1], [1, 1])
    assert len(asked(flow, 2)) == 1
    assert_alive(flow)


def test_a_link_that_comes_up_and_breaks_over_and_over_is_given_up() -> None:
    flow = talking(settings(realtime={"reconnect_seconds": 10}))
    started = flow.now
    while not flow.did(HangUp) and flow.now < 60:
        flow.lose_service()
        flow.run(1.0)
        if flow.controller.state is CallState.LEAVING:
            flow.run(5)
    assert flow.did(HangUp) == [HangUp("service lost")]
    assert flow.when(HangUp) < started + 16
    assert len(flow.did(Connect)) < 20


def test_a_service_that_stays_away_is_given_up_in_time_and_explained() -> None:
    flow = talking(settings(realtime={"reconnect_seconds": 12}))
    flow.lose_service(seconds=999)
    lost_at = flow.now
    flow.run(30)
    assert flow.did(HangUp) == [HangUp("service lost")]
    assert flow.when(HangUp) <= lost_at + 12 + flow.prompt_seconds
    assert [play.prompt for play in flow.did(Play)] == [COMFORT, "unavailable"]


def test_a_loss_that_no_retry_mends_leads_out_at_once() -> None:
    flow = talking()
    flow.lose_service("401", is_retryable=False)
    flow.run(5)
    assert len(flow.did(Connect)) == 1
    assert flow.did(HangUp) == [HangUp("service lost")]


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
    assert any("486" in text for text in flow.service.texts(-1))
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


def test_a_transfer_succeeds_without_the_service() -> None:
    rules = [{"on": DTMF, "digit": "0", "do": [{"transfer": "operator"}]}]
    flow = talking(settings(rules=rules))
    flow.lose_service(seconds=9)
    flow.run(1)
    flow.press("0")
    flow.run(0.2)
    assert flow.did(Transfer) == [Transfer("sip:operator@pbx.example")]
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


# Comfort


def test_a_caller_who_waits_longer_than_a_moment_hears_a_soft_sound_until_it_is_over() -> None:
    flow = talking()
    flow.lose_service(seconds=4)
    lost_at = flow.now
    flow.run(0.7)
    assert not flow.did(Play)
    flow.run(8)
    assert flow.did(Play) == [Play(COMFORT, is_repeated=True)]
    assert flow.when(Play) == pytest.approx(lost_at + 0.8)
    assert len(flow.did(Stop)) == 1
    assert_alive(flow)


def test_no_soft_sound_covers_what_is_still_being_heard() -> None:
    flow = talking(None, Reply(4000, text=HOURS))
    flow.service.hear_caller(0.3, "Hours?")
    flow.run(1.4)
    flow.lose_service(seconds=10)
    flow.run(12)
    assert flow.when(Play) >= flow.heard_until("response-2")


def test_the_soft_sound_lasts_until_the_answer_that_was_owed_is_heard() -> None:
    flow = talking()
    flow.service.hear_caller(0.3, "Hello?")
    flow.run(0.32)
    flow.lose_service(seconds=3)
    flow.run(10)
    assert len(flow.did(Play)) == 1
    assert not flow.did(Stop)  # what is queued behind ends it
    assert_alive(flow)


def test_a_short_loss_is_not_heard_at_all() -> None:
    flow = talking()
    flow.lose_service()
    flow.run(5)
    assert not flow.did(Play)
    assert not flow.did(Stop)


def test_the_soft_sound_can_be_switched_off() -> None:
    flow = talking(settings(call={"comfort_prompt": ""}))
    flow.lose_service(seconds=5)
    flow.run(10)
    assert not flow.did(Play)
    assert_alive(flow)


# The other links


def test_over_webrtc_what_was_not_yet_heard_goes_with_the_link_and_is_gone_on_with() -> None:
    flow = Flow(settings(), transport="webrtc")
    flow.service.replies.extend([Reply(), Reply(6000, text=HOURS)])
    flow.start()
    flow.run(2)
    flow.service.hear_caller(0.3, "Hours?")
    flow.run(2.5)  # the response is done, and being heard
    flow.lose_service()
    flow.run(3)
    assert any("interrupted" in text for text in flow.service.texts(-1))
    assert len(asked(flow)) == 1
    assert_alive(flow)


def test_over_webrtc_a_loss_in_a_quiet_moment_says_nothing() -> None:
    flow = Flow(settings(), transport="webrtc")
    flow.start()
    flow.run(3)
    flow.lose_service()
    flow.run(3)
    assert len(flow.service.sessions) == 2
    assert not asked(flow)
    assert_alive(flow)


def test_a_hosted_call_is_attached_to_again_and_its_conversation_is_not_told_anew() -> None:
    flow = Flow(settings(), transport="sip")
    flow.service.replies.extend([Reply(text="Hello"), Reply(3000, text=HOURS)])
    flow.start()
    flow.run(3)
    flow.service.hear_caller(0.3, "Hours?")
    flow.run(1)
    items = len(flow.service.texts())
    flow.lose_service(seconds=1)
    flow.run(6)
    assert len(flow.service.sessions) == 1  # the same one
    assert len(flow.service.texts()) == items
    assert len(flow.sent(SessionUpdate)) == 2
    assert len(flow.sent(ResponseCreate)) == 1  # the greeting
    assert not flow.did(Play)
    assert_alive(flow)


def test_a_hosted_call_says_a_goodbye_that_was_lost_on_the_way() -> None:
    rules = [{"on": DTMF, "do": [{"say": "Bye now."}, "hangup"]}]
    flow = Flow(settings(rules=rules), transport="sip")
    flow.start()
    flow.run(3)
    flow.service.is_mute = True
    flow.press("#")
    flow.run(0.1)
    flow.lose_service()
    flow.service.is_mute = False
    flow.run(9)
    assert said(flow) == ["Bye now.", "Bye now."]
    assert len(flow.did(HangUp)) == 1


# Again


@pytest.mark.parametrize("seconds", [0.0, 2.0, 60.0])
def test_a_call_that_lost_its_service_is_replayed_to_the_same_actions(seconds: float) -> None:
    flow = talking(None, Reply(6000, text=HOURS))
    flow.service.hear_caller(0.3, "Hours?")
    flow.run(1.0)
    flow.lose_service(seconds=seconds)
    flow.run(0.4)
    flow.press("7")
    flow.run(60)
    rows = [TimelineEntry.from_dict(row) for row in flow.controller.timeline.as_list()]
    again = replay(rows, ControlSettings.of(settings()), classify)
    assert first_difference(rows, again) is None

"""A service that is lost and comes back: the call goes on where it was, in virtual time."""

import itertools

import pytest
from call_scenes import DTMF, HOURS, asked, assert_alive, said, settings, talking

from gateway.control import (
    Answer,
    CallState,
    Connect,
    ControlSettings,
    HangUp,
    Listen,
    Play,
    Reject,
    Stop,
    first_difference,
    replay,
)
from gateway.control.outage import Outage, pause_before
from gateway.control.settings import COMFORT
from gateway.control.timeline import TimelineEntry
from gateway.realtime.commands import (
    ResponseCreate,
    SessionUpdate,
)
from gateway.realtime.events import (
    InputAudioBufferSpeechStarted,
)
from gateway.realtime.faults import classify
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply

# Pauses


def test_pauses_grow_to_two_seconds_and_are_shortened_by_no_more_than_half() -> None:
    for attempt in range(30):
        whole = min(2.0, 0.25 * 2**attempt)
        assert whole / 2 < pause_before("a call", attempt) <= whole


def test_calls_that_lost_the_service_together_come_back_apart_and_the_same_each_time() -> None:
    pauses = [pause_before(f"call {n}", 5) for n in range(100)]
    assert len(set(pauses)) == 100
    assert max(pauses) - min(pauses) > 0.5
    assert pauses == [pause_before(f"call {n}", 5) for n in range(100)]


def test_a_link_that_lasted_ends_the_outage_and_one_that_only_came_up_does_not() -> None:
    outage = Outage(settings().realtime)
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
    assert gaps[:3] == sorted(gaps[:3])
    assert max(gaps) <= 2.1  # whoever comes back is noticed soon
    assert 4 <= len(tries) <= 10
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

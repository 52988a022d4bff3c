"""Sessions are replaced before the service ends them, when nobody would notice."""

import pytest
from call_scenes import DTMF, said, settings, state, talking

from gateway.control import CallState, Connect, HangUp, Listen, Play, Stop
from gateway.control.events import LegHeld
from gateway.control.renewal import Renewal
from gateway.realtime.commands import ResponseCreate
from gateway.realtime.events import InputAudioBufferSpeechStarted, InputAudioBufferSpeechStopped
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import EPOCH, Reply

LONG = {"max_seconds": 99_999}
PATIENT = {"limit": 0}


def short_session(seconds: float = 300, **tables: object) -> Flow:
    """Return a call, greeted, whose sessions are short."""
    flow = Flow(settings(**{"call": LONG, "idle": PATIENT, **tables}))
    flow.service.session_seconds = seconds
    flow.start()
    flow.run(2)
    return flow


def connects(flow: Flow) -> list[float]:
    return [at for at, action in flow.actions if isinstance(action, Connect)]


def test_a_session_that_says_nothing_of_its_end_lives_an_hour() -> None:
    renewal = Renewal(120)
    renewal.open(50.0, EPOCH)
    renewal.note({"id": "s"})
    assert (renewal.ends_at, renewal.may_from, renewal.must_at) == (3650, 3530, 3640)


@pytest.mark.parametrize("expires_at", [EPOCH - 5, EPOCH, EPOCH + 9e9, "soon", None])
def test_an_end_that_cannot_be_is_not_believed(expires_at: object) -> None:
    renewal = Renewal(120)
    renewal.open(0.0, EPOCH)
    renewal.note({"expires_at": expires_at})
    assert renewal.ends_at == 3600


def test_a_session_shorter_than_the_notice_is_used_for_half_of_its_life() -> None:
    renewal = Renewal(120)
    renewal.open(0.0, EPOCH)
    renewal.note({"expires_at": EPOCH + 60})
    assert (renewal.may_from, renewal.must_at) == (30, 50)


def test_a_session_is_renewed_in_the_first_quiet_moment_and_nobody_hears_it() -> None:
    flow = short_session()
    flow.service.hear_caller(0.5, "Hello?")
    flow.run(170)
    assert len(connects(flow)) == 1
    flow.run(20)
    assert len(connects(flow)) == 2
    assert connects(flow)[1] == pytest.approx(180, abs=1)
    assert len(flow.service.sessions) == 2
    assert flow.service.texts(-1) == ["Hello?"]
    assert not [c for c in flow.service.sessions[-1] if isinstance(c, ResponseCreate)]
    assert not flow.did(Stop)
    assert not flow.did(Play)
    assert len(flow.did(Listen)) == 2


def test_sessions_are_renewed_one_after_the_other() -> None:
    flow = short_session()
    flow.run(1000)
    assert [round(at) for at in connects(flow)] == [0, 180, 360, 540, 720, 900]
    assert state(flow) is CallState.TALKING


def test_an_hour_is_the_usual_life() -> None:
    flow = Flow(settings(call=LONG, idle=PATIENT))
    flow.start()
    flow.run(3400)
    assert len(connects(flow)) == 1
    flow.run(300)
    assert connects(flow)[1] == pytest.approx(3480, abs=1)


def test_a_renewal_waits_for_a_caller_who_speaks() -> None:
    flow = short_session()
    flow.run(177)
    flow.emit(InputAudioBufferSpeechStarted(item_id="long", audio_start_ms=0))
    flow.run(30)
    assert len(connects(flow)) == 1
    flow.emit(InputAudioBufferSpeechStopped(item_id="long", audio_end_ms=1))
    assert len(connects(flow)) == 2


def test_a_renewal_waits_until_an_answer_was_heard() -> None:
    flow = short_session()
    flow.run(176)
    flow.service.replies.append(Reply(20_000))
    flow.service.hear_caller(0.5)
    flow.run(15)
    assert len(connects(flow)) == 1
    flow.run(20)
    assert connects(flow)[1] == pytest.approx(flow.heard_until("response-2"))


def test_a_renewal_waits_for_an_answer_that_is_slow_to_begin() -> None:
    flow = short_session()
    flow.run(174)
    flow.service.is_mute = True
    flow.service.hear_caller(0.5)
    flow.run(9)
    assert len(connects(flow)) == 1


def test_a_renewal_waits_no_longer_than_the_session_lives() -> None:
    flow = short_session()
    flow.run(177)
    flow.emit(InputAudioBufferSpeechStarted(item_id="endless", audio_start_ms=0))
    flow.run(112)
    assert connects(flow)[1] == pytest.approx(290, abs=1)
    flow.run(5)
    assert any("while the caller was speaking" in text for text in flow.service.texts(-1))
    assert state(flow) is CallState.TALKING


def test_a_renewal_that_finds_nobody_is_an_outage_like_any_other() -> None:
    flow = short_session()
    flow.away_until = 185
    flow.run(190)
    assert len(flow.service.sessions) == 2
    assert len(connects(flow)) > 3
    assert state(flow) is CallState.TALKING
    assert not flow.did(HangUp)


def test_a_renewal_does_not_disturb_a_caller_on_hold_or_being_transferred() -> None:
    rules = [{"on": DTMF, "do": [{"transfer": "operator"}]}]
    flow = short_session(rules=rules)
    flow.post(LegHeld(is_held=True))
    flow.run(150)
    flow.press("0")
    flow.run(39)
    assert len(connects(flow)) == 2
    assert state(flow) is CallState.TRANSFERRING


def test_a_webrtc_session_is_renewed_as_well() -> None:
    flow = Flow(settings(call=LONG, idle=PATIENT), transport="webrtc")
    flow.service.session_seconds = 300
    flow.start()
    flow.run(200)
    assert len(flow.service.sessions) == 2


def test_a_hosted_call_ends_with_a_goodbye_before_its_session_does() -> None:
    flow = Flow(settings(call=LONG, idle=PATIENT), transport="sip")
    flow.service.session_seconds = 300
    flow.start()
    flow.run(280)
    assert len(connects(flow)) == 1
    assert not flow.did(HangUp)
    flow.run(15)
    assert flow.did(HangUp) == [HangUp("session limit")]
    assert flow.when(HangUp) < 295


def test_a_hosted_caller_is_told_that_the_end_is_near() -> None:
    call = LONG | {"wind_down": "We have one more minute."}
    flow = Flow(settings(call=call, idle=PATIENT), transport="sip")
    flow.service.session_seconds = 300
    flow.start()
    flow.run(220)
    assert said(flow) == []
    flow.run(10)
    assert said(flow) == ["We have one more minute."]
    flow.run(70)
    assert flow.did(HangUp) == [HangUp("session limit")]


def test_a_hosted_call_attached_to_again_lives_no_longer_for_it() -> None:
    flow = Flow(settings(call=LONG, idle=PATIENT), transport="sip")
    flow.start()
    flow.run(1000)
    flow.lose_service()
    flow.run(2500)
    assert not flow.did(HangUp)
    flow.run(100)
    assert flow.did(HangUp) == [HangUp("session limit")]


def test_a_call_is_not_renewed_while_it_says_goodbye() -> None:
    flow = talking(
        settings(call=LONG, idle=PATIENT, rules=[{"on": DTMF, "do": [{"say": "Bye."}, "hangup"]}])
    )
    flow.run(3477)
    flow.service.replies.append(Reply(4000))
    flow.press("#")
    flow.run(10)
    assert len(connects(flow)) == 1
    assert flow.did(HangUp) == [HangUp("rule")]

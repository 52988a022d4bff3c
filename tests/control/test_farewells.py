"""The idle ladder and the farewell, played through the controller in virtual time."""

import pytest
from call_scenes import DTMF, TIMEOUT, said, settings, state, talking

from gateway.control import CallState, HangUp, Log, Stop
from gateway.control.events import LegEnded, LegHeld, MediaTimeout
from gateway.testing.scripted_service import Reply


def test_the_third_silence_says_goodbye_and_hangs_up_only_after_it_was_heard() -> None:
    flow = talking()
    for _ in range(2):
        flow.service.time_out()
        flow.run(3)
    assert not said(flow)
    flow.service.replies.extend([Reply(4000), Reply(1500)])  # its own prompt, then our goodbye
    flow.service.time_out()
    flow.run(10)
    assert said(flow) == ["Goodbye."]
    assert flow.did(HangUp) == [HangUp("idle")]
    begun = [
        e.at for e in flow.controller.timeline.entries if e.name == "output_audio_buffer.started"
    ]
    stopped = [
        e.at for e in flow.controller.timeline.entries if e.name == "output_audio_buffer.stopped"
    ]
    assert stopped[-1] - begun[-1] == pytest.approx(1.5)
    assert flow.when(HangUp) == pytest.approx(stopped[-1])
    assert flow.ended == LegEnded("gateway")


def test_speech_or_a_key_starts_the_ladder_anew() -> None:
    flow = talking()
    for _ in range(2):
        flow.service.time_out()
        flow.run(3)
    flow.service.hear_caller(0.5)
    flow.run(3)
    for _ in range(2):
        flow.service.time_out()
        flow.run(3)
    flow.press("5")
    flow.run(3)
    flow.service.time_out()
    flow.run(3)
    assert not flow.did(HangUp)


def test_silence_on_hold_counts_for_nothing() -> None:
    flow = talking()
    flow.post(LegHeld(is_held=True))
    for _ in range(5):
        flow.service.time_out()
        flow.run(3)
    assert not flow.did(HangUp)


def test_a_rule_replaces_the_ladder() -> None:
    rules = [{"on": TIMEOUT, "count": 1, "do": [{"say": "Are you there?"}]}]
    flow = talking(settings(rules=rules))
    flow.service.time_out()
    flow.run(5)
    assert said(flow) == ["Are you there?"]
    assert not flow.did(HangUp)


def test_the_end_of_another_response_does_not_end_the_call() -> None:
    rules = [{"on": DTMF, "digit": "#", "do": [{"say": "Goodbye."}, "hangup"]}]
    flow = talking(settings(rules=rules), Reply(8000), Reply(2000))
    flow.service.begin(None)
    flow.run(0.5)
    flow.press("#")  # cuts response-2; response-3 is the goodbye
    flow.run(1)
    assert state(flow) is CallState.LEAVING
    assert not flow.did(HangUp)
    flow.run(5)
    stopped = [e for e in flow.controller.timeline.entries if e.name == "playout.stopped"]
    assert flow.when(HangUp) == stopped[-1].at
    assert getattr(stopped[-1].subject, "response_id", "") == "response-3"


def test_a_key_pressed_during_a_goodbye_is_noted_and_the_call_ends_as_announced() -> None:
    rules = [{"on": DTMF, "digit": "#", "do": [{"say": "Goodbye."}, "hangup"]}]
    flow = talking(settings(rules=rules))
    flow.press("#")
    flow.run(0.5)
    flow.press("5")
    flow.run(5)
    assert Log("key 5 ignored, the call is leaving") in flow.did(Log)
    assert flow.service.texts() == []
    assert flow.did(HangUp) == [HangUp("rule")]


def test_a_key_that_a_rule_takes_calls_a_goodbye_off() -> None:
    rules = [
        {"on": DTMF, "digit": "#", "do": [{"say": "Goodbye."}, "hangup"]},
        {"on": DTMF, "digit": "1", "do": [{"say": "Welcome back."}]},
    ]
    flow = talking(settings(rules=rules), Reply(3000))
    flow.press("#")
    flow.run(0.5)
    flow.press("1")
    flow.run(9)
    assert said(flow) == ["Goodbye.", "Welcome back."]
    assert not flow.did(HangUp)
    assert state(flow) is CallState.TALKING


def test_speech_over_a_goodbye_neither_cuts_it_nor_is_answered() -> None:
    rules = [{"on": DTMF, "digit": "#", "do": [{"say": "Goodbye."}, "hangup"]}]
    flow = talking(settings(rules=rules), Reply(2000))
    flow.press("#")
    flow.run(0.7)
    flow.service.hear_caller(0.3)
    flow.run(5)
    assert len(flow.did(Stop)) == 0
    assert len(flow.did(HangUp)) == 1
    assert flow.controller.is_dropped("response-3")


def test_a_goodbye_that_is_never_heard_does_not_keep_the_line() -> None:
    rules = [{"on": DTMF, "digit": "#", "do": [{"say": "Goodbye."}, "hangup"]}]
    flow = talking(settings(rules=rules, call={"goodbye_seconds": 5}))
    flow.playout.finish = lambda response_id="": None  # type: ignore[method-assign]
    flow.press("#")
    flow.run(4.9)
    assert not flow.did(HangUp)
    flow.run(1)
    assert len(flow.did(HangUp)) == 1


def test_a_call_has_a_longest_duration() -> None:
    flow = talking(settings(call={"max_seconds": 60}))
    flow.run(70)
    assert said(flow) == ["Goodbye."]
    assert flow.did(HangUp) == [HangUp("time limit")]


def test_a_line_without_media_is_hung_up_unless_held() -> None:
    flow = talking()
    flow.post(LegHeld(is_held=True))
    flow.post(MediaTimeout(60))
    assert not flow.did(HangUp)
    flow.post(LegHeld(is_held=False))
    flow.post(MediaTimeout(60))
    assert flow.did(HangUp) == [HangUp("no media")]


def test_a_hold_without_an_end_is_hung_up() -> None:
    flow = talking()
    flow.post(LegHeld(is_held=True))
    flow.post(MediaTimeout(1800, is_held=True))
    assert flow.did(HangUp) == [HangUp("no media")]

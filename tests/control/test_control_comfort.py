"""What the caller hears while the service is away, and losses over the other links."""

import pytest
from call_scenes import DTMF, HOURS, asked, assert_alive, said, settings, talking

from gateway.control import (
    HangUp,
    Play,
    Stop,
)
from gateway.control.comfort import Comfort
from gateway.control.context import Context
from gateway.control.events import PromptStopped
from gateway.control.settings import COMFORT, ControlSettings
from gateway.control.speech import Speech
from gateway.control.states import CallState
from gateway.realtime.commands import (
    ResponseCreate,
    SessionUpdate,
)
from gateway.realtime.faults import classify
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply

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


def test_a_soft_sound_cut_and_begun_again_is_not_taken_for_over_by_the_end_of_the_first() -> None:
    context = Context(ControlSettings.of(settings()), classify)
    context.is_answered, context.state = True, CallState.TALKING
    speech = Speech()
    comfort = Comfort(context, speech)
    comfort.begin("somebody")
    context.now = 1.0
    comfort.settle()
    speech.clear()  # a key was pressed
    comfort.settle()
    assert context.drain() == [Play(COMFORT, is_repeated=True)] * 2
    comfort.handle(PromptStopped(COMFORT, is_complete=False))
    comfort.settle()
    assert context.drain() == []
    comfort.handle(PromptStopped(COMFORT))
    comfort.settle()
    assert context.drain() == [Play(COMFORT, is_repeated=True)]

"""Interruptions that are taken back, or carried out once they are known to be meant."""

import itertools

import pytest

from gateway.config import Settings
from gateway.control import CallState
from gateway.control.actions import PausePlayout, ResumePlayout, Stop
from gateway.control.events import VoiceStarted, VoiceStopped
from gateway.control.interruption import STEPS, Hint, Phase
from gateway.realtime.commands import (
    ConversationItemTruncate,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
)
from gateway.realtime.events import InputAudioBufferSpeechStarted
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply
from tests.control.call_scenes import state

LONG = 8000


def speaking(*, after: float = 2.0, **barge_in: object) -> Flow:
    """Return a call that hears a long greeting, after so many seconds."""
    plan = Settings.model_validate({"barge_in": {"mode": "pause", **barge_in}})
    flow = Flow(plan)
    flow.service.replies.extend([Reply(LONG), Reply(1000)])
    flow.start()
    flow.run(after)
    return flow


def test_the_service_neither_cuts_nor_answers_by_itself() -> None:
    turns = speaking().sent(SessionUpdate)[0].session["audio"]["input"]["turn_detection"]
    assert turns["interrupt_response"] is False
    assert turns["create_response"] is False


@pytest.mark.parametrize("words", ["", "Mm-hmm.", "yeah, okay"])
def test_a_cough_or_a_back_channel_pauses_and_then_all_is_heard(words: str) -> None:
    flow = speaking()
    flow.service.hear_caller(0.2, words)
    flow.run(0.1)
    assert flow.did(PausePlayout)
    flow.run(12)
    assert flow.did(ResumePlayout)
    assert not flow.did(Stop)
    assert not flow.sent(ConversationItemTruncate)
    assert len(flow.sent(ResponseCreate)) == 1  # the greeting alone


def test_speech_that_lasts_is_meant_and_cut_where_it_was_paused() -> None:
    flow = speaking()
    began = flow.now
    flow.service.hear_caller(1.5, "Wait, I have a question.")
    flow.run(3)
    (cut,) = flow.sent(ConversationItemTruncate)
    started = next(
        part
        for part in flow.controller.timeline.entries
        if part.name == "output_audio_buffer.started"
    )
    assert cut.audio_end_ms == pytest.approx((began - started.at) * 1000, abs=60)
    assert not flow.did(ResumePlayout)
    assert len(flow.sent(ResponseCreate)) == 2


def test_short_words_that_mean_something_are_meant() -> None:
    flow = speaking()
    flow.service.hear_caller(0.25, "Stop.")
    flow.run(2)
    assert flow.did(Stop)
    assert len(flow.sent(ResponseCreate)) == 2


def test_an_answer_is_asked_for_after_every_turn_that_interrupts_nothing() -> None:
    flow = speaking(after=12)
    flow.service.hear_caller(1.0, "What time is it?")
    flow.run(4)
    assert not flow.did(PausePlayout)
    assert len(flow.sent(ResponseCreate)) == 2


def test_words_later_than_the_wait_for_them_come_too_late() -> None:
    flow = speaking(transcript_ms=0)
    flow.service.hear_caller(0.2, "Stop.")
    flow.run(12)
    assert flow.did(ResumePlayout)
    assert not flow.did(Stop)


def test_a_greeting_that_is_protected_is_heard_to_its_end() -> None:
    plan = Settings.model_validate({"barge_in": {"protect_greeting": True}})
    flow = Flow(plan)
    flow.service.replies.extend([Reply(4000), Reply(4000), Reply(1000)])
    flow.start()
    flow.run(1)
    flow.service.hear_caller(0.5, "Hello?")
    flow.run(6)
    assert not flow.did(Stop)
    flow.service.hear_caller(0.5, "Hello?")
    flow.run(1)
    assert flow.did(Stop)
    assert flow.sent(ResponseCancel) or flow.did(Stop)


def test_the_first_moments_of_each_answer_are_protected() -> None:
    plan = Settings.model_validate({"barge_in": {"protect_ms": 1500}})
    flow = Flow(plan)
    flow.service.replies.append(Reply(6000))
    flow.start()
    flow.run(1)
    flow.emit(InputAudioBufferSpeechStarted(item_id="a", audio_start_ms=0))
    assert not flow.did(Stop)
    flow.run(2)
    flow.emit(InputAudioBufferSpeechStarted(item_id="b", audio_start_ms=0))
    assert flow.did(Stop)


def test_our_own_ear_interrupts_where_it_is_asked_to() -> None:
    flow = speaking(mode="cut", by=["voice"])
    flow.post(VoiceStarted())
    assert flow.did(Stop)
    other = speaking(mode="cut", by=["service"])
    other.post(VoiceStarted())
    assert not other.did(Stop)


def test_our_own_ear_pauses_and_takes_back() -> None:
    flow = speaking(by=["voice"])
    flow.post(VoiceStarted())
    assert flow.did(PausePlayout)
    flow.run(0.1)
    flow.post(VoiceStopped(100))
    flow.run(2)
    assert flow.did(ResumePlayout)
    assert state(flow) is CallState.TALKING


def test_every_pause_ends() -> None:
    hints = [
        lambda f: f.post(VoiceStarted()),
        lambda f: f.post(VoiceStopped(300)),
        lambda f: f.service.hear_caller(0.2, "yes"),
        lambda f: f.service.hear_caller(0.9, "no, wait"),
        lambda f: f.press("5"),
        lambda f: f.lose_service(seconds=0.2),
        lambda f: f.run(0.6),
    ]
    for chosen in itertools.permutations(hints, 3):
        flow = speaking(by=["voice", "service", "key"])
        for hint in chosen:
            hint(flow)
            flow.run(0.1)
        flow.run(40)
        pauses = [
            type(done)
            for _, done in flow.actions
            if isinstance(done, PausePlayout | ResumePlayout | Stop)
        ]
        assert not pauses or pauses[-1] is not PausePlayout


def test_the_table_leads_out_of_every_phase_and_uses_every_hint() -> None:
    for phase in (Phase.HEARING, Phase.WEIGHING):
        assert Phase.NONE in {to for (at, _), to in STEPS.items() if at is phase}
    assert {hint for _, hint in STEPS} == set(Hint)

"""Who may cut the agent short, when, and what the model is told of it."""

import pytest

from gateway.control.actions import PausePlayout, Play, Stop
from gateway.control.events import Heard, PlayoutFlushed, VoiceStarted, VoiceStopped
from gateway.realtime.commands import (
    ConversationItemDelete,
    ConversationItemTruncate,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
)
from gateway.realtime.events import ErrorEvent
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply
from tests.control.call_scenes import settings


def speaking(reply: Reply | None = None, **barge_in: object) -> Flow:
    """Return a call in which the agent's second answer is being heard."""
    flow = Flow(settings(barge_in=barge_in))
    flow.service.replies.extend([Reply(), reply or Reply(5000)])
    flow.start()
    flow.run(2)
    flow.service.begin(None)
    flow.run(1)
    assert not flow.did(Stop)
    return flow


def interrupt(flow: Flow, by: str) -> None:
    match by:
        case "service":
            flow.service.hear_caller(0.4, "words")
        case "voice":
            flow.post(VoiceStarted())
        case _:
            flow.press("5")


@pytest.mark.parametrize("by", ["service", "voice", "key"])
@pytest.mark.parametrize("allowed", [["service"], ["voice"], ["key"], ["voice", "key"], []])
def test_only_those_who_may_cut_the_agent_short(by: str, allowed: list[str]) -> None:
    flow = speaking(by=allowed)
    interrupt(flow, by)
    flow.run(0.3)
    assert bool(flow.did(Stop)) is (by in allowed)
    flow.run(10)
    assert not any(isinstance(e.subject, ErrorEvent) for e in flow.controller.timeline.entries)


@pytest.mark.parametrize("by", ["service", "voice", "key"])
def test_a_protected_greeting_is_cut_by_nobody_not_even_before_its_first_sound(by: str) -> None:
    for begins in (0.06, 0.5):
        plan = settings(barge_in={"by": ["service", "voice", "key"], "protect_greeting": True})
        flow = Flow(plan)
        flow.service.replies.extend([Reply(3000), Reply(3000)])
        flow.start()
        flow.run(0.07 + begins)
        interrupt(flow, by)
        flow.run(2)
        assert not flow.did(Stop)
        assert not flow.sent(ResponseCancel)
        flow.run(3)
        heard = [e for e in flow.controller.timeline.entries if e.name == "playout.stopped"]
        assert heard[0].at == pytest.approx(3.1, abs=0.2)


@pytest.mark.parametrize("by", ["voice", "key"])
def test_the_first_moments_of_an_answer_are_protected_from_everybody(by: str) -> None:
    flow = speaking(by=["voice", "key"], protect_ms=2000)
    interrupt(flow, by)
    flow.run(0.1)
    assert not flow.did(Stop)
    flow.post(VoiceStopped(100))
    flow.run(1.2)
    interrupt(flow, by)
    flow.run(0.1)
    assert flow.did(Stop)


def test_the_service_cuts_itself_only_where_it_alone_decides() -> None:
    for barge_in, cuts in [
        ({}, True),
        ({"by": ["key"]}, False),
        ({"by": []}, False),
        ({"mode": "pause"}, False),
        ({"protect_ms": 100}, False),
        ({"protect_greeting": True}, False),
    ]:
        flow = Flow(settings(barge_in=barge_in))
        flow.start()
        flow.run(1)
        audio = flow.sent(SessionUpdate)[0].session["audio"]
        turns = audio.get("input", {}).get("turn_detection", {})
        assert turns.get("interrupt_response", True) is cuts


def test_a_prompt_from_a_file_is_cut_too_and_nothing_is_truncated() -> None:
    flow = Flow(settings(prompts={"song": "song.wav"}, barge_in={"by": ["voice"]}))
    flow.prompt_seconds = 5
    flow.start()
    flow.run(2)
    flow.ask(Play("song"))
    flow.run(1)
    flow.post(VoiceStarted())
    flow.run(0.2)
    assert len(flow.did(Stop)) == 1
    assert not flow.sent(ConversationItemTruncate)
    assert not flow.sent(ConversationItemDelete)


def flushed(*parts: tuple[str, int, int, int]) -> PlayoutFlushed:
    return PlayoutFlushed(
        "r", tuple(Heard("r", item, at, sent, had) for item, at, sent, had in parts)
    )


def test_each_item_of_an_answer_is_truncated_where_it_stood_or_deleted_if_unheard() -> None:
    flow = speaking()
    flow.service.received.clear()
    flow.post(flushed(("a", 0, 900, 900), ("b", 0, 400, 1000), ("c", 0, 0, 700)))
    truncated = flow.sent(ConversationItemTruncate)
    assert [(one.item_id, one.audio_end_ms) for one in truncated] == [("a", 900), ("b", 400)]
    assert [one.item_id for one in flow.sent(ConversationItemDelete)] == ["c"]


@pytest.mark.parametrize(("sent", "received", "end"), [(500, 400, 400), (1, 400, 1)])
def test_the_end_is_never_behind_what_was_received(sent: int, received: int, end: int) -> None:
    flow = speaking()
    flow.service.received.clear()
    flow.post(flushed(("a", 0, sent, received)))
    assert [one.audio_end_ms for one in flow.sent(ConversationItemTruncate)] == [end]


def test_an_answer_of_which_nothing_was_heard_is_deleted_whole() -> None:
    flow = speaking()
    flow.service.received.clear()
    flow.post(flushed(("a", 0, 0, 400), ("a", 1, -20, 400)))
    assert [one.item_id for one in flow.sent(ConversationItemDelete)] == ["a"]
    assert not flow.sent(ConversationItemTruncate)


@pytest.mark.parametrize("mode", ["cut", "pause"])
def test_an_interruption_is_answered_once(mode: str) -> None:
    flow = speaking(by=["service", "voice", "key"], mode=mode)
    before = len(flow.sent(ResponseCreate))
    flow.post(VoiceStarted())
    flow.service.hear_caller(1.5, "stop that please")
    flow.run(1.5)
    flow.post(VoiceStopped(1500))
    flow.run(6)
    created = [e for e in flow.controller.timeline.entries if e.name == "response.created"]
    assert len(created) == 3  # greeting, the one that was cut, the answer
    assert len(flow.sent(ResponseCreate)) - before == (mode == "pause")
    assert len(flow.sent(ResponseCancel)) <= 1


def test_a_key_settles_an_interruption_that_is_being_weighed() -> None:
    flow = Flow(
        settings(prompts={"song": "s.wav"}, barge_in={"by": ["voice", "key"], "mode": "pause"})
    )
    flow.prompt_seconds = 5
    flow.start()
    flow.run(2)
    flow.ask(Play("song"))
    flow.run(1)
    flow.post(VoiceStarted())
    assert flow.did(PausePlayout)
    flow.press("5")
    flow.post(VoiceStopped(100))
    flow.run(0.5)
    flow.service.replies.append(Reply(4000))
    flow.run(6)
    assert len(flow.did(Stop)) == 1
    heard = [e for e in flow.controller.timeline.entries if e.name == "playout.stopped"]
    assert len(heard) == 2

"""What wears a call out: hours, losses and strange news that pile up, and what is left behind."""

import pytest
from call_scenes import HOURS, asked, assert_alive, settings, state, talking

from gateway.control import CallState, ControlSettings, Disconnect, Log, Play
from gateway.control.renewal import Renewal
from gateway.control.service import session_for
from gateway.control.settings import COMFORT
from gateway.realtime.commands import ClientEvent, ConversationItemCreate, ResponseCreate
from gateway.realtime.events import (
    ErrorDetail,
    ErrorEvent,
    InputAudioBufferCommitted,
    ResponseMcpCallInProgress,
    Unknown,
)
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply


def remarks(flow: Flow, session: int = -1) -> list[str]:
    """Return what a session was told about the line being interrupted."""
    return [text for text in flow.service.texts(session) if "interrupted" in text]


def test_a_line_that_breaks_again_and_again_is_remarked_on_once_in_each_session() -> None:
    flow = talking()
    for _ in range(6):
        flow.service.hear_caller(3.0, "When are you open?")
        flow.run(1)
        flow.lose_service()
        flow.run(12)
        assert_alive(flow)
        assert len(remarks(flow)) == 1


def test_events_of_names_without_end_leave_nothing_but_entries_of_the_timeline() -> None:
    flow = talking()
    for number in range(500):
        flow.post(Unknown(type=f"strange.{number}"))
    assert len(flow.controller._counts) < 100
    names = [entry.name for entry in flow.controller.timeline.entries]
    assert sum(name.startswith("strange.") for name in names) == 500


def test_a_session_that_only_writes_down_owes_no_answer() -> None:
    flow = Flow(settings(session={"type": "transcription"}))
    flow.start()
    flow.run(2)
    flow.post(InputAudioBufferCommitted(item_id="turn-1"))
    flow.run(120)
    assert_alive(flow)
    assert len(flow.service.sessions) == 1
    assert not [c for c in flow.service.received if isinstance(c, ResponseCreate)]


def test_a_tool_at_work_in_a_service_that_is_given_up_keeps_nobody_waiting() -> None:
    keys = {"1": [{"transfer": "operator"}]}
    flow = talking(settings(fallback={"keys": keys, "key_seconds": 20}))
    flow.post(ResponseMcpCallInProgress(item_id="tool-1", output_index=0))
    flow.post(ErrorEvent(error=ErrorDetail(code="insufficient_quota", message="no money")))
    flow.run(15)
    assert state(flow) is CallState.TALKING
    assert Play(COMFORT, is_repeated=True) not in flow.did(Play)


def test_a_calendar_that_is_off_by_nearly_the_life_of_a_session_renews_nothing() -> None:
    renewal = Renewal(120.0)
    renewal.open(10.0, 1_000_000.4)
    renewal.note({"expires_at": 1_000_001})
    assert renewal.ends_at == 10.0 + 3600.0


def test_seeds_of_a_conversation_are_not_sent_twice_into_one_session() -> None:
    flow = talking(None, Reply(1000, text=HOURS))
    flow.service.hear_caller(0.5, "When are you open?")
    flow.run(4)
    for _ in range(5):
        flow.lose_service()
        flow.run(5)
    texts = [
        c.item["content"][0]["text"]
        for c in flow.service.sessions[-1]
        if isinstance(c, ConversationItemCreate)
    ]
    assert texts == ["When are you open?", HOURS]


def test_a_service_that_went_mute_hears_nothing_more_of_the_caller() -> None:
    flow = talking()
    flow.service.is_mute = True
    flow.service.hear_caller(0.5, "When are you open?")
    flow.run(60)
    away = flow.did(Disconnect)
    assert away
    assert away[0] == Disconnect(for_good=False)


def test_a_strange_event_is_logged_once_for_each_name() -> None:
    flow = talking()
    for _ in range(3):
        flow.post(Unknown(type="response.hologram.delta"))
    assert sum("response.hologram.delta" in log.text for log in flow.did(Log)) == 1


@pytest.mark.parametrize("audio_format", ["audio/pcm", ""])
def test_a_call_that_nobody_talks_into_can_be_had_on_every_link(audio_format: str) -> None:
    plan = ControlSettings.of(settings(barge_in={"by": []}))
    turns = session_for(plan, audio_format)["audio"]["input"]["turn_detection"]
    assert turns == {"type": "server_vad", "interrupt_response": False}


def test_a_session_without_turns_is_left_without() -> None:
    without = {"audio": {"input": {"turn_detection": None}}}
    plan = ControlSettings.of(settings(barge_in={"by": []}, session=without))
    assert session_for(plan, "audio/pcm")["audio"]["input"]["turn_detection"] is None


def test_a_session_that_only_writes_down_is_asked_for_with_nothing_it_cannot_have() -> None:
    plan = ControlSettings.of(settings(session={"type": "transcription"}))
    wanted = {"input": {"format": {"type": "audio/pcm", "rate": 24000}}}
    assert session_for(plan, "audio/pcm") == {"type": "transcription", "audio": wanted}


def test_a_service_that_ceases_to_name_our_requests_is_understood_after_a_while() -> None:
    flow = talking()
    flow.service.is_echoing = False
    flow.press("5")
    flow.run(60)
    assert_alive(flow)
    assert len(flow.service.sessions) == 1
    flow.service.replies.append(Reply(1000, text=HOURS))
    flow.press("6")
    flow.run(5)
    spoken = [item for item in flow.controller.transcript.as_list() if item.get("text") == HOURS]
    assert [item["heard"] for item in spoken] == [HOURS]


def test_a_service_that_says_for_ever_it_is_busy_is_left_for_another_session() -> None:
    flow = talking(settings(realtime={"response_seconds": 5}))
    code, take = "conversation_already_has_active_response", flow.service.receive

    def refuse(command: ClientEvent) -> None:
        if isinstance(command, ResponseCreate) and len(flow.service.sessions) == 1:
            flow.later(0.01, lambda: flow.emit(_error(code, command.event_id)))
        else:
            take(command)

    flow.service.receive = refuse  # type: ignore[method-assign]
    flow.press("5")
    flow.run(20)
    assert_alive(flow)
    assert len(flow.service.sessions) == 2
    assert asked(flow)


def _error(code: str, event_id: str | None) -> ErrorEvent:
    return ErrorEvent(error=ErrorDetail(code=code, message=code, event_id=event_id))


def test_an_answer_whose_end_was_told_while_the_sideband_was_away_delays_no_goodbye() -> None:
    flow = Flow(settings(barge_in={"by": []}), "sip")
    flow.start()
    flow.run(0.6)  # the greeting is being heard
    flow.lose_service(seconds=3)
    flow.run(6)
    flow.service.hear_caller(0.5, "When are you open?")
    flow.run(5)
    assert flow.controller._speech.is_quiet

"""The same call over each link: one stream of events, whoever plays the service's speech."""

import pytest
from call_scenes import DTMF, TIMEOUT, call_of, said, settings, state

from gateway.config import Settings
from gateway.control import (
    Answer,
    CallState,
    Connect,
    ControlSettings,
    HangUp,
    Listen,
    Refer,
    Ring,
    SendCommand,
    first_difference,
    replay,
)
from gateway.control.events import TransferEnded, Transport
from gateway.control.timeline import TimelineEntry
from gateway.realtime.commands import (
    ConversationItemDelete,
    ConversationItemTruncate,
    OutputAudioBufferClear,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
)
from gateway.realtime.events import ConversationItemTruncated, InputAudioBufferDtmfEventReceived
from gateway.realtime.faults import classify
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply

every = pytest.mark.parametrize("transport", ["websocket", "webrtc", "sip"])
service_plays = pytest.mark.parametrize("transport", ["webrtc", "sip"])


def call(transport: Transport, plan: Settings | None = None, *replies: Reply) -> Flow:
    """Return a call over this link, greeted."""
    flow = Flow(plan or settings(), transport=transport)
    flow.service.replies.extend([Reply(), *replies])
    flow.start()
    flow.run(2)
    return flow


def times_of(flow: Flow, name: str) -> list[float]:
    return [entry.at for entry in flow.controller.timeline.entries if entry.name == name]


def test_a_hosted_call_is_answered_first_and_connected_to_then() -> None:
    flow = call("sip")
    kinds = [type(action) for _, action in flow.actions]
    assert kinds == [Answer, Connect, SendCommand, Listen, SendCommand]
    (update,) = flow.sent(SessionUpdate)
    assert "format" not in update.session["audio"].get("input", {})
    assert not flow.did(Ring)
    assert state(flow) is CallState.TALKING


def test_over_webrtc_the_caller_hears_ringing_and_no_format_is_asked_for() -> None:
    flow = call("webrtc")
    kinds = [type(action) for _, action in flow.actions]
    assert kinds == [Ring, Connect, SendCommand, Listen, Answer, SendCommand]
    (update,) = flow.sent(SessionUpdate)
    assert "format" not in update.session["audio"].get("input", {})


@every
def test_the_greeting_is_heard_once_from_beginning_to_end(transport: Transport) -> None:
    flow = call(transport)
    (started,) = times_of(flow, "output_audio_buffer.started")
    (stopped,) = times_of(flow, "output_audio_buffer.stopped")
    assert stopped - started == pytest.approx(1.0)


@service_plays
def test_a_caller_who_interrupts_is_the_services_own_business(transport: Transport) -> None:
    flow = call(transport, None, Reply(6000), Reply(500))
    flow.service.begin(None)
    flow.run(3)  # done, and heard for not yet half of it
    flow.service.hear_caller(0.4)
    flow.run(0.1)
    (truncated,) = [
        entry.subject
        for entry in flow.controller.timeline.entries
        if isinstance(entry.subject, ConversationItemTruncated)
    ]
    assert 2800 < truncated.audio_end_ms < 3000
    assert flow.controller.is_dropped("response-2")
    assert not flow.sent(ConversationItemTruncate)
    assert not flow.sent(ConversationItemDelete)
    assert not flow.sent(ResponseCancel)
    flow.run(3)
    assert not flow.controller.is_dropped("response-3")


@service_plays
def test_a_key_cuts_the_services_speech_by_cancel_and_clear(transport: Transport) -> None:
    flow = call(transport, None, Reply(9000), Reply(500))
    flow.service.begin(None)
    flow.run(1)
    flow.press("5")
    flow.run(3)
    names = [type(command) for command in flow.service.received[-4:]]
    assert names[0:2] == [ResponseCancel, OutputAudioBufferClear]
    assert names[3] is ResponseCreate
    assert flow.service.texts() == ["[DTMF 5]"]
    assert len(times_of(flow, "output_audio_buffer.cleared")) == 1
    assert len(times_of(flow, "output_audio_buffer.stopped")) == 2


@service_plays
def test_speech_that_is_complete_and_still_being_heard_is_cut_as_well(transport: Transport) -> None:
    flow = call(transport, None, Reply(9000), Reply(500))
    flow.service.begin(None)
    flow.run(4)  # response.done has come
    flow.press("5")
    flow.run(3)
    assert len(flow.sent(OutputAudioBufferClear)) == 1
    assert not flow.sent(ResponseCancel)
    assert len(times_of(flow, "output_audio_buffer.cleared")) == 1


@every
def test_a_key_is_told_to_the_model_whoever_heard_it(transport: Transport) -> None:
    flow = call(transport)
    flow.post(InputAudioBufferDtmfEventReceived(event="7"))
    flow.run(2)
    flow.press("8")
    flow.run(2)
    assert flow.service.texts() == ["[DTMF 7]", "[DTMF 8]"]
    assert len(flow.sent(ResponseCreate)) == 3


@every
def test_a_goodbye_is_heard_to_its_end_before_the_call_is(transport: Transport) -> None:
    flow = call(transport, None, Reply(500), Reply(500), Reply(500), Reply(2500))
    for _ in range(3):
        flow.service.time_out()
        flow.run(3)
    flow.run(6)
    assert said(flow) == ["Goodbye."]
    assert flow.did(HangUp) == [HangUp("idle")]
    assert flow.when(HangUp) == pytest.approx(times_of(flow, "output_audio_buffer.stopped")[-1])


@every
def test_a_transfer_waits_for_its_announcement(transport: Transport) -> None:
    reply = Reply(1500, calls=(call_of("transfer_call", '{"target":"operator"}'),))
    flow = call(transport, None, reply)
    flow.service.hear_caller(0.3)
    flow.run(4)
    assert flow.did(Refer) == [Refer("sip:operator@pbx.example")]
    assert flow.when(Refer) == pytest.approx(times_of(flow, "output_audio_buffer.stopped")[-1])
    flow.post(TransferEnded(is_accepted=True, status=200))
    assert flow.did(HangUp) == [HangUp("transferred")]


@every
def test_every_call_is_replayed_to_the_same_actions(transport: Transport) -> None:
    rules = [
        {"on": DTMF, "digit": "0", "do": [{"say": "One moment."}, {"transfer": "operator"}]},
        {"on": TIMEOUT, "count": 1, "do": [{"say": "Are you there?"}]},
    ]
    plan = settings(rules=rules)
    flow = call(transport, plan, Reply(5000))
    flow.service.hear_caller(0.4, "Hello?")
    flow.run(1)
    flow.lose_service(seconds=2)
    flow.run(1)
    flow.press("7")
    flow.run(6)
    flow.service.time_out()
    flow.run(4)
    flow.press("0")
    flow.run(5)
    flow.post(TransferEnded(is_accepted=False, status=486))
    flow.run(5)
    assert state(flow) is CallState.TALKING
    rows = [TimelineEntry.from_dict(row) for row in flow.controller.timeline.as_list()]
    assert first_difference(rows, replay(rows, ControlSettings.of(plan), classify)) is None

"""Each of the 47 events of the service, sent for a reason, and judged by the openai SDK's types."""

import functools
import json
from collections.abc import Callable
from importlib import resources
from typing import Any, Final, get_args

import numpy as np
import pytest
from rote_agent import SECOND, Fake, turns, update
from voicecodecs.resample import StreamResampler

from gateway.embedded.agents.agent import AgentStep, CallTool, Say
from gateway.embedded.protocol.outbox import Job
from gateway.embedded.speech.phrases import read_wav
from gateway.media.events import Heard, PlayoutFlushed, PlayoutStarted, PlayoutStopped
from gateway.realtime import commands as c
from gateway.realtime import events as e
from gateway.testing.service_client import ServiceClient

pydantic = pytest.importorskip("pydantic")
realtime = pytest.importorskip("openai.types.realtime", reason="the openai SDK is not installed")
beta = pytest.importorskip("openai.types.beta.realtime")

MCP: Final = {
    "type": "mcp",
    "server_label": "town",
    "server_url": "http://127.0.0.1:1/",
    "require_approval": "never",
}
TOOL: Final = {"name": "weather", "input_schema": {"type": "object"}}


def start(*answer: AgentStep, **how: Any) -> ServiceClient:
    agent = Fake()
    agent.answer = list(answer) or None
    return ServiceClient(lambda: agent, words=iter(["sales"] * 9), speech_ms=400, **how)


def speech() -> bytes:
    """Somebody saying one word amid silence: 24 kHz PCM."""
    folder = resources.files("gateway.embedded") / "voice" / "caller"
    pcm, rate = read_wav(folder / "sales.wav")
    noise = np.random.default_rng(1).normal(0, 8, 24000).astype(np.int16)
    return np.concatenate([noise, StreamResampler(rate, 24000).process(pcm), noise]).tobytes()


def an_answer() -> ServiceClient:
    client = start()
    update(client, instructions="Be kind.")
    client.send(c.ResponseCreate())
    return client


def a_written_answer() -> ServiceClient:
    client = start()
    update(client, output_modalities=["text"])
    client.send(c.ResponseCreate())
    return client


def a_function_call() -> ServiceClient:
    client = start(CallTool("hang_up", {"why": "done"}))
    client.send(c.ResponseCreate())
    return client


def a_turn_and_a_silence() -> ServiceClient:
    client = start()
    heard = turns(idle_timeout_ms=5000)
    heard["input"]["transcription"] = {"model": "gpt-4o-transcribe"}  # type: ignore[index]
    update(client, audio=heard)
    client.feed(speech())
    client.feed(SECOND * 6)
    return client


def a_turn_by_hand(model: str, words: str) -> ServiceClient:
    agent = Fake()
    client = ServiceClient(lambda: agent, words=iter([words]))
    update(client, audio={"input": {"transcription": {"model": model}, "turn_detection": None}})
    client.send(c.InputAudioBufferAppend(audio=SECOND))
    client.send(c.InputAudioBufferCommit())
    return client


def a_turn_of_one_speaker() -> ServiceClient:
    return a_turn_by_hand("gpt-4o-transcribe-diarize", "sales")


def a_turn_nobody_understands() -> ServiceClient:
    return a_turn_by_hand("whisper-1", "")


def a_tidy_up() -> ServiceClient:
    client = start()
    client.send(c.InputAudioBufferAppend(audio=SECOND))
    client.send(c.InputAudioBufferClear())
    client.send(c.ResponseCreate())
    item_id = client.last(e.ConversationItemAdded).item.id or ""
    client.send(c.ConversationItemRetrieve(item_id=item_id))
    client.send(c.ConversationItemTruncate(item_id=item_id, content_index=0, audio_end_ms=200))
    client.send(c.ConversationItemDelete(item_id=item_id))
    client.send(c.ConversationItemDelete(item_id=item_id))
    return client


def a_telephone_call() -> ServiceClient:
    """Two answers, the second cut by the caller's key."""
    client = start(transport="sip")
    observer = client.session.attach()
    for is_heard in (True, False):
        client.session.receive(c.encode(c.ResponseCreate()), client.now, observer)
        client.settle()
        frames = observer.data_to_send()
        client.raw += frames
        done = [event for f in frames if isinstance(event := e.decode(f), e.ResponseDone)][-1]
        response_id = done.response.id or ""
        item_id = (done.response.output or [])[0].id or ""
        client.session.played(PlayoutStarted(response_id, client.now), client.now)
        if is_heard:
            client.session.played(PlayoutStopped(response_id, client.now), client.now)
        else:
            client.session.key("0", 1_700_000_000)
            client.session.receive(c.encode(c.OutputAudioBufferClear()), client.now, observer)
            cut = PlayoutFlushed(response_id, (Heard(response_id, item_id, 0, 60, 400),), 0)
            client.session.played(cut, client.now)
        client.raw += observer.data_to_send()
    return client


def tools_of_a_town() -> ServiceClient:
    """A server that answers, then one that cannot be had; a call that works, and one that fails."""
    client = start(Say("One moment."), CallTool("weather", {}))

    def take() -> Job:
        (job,) = client.take_waiting()
        return job

    update(client, tools=[MCP])
    client.session.listed(take().job, [TOOL], client.now)
    update(client, tools=[MCP, {**MCP, "server_label": "gone"}])
    client.session.unlisted(take().job)
    for error in (None, {"type": "tool_execution_error", "message": "rain"}):
        client.send(c.ResponseCreate())
        job = take()
        client.session.tool_returned(job.job, None if error else "sun", client.now, error)
        client.settle()
        client.take_waiting()
        client.send(c.ResponseCancel())
    update(client, tools=[{**MCP, "require_approval": "always"}])
    client.session.listed(take().job, [TOOL], client.now)
    client.send(c.ResponseCreate())
    return client


def an_older_client() -> ServiceClient:
    client = start(dialect="preview", model="gpt-realtime")
    client.send(c.user_text("hello"))
    client.send(c.ResponseCreate())
    return client


def an_older_scribe() -> ServiceClient:
    client = start(dialect="preview", kind="transcription")
    flat = {"input_audio_format": "pcm16", "turn_detection": None}
    client.send_raw(json.dumps({"type": "transcription_session.update", "session": flat}))
    return client


REASONS: Final[dict[Callable[[], ServiceClient], tuple[str, ...]]] = {
    an_answer: (
        "session.created",
        "session.updated",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "response.done",
        "response.output_item.added",
        "response.output_item.done",
        "response.content_part.added",
        "response.content_part.done",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.delta",
        "response.output_audio_transcript.done",
        "rate_limits.updated",
    ),
    a_written_answer: ("response.output_text.delta", "response.output_text.done"),
    a_function_call: (
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
    ),
    a_turn_and_a_silence: (
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "input_audio_buffer.timeout_triggered",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ),
    a_turn_of_one_speaker: ("conversation.item.input_audio_transcription.segment",),
    a_turn_nobody_understands: ("conversation.item.input_audio_transcription.failed",),
    a_tidy_up: (
        "error",
        "input_audio_buffer.cleared",
        "conversation.item.retrieved",
        "conversation.item.truncated",
        "conversation.item.deleted",
    ),
    a_telephone_call: (
        "input_audio_buffer.dtmf_event_received",
        "output_audio_buffer.started",
        "output_audio_buffer.stopped",
        "output_audio_buffer.cleared",
    ),
    tools_of_a_town: (
        "mcp_list_tools.in_progress",
        "mcp_list_tools.completed",
        "mcp_list_tools.failed",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
        "response.mcp_call.failed",
    ),
    an_older_client: ("conversation.created", "conversation.item.created"),
    an_older_scribe: ("transcription_session.updated",),
}
OLDER: Final = (an_older_client, an_older_scribe)


@functools.cache
def sent(reason: Callable[[], ServiceClient]) -> tuple[bytes, ...]:
    """Return the frames that a client was sent."""
    client = reason()
    client.settle()
    return tuple(client.raw)


def name_of(frame: bytes) -> str:
    return str(json.loads(frame)["type"])


def models(union: Any) -> dict[str, Any]:
    """Return the SDK's models of events, by the name on the wire."""
    found = get_args(get_args(union)[0])
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in found}


GA: Final = models(realtime.RealtimeServerEvent)
PREVIEW: Final = GA | models(beta.realtime_server_event.RealtimeServerEvent)


def test_a_reason_is_known_for_each_of_the_47() -> None:
    reasons = [name for names in REASONS.values() for name in names]
    assert len(reasons) == 47
    assert set(reasons) == set(e.SERVER_EVENTS)


@pytest.mark.parametrize(
    ("name", "reason"),
    [(name, reason) for reason, names in REASONS.items() for name in names],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_an_event_is_sent_for_its_reason_and_is_as_the_sdk_expects(
    name: str, reason: Callable[[], ServiceClient]
) -> None:
    frames = [frame for frame in sent(reason) if name_of(frame) == name]
    assert frames
    known = PREVIEW if reason in OLDER else GA
    for frame in frames:
        known[name].model_validate_json(frame)


@pytest.mark.parametrize("reason", REASONS, ids=lambda value: value.__name__)
def test_nothing_else_is_sent_that_the_sdk_does_not_know(
    reason: Callable[[], ServiceClient],
) -> None:
    known = PREVIEW if reason in OLDER else GA
    for frame in sent(reason):
        if (name := name_of(frame)) != "transcription_session.created":
            known[name].model_validate_json(frame)

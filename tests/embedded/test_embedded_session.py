"""The realtime protocol as the embedded service speaks it, in virtual time."""

import base64
from collections.abc import Iterator
from importlib import resources

import numpy as np
import pytest
from voicecodecs.g711 import encode_ulaw
from voicecodecs.resample import StreamResampler

from gateway.embedded.agent import (
    AgentEvent,
    AgentStep,
    CallTool,
    Grammar,
    Idle,
    Interrupted,
    KeyPressed,
    PlayTurn,
    ResponseRequested,
    Say,
    SessionStarted,
    ToolReturned,
    TurnEnded,
)
from gateway.embedded.phrases import read_wav
from gateway.embedded.session import Limits
from gateway.realtime import commands as c
from gateway.realtime import events as e
from gateway.realtime.items import ErrorDetail
from gateway.testing.service_client import ServiceClient

SECOND = bytes(48_000)
RESPONSE = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]


class Fake:
    """An agent that answers by rote and remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[AgentEvent] = []
        self.grammar: Grammar | None = Grammar(("sales",))
        self.barge_in = True
        self.idle_timeout_ms: int | None = None
        self.deadline: float | None = None
        self.answer: list[AgentStep] | None = None

    def handle(self, event: AgentEvent, now: float) -> list[AgentStep]:
        self.told.append(event)
        if isinstance(event, SessionStarted | Interrupted):
            return []
        return [Say("Hello there.")] if self.answer is None else self.answer

    def wake(self, now: float) -> list[AgentStep]:
        self.deadline = None
        return [Say("Too slow.")]


@pytest.fixture
def agent() -> Fake:
    return Fake()


@pytest.fixture
def client(agent: Fake) -> ServiceClient:
    client = ServiceClient(lambda: agent, words=iter(["sales"] * 9), speech_ms=200)
    assert client.take() == ["session.created"]
    return client


def once(names: list[str]) -> list[str]:
    """Return the names without those repeated in a row."""
    return [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]


def update(client: ServiceClient, **fields: object) -> None:
    client.send(c.SessionUpdate(session={"type": "realtime", **fields}))


def turns(**fields: object) -> dict[str, object]:
    detection = {"type": "server_vad", **fields} if fields else None
    return {"input": {"turn_detection": detection}}


@pytest.fixture(scope="module")
def speech() -> bytes:
    """Somebody saying one word amid silence: 24 kHz PCM."""
    folder = resources.files("gateway.embedded") / "voice" / "caller"
    pcm, rate = read_wav(folder / "sales.wav")
    wide = pcm if rate == 24000 else StreamResampler(rate, 24000).process(pcm)
    noise = np.random.default_rng(1).normal(0, 8, 24000).astype(np.int16)
    return np.concatenate([noise, wide, noise]).tobytes()


def test_a_response_is_told_in_the_documented_order(client: ServiceClient) -> None:
    client.send(c.ResponseCreate())
    assert client.names == RESPONSE
    response = client.last(e.ResponseDone).response
    assert (response.status, response.output and response.output[0].transcript) == (
        "completed",
        "Hello there.",
    )
    assert len(client.last(e.ResponseOutputAudioDelta).delta) == 200 * 48
    assert response.usage is not None
    assert response.usage["output_token_details"] == {"text_tokens": 3, "audio_tokens": 4}


def test_speech_runs_ahead_of_real_time_but_not_without_end(agent: Fake) -> None:
    limits = Limits(burst_ms=1000, speed=4.0)
    client = ServiceClient(lambda: agent, speech_ms=5000, limits=limits)
    client.send(c.ResponseCreate())
    sent = len(client.all(e.ResponseOutputAudioDelta)) * 200
    assert sent == 1200
    client.sleep(0.5)
    assert len(client.all(e.ResponseOutputAudioDelta)) * 200 == pytest.approx(1000 + 2000, abs=200)
    client.sleep(1.0)
    assert client.names[-2] == "response.done"


def test_only_one_response_at_a_time_writes_to_the_conversation(agent: Fake) -> None:
    client = ServiceClient(lambda: agent, speech_ms=9000)
    client.send(c.ResponseCreate())
    client.send(c.ResponseCreate(event_id="mine"))
    error = client.last(e.ErrorEvent).error
    assert error.code == "conversation_already_has_active_response"
    assert error.event_id == "mine"
    client.take()
    client.send(c.ResponseCreate(response={"conversation": "none", "metadata": {"k": "v"}}))
    beside = client.last(e.ResponseCreated).response
    assert (beside.conversation_id, beside.metadata) == (None, {"k": "v"})
    assert "conversation.item.added" not in client.names


def test_a_cancelled_response_is_closed_properly(agent: Fake) -> None:
    client = ServiceClient(lambda: agent, speech_ms=9000)
    client.send(c.ResponseCreate())
    client.take()
    client.send(c.ResponseCancel())
    assert client.names == RESPONSE[6:]
    response = client.last(e.ResponseDone).response
    assert (response.status, response.reason) == ("cancelled", "client_cancelled")
    assert response.output
    assert response.output[0].status == "incomplete"
    assert isinstance(agent.told[-1], Interrupted)
    client.send(c.ResponseCancel())
    assert client.last(e.ErrorEvent).error.code == "response_cancel_not_active"


def test_a_turn_is_heard_understood_and_answered(
    client: ServiceClient, agent: Fake, speech: bytes
) -> None:
    update(client, audio={"input": {"transcription": {"model": "any"}}})
    client.take()
    client.feed(speech)
    names = once(client.names)
    assert names == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "conversation.item.input_audio_transcription.completed",
        *RESPONSE[1:],
    ]
    started, stopped = (
        client.last(e.InputAudioBufferSpeechStarted),
        client.last(e.InputAudioBufferSpeechStopped),
    )
    assert started.item_id == stopped.item_id == client.last(e.InputAudioBufferCommitted).item_id
    assert 500 <= started.audio_start_ms <= 1100
    assert started.audio_start_ms + 800 < stopped.audio_end_ms < 2600
    assert TurnEnded("sales") in agent.told
    words = client.last(e.ConversationItemInputAudioTranscriptionCompleted)
    assert (words.transcript, words.item_id) == ("sales", started.item_id)


def test_g711_in_and_out(client: ServiceClient, speech: bytes) -> None:
    law = {"format": {"type": "audio/pcmu"}}
    update(client, audio={"input": law, "output": law})
    narrow = StreamResampler(24000, 8000).process(np.frombuffer(speech, np.int16))
    client.feed(encode_ulaw(narrow).tobytes(), bytes_per_ms=8)
    assert "input_audio_buffer.speech_stopped" in client.names
    audio = b"".join(event.delta for event in client.all(e.ResponseOutputAudioDelta))
    assert len(audio) == 200 * 8


def test_speaking_interrupts_and_a_voice_that_may_not_be_cut_is_not(
    agent: Fake, speech: bytes
) -> None:
    client = ServiceClient(lambda: agent, speech_ms=20_000)
    client.send(c.ResponseCreate())
    client.take()
    agent.barge_in = False
    client.feed(speech)
    assert set(client.names) == {"response.output_audio.delta"}
    agent.barge_in = True
    client.feed(speech)
    response = client.all(e.ResponseDone)[0].response
    assert (response.status, response.reason) == ("cancelled", "turn_detected")


def test_turns_are_the_clients_own_where_detection_is_off(
    client: ServiceClient, agent: Fake
) -> None:
    update(client, audio=turns())
    client.send(c.InputAudioBufferAppend(audio=bytes(48 * 99)))
    client.send(c.InputAudioBufferCommit())
    error = client.last(e.ErrorEvent).error
    assert error.code == "input_audio_buffer_commit_empty"
    assert "99.00ms" in (error.message or "")
    client.send(c.InputAudioBufferAppend(audio=bytes(48)))
    client.take()
    client.send(c.InputAudioBufferCommit())
    assert client.take() == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    client.send(c.ResponseCreate())
    assert agent.told[-1] == TurnEnded("sales")


def test_a_response_waits_for_the_words_it_answers(client: ServiceClient, agent: Fake) -> None:
    update(client, audio=turns())
    client.work_waits = True
    client.send(c.InputAudioBufferAppend(audio=SECOND))
    client.send(c.InputAudioBufferCommit())
    client.send(c.ResponseCreate())
    assert client.names[-1] == "response.created"
    client.work_waits = False
    client.work()
    assert client.names[-2:] == ["response.done", "rate_limits.updated"]
    assert agent.told[-1] == TurnEnded("sales")


def test_cleared_audio_is_gone_but_the_clock_goes_on(client: ServiceClient, speech: bytes) -> None:
    client.send(c.InputAudioBufferAppend(audio=SECOND))
    client.send(c.InputAudioBufferClear())
    assert client.names[-1] == "input_audio_buffer.cleared"
    client.feed(speech)
    assert 1500 <= client.last(e.InputAudioBufferSpeechStarted).audio_start_ms <= 2100


def test_silence_is_noticed_by_the_documented_clock(client: ServiceClient, agent: Fake) -> None:
    update(client, audio=turns(idle_timeout_ms=5000))
    client.feed(SECOND * 8)
    assert not client.all(e.InputAudioBufferTimeoutTriggered), "nothing was said yet"
    client.send(c.ResponseCreate())  # 200 ms of speech
    client.take()
    client.feed(SECOND * 6)
    idle = client.last(e.InputAudioBufferTimeoutTriggered)
    assert idle.audio_start_ms == pytest.approx(8200, abs=40)
    assert idle.audio_end_ms - idle.audio_start_ms == 5000
    assert once(client.names) == [
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        *RESPONSE,
    ]
    assert client.last(e.InputAudioBufferCommitted).item_id == idle.item_id
    assert agent.told[-1] == Idle()


def test_keys_and_texts_are_told_in_order(client: ServiceClient, agent: Fake) -> None:
    client.send(c.user_text("[DTMF 5]"))
    client.send(c.user_text("hello"))
    client.send(c.ResponseCreate())
    assert agent.told[1:] == [KeyPressed("5"), TurnEnded("hello")]
    client.send(c.ResponseCreate(response={"instructions": 'Say "Bye."'}))
    assert agent.told[-1] == ResponseRequested('Say "Bye."')


def test_a_function_is_called_and_its_output_told(client: ServiceClient, agent: Fake) -> None:
    agent.answer = [Say("One moment."), CallTool("hang_up", {"why": "done"})]
    client.send(c.ResponseCreate())
    assert once(client.names)[-8:] == [
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    call = client.last(e.ResponseFunctionCallArgumentsDone)
    assert (call.name, call.arguments, call.output_index) == ("hang_up", '{"why":"done"}', 1)
    client.send(c.function_output("call_nobody", "{}"))
    assert client.last(e.ErrorEvent).error.param == "item.call_id"
    client.send(c.function_output(call.call_id, "{}"))
    client.send(c.ResponseCreate())
    assert agent.told[-1] == ToolReturned("hang_up", "{}")


def test_an_agent_may_speak_up_and_may_play_a_turn_back(client: ServiceClient, agent: Fake) -> None:
    agent.deadline = 3.0
    client.sleep(2.9)
    assert client.take() == []
    client.sleep(0.2)
    assert client.said == ["Too slow."]
    agent.answer = [PlayTurn()]
    update(client, audio=turns())
    client.send(c.InputAudioBufferAppend(audio=SECOND))
    client.send(c.InputAudioBufferCommit())
    client.take()
    client.send(c.ResponseCreate())
    assert sum(len(d.delta) for d in client.all(e.ResponseOutputAudioDelta)) == len(SECOND)


def test_text_is_written_where_text_is_asked_for(client: ServiceClient) -> None:
    client.send(c.ResponseCreate(response={"output_modalities": ["text"]}))
    assert client.last(e.ResponseOutputTextDone).text == "Hello there."
    assert client.said == []


def test_a_sentence_nobody_can_speak_fails_the_response() -> None:
    why = ErrorDetail(type="server_error", code="speech_failed", message="no voice")
    client = ServiceClient(Fake, unable=why)
    client.send(c.ResponseCreate())
    response = client.last(e.ResponseDone).response
    assert response.status == "failed"
    assert isinstance(response.status_details, e.StatusDetails)
    assert response.status_details.error == why


def test_a_response_ends_at_its_most_tokens(agent: Fake) -> None:
    client = ServiceClient(lambda: agent, speech_ms=5000)
    client.send(c.ResponseCreate(response={"max_output_tokens": 20}))
    client.sleep(5)
    response = client.last(e.ResponseDone).response
    assert (response.status, response.reason) == ("incomplete", "max_output_tokens")


def test_an_hour_is_the_end() -> None:
    client = ServiceClient(Fake)
    client.sleep(3600)
    assert client.last(e.ErrorEvent).error.code == "session_expired"
    close = client.session.close
    assert close
    assert (close.code, close.reason) == (
        1001,
        "Your session hit the maximum duration of 60 minutes.",
    )
    client.take()
    client.send(c.ResponseCreate())
    assert client.take() == []


@pytest.fixture
def spoken(client: ServiceClient) -> Iterator[str]:
    """The id of an item of 200 ms."""
    client.send(c.ResponseCreate())
    item_id = client.last(e.ResponseOutputItemDone).item.id
    client.take()
    assert item_id
    return iter([item_id])


def test_an_item_is_cut_to_what_was_heard(client: ServiceClient, spoken: Iterator[str]) -> None:
    item_id = next(spoken)

    def cut(end_ms: int, index: int = 0) -> str | None:
        client.send(
            c.ConversationItemTruncate(item_id=item_id, content_index=index, audio_end_ms=end_ms)
        )
        last = client.events[-1]
        return last.error.message if isinstance(last, e.ErrorEvent) else None

    assert cut(201) == "Audio content of 200 ms is already shorter than 201 ms"
    assert client.last(e.ErrorEvent).error.code == "item_truncate_invalid_audio_end_ms"
    assert cut(100, index=1) is not None
    assert cut(120) is None
    assert client.last(e.ConversationItemTruncated).audio_end_ms == 120
    assert cut(121) == "Audio content of 120 ms is already shorter than 121 ms"
    client.send(c.ConversationItemRetrieve(item_id=item_id))
    (part,) = client.last(e.ConversationItemRetrieved).item.content or []
    assert part.transcript is None
    assert len(base64.b64decode(part.audio or "")) == 120 * 48


def test_items_come_go_and_keep_their_order(client: ServiceClient, spoken: Iterator[str]) -> None:
    item_id = next(spoken)
    text = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]}
    client.send(c.ConversationItemCreate(item={**text, "id": "first"}, previous_item_id="root"))
    assert client.last(e.ConversationItemAdded).previous_item_id is None
    client.send(c.ConversationItemCreate(item={**text, "id": "next"}, previous_item_id="first"))
    assert client.last(e.ConversationItemDone).previous_item_id == "first"
    client.send(c.ConversationItemCreate(item=text))
    assert client.last(e.ConversationItemDone).previous_item_id == item_id
    client.send(c.ConversationItemDelete(item_id="next"))
    assert client.last(e.ConversationItemDeleted).item_id == "next"
    for command in (
        c.ConversationItemDelete(item_id="next"),
        c.ConversationItemRetrieve(item_id="next"),
        c.ConversationItemTruncate(item_id="next", content_index=0, audio_end_ms=0),
        c.ConversationItemCreate(item=text, previous_item_id="next"),
    ):
        client.send(command)
        assert client.last(e.ErrorEvent).error.code == "item_not_found"
    client.send(c.ConversationItemCreate(item={**text, "id": "first"}))
    assert client.last(e.ErrorEvent).error.param == "item.id"

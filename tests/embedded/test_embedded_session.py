"""A caller's turns as the embedded service hears and answers them, in virtual time."""

import numpy as np
import pytest
from rote_agent import RESPONSE, SECOND, Fake, once, turns, update
from voicecodecs.g711 import encode_ulaw
from voicecodecs.resample import StreamResampler

from gateway.embedded.agents.agent import Idle, KeyPressed, ResponseRequested, TurnEnded
from gateway.realtime import commands as c
from gateway.realtime import events as e
from gateway.testing.service_client import ServiceClient


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

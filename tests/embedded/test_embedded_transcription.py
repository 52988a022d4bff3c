"""The caller's words as a client is told them, by the model it asked for."""

import pytest
from rote_agent import SECOND, Fake, turns, update

from gateway.embedded.agents.agent import DICTATION, TurnEnded
from gateway.embedded.protocol.outbox import Hear
from gateway.realtime import commands as c
from gateway.realtime import events as e
from gateway.realtime.items import ErrorDetail
from gateway.testing.service_client import ServiceClient

TRANSCRIPTION = "conversation.item.input_audio_transcription."


def commit(client: ServiceClient, model: str) -> list[str]:
    """Say one second by hand; return what was told of its words."""
    update(client, audio={"input": {"transcription": {"model": model}, "turn_detection": None}})
    client.send(c.InputAudioBufferAppend(audio=SECOND))
    client.take()
    client.send(c.InputAudioBufferCommit())
    return [name.removeprefix(TRANSCRIPTION) for name in client.names if TRANSCRIPTION in name]


@pytest.fixture
def client(agent: Fake) -> ServiceClient:
    return ServiceClient(lambda: agent, words=iter(["tell me more", "", ""]), speech_ms=200)


def test_a_streaming_model_tells_the_words_one_by_one(client: ServiceClient) -> None:
    assert commit(client, "gpt-4o-mini-transcribe") == ["delta", "delta", "delta", "completed"]
    deltas = client.all(e.ConversationItemInputAudioTranscriptionDelta)
    whole = client.last(e.ConversationItemInputAudioTranscriptionCompleted)
    assert "".join(each.delta or "" for each in deltas) == whole.transcript == "tell me more"
    assert whole.usage["input_token_details"] == {"audio_tokens": 10, "text_tokens": 0}


def test_a_diarizing_model_tells_who_spoke_when(client: ServiceClient) -> None:
    assert commit(client, "gpt-4o-transcribe-diarize") == ["segment", "completed"]
    segment = client.last(e.ConversationItemInputAudioTranscriptionSegment)
    assert (segment.start, segment.end, segment.text) == (0.0, 1.0, "tell me more")
    assert segment.id.startswith("seg_")


def test_an_older_model_tells_the_whole_at_once_and_is_paid_by_the_second(
    client: ServiceClient,
) -> None:
    assert commit(client, "whisper-1") == ["completed"]
    whole = client.last(e.ConversationItemInputAudioTranscriptionCompleted)
    assert whole.usage == {"type": "duration", "seconds": 1.0}


def test_a_turn_that_nobody_understood_has_no_text_and_says_so(
    client: ServiceClient, agent: Fake
) -> None:
    commit(client, "whisper-1")
    client.send(c.InputAudioBufferAppend(audio=SECOND))
    client.send(c.InputAudioBufferCommit())
    failed = client.last(e.ConversationItemInputAudioTranscriptionFailed)
    assert failed.error.code == "audio_unintelligible"
    client.send(c.ResponseCreate())
    assert agent.told[-1] == TurnEnded("")


def test_a_turn_that_nobody_could_listen_to_is_answered_all_the_same(
    client: ServiceClient, agent: Fake
) -> None:
    update(client, audio={"input": {"transcription": {}, "turn_detection": None}})
    client.work_waits = True
    client.send(c.InputAudioBufferAppend(audio=SECOND))
    client.send(c.InputAudioBufferCommit())
    client.send(c.ResponseCreate())
    (job,) = client.take_waiting()
    problem = ErrorDetail(type="transcription_error", code="transcription_failed", message="no")
    client.session.unheard(job.job, problem, client.now)
    client.session.unheard(job.job, problem, client.now)
    client.work_waits = False
    client.settle()
    assert client.last(e.ConversationItemInputAudioTranscriptionFailed).error == problem
    assert client.names.count(f"{TRANSCRIPTION}failed") == 1
    assert agent.told[-1] == TurnEnded("")
    assert client.last(e.ResponseDone).response.status == "completed"


def test_words_are_written_down_where_they_are_wanted_and_no_phrase_is_expected(
    client: ServiceClient, agent: Fake
) -> None:
    agent.grammar = None
    client.work_waits = True
    update(client, audio=turns())
    for fields in ({}, {"transcription": {"model": "whisper-1"}}):
        update(client, audio={"input": fields})
        client.send(c.InputAudioBufferAppend(audio=SECOND))
        client.send(c.InputAudioBufferCommit())
    jobs = client.take_waiting()
    assert [isinstance(job, Hear) and job.grammar for job in jobs] == [DICTATION]


def test_a_transcription_session_writes_down_whatever_is_said(agent: Fake) -> None:
    client = ServiceClient(lambda: agent, kind="transcription")
    client.work_waits = True
    heard = {"transcription": {"model": "whisper-1"}, "turn_detection": None}
    client.send(c.SessionUpdate(session={"type": "transcription", "audio": {"input": heard}}))
    client.send(c.InputAudioBufferAppend(audio=SECOND))
    client.send(c.InputAudioBufferCommit())
    (job,) = client.take_waiting()
    assert isinstance(job, Hear)
    assert job.grammar == DICTATION

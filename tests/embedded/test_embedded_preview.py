"""A client of the preview generation at the embedded service."""

import json
from typing import Any

import pytest
from rote_agent import Fake

from gateway.clock import CountedIds
from gateway.embedded.protocol.outbox import Speak
from gateway.embedded.protocol.session import Session
from gateway.testing.service_client import ServiceClient

NAMES = [
    "response.created",
    "response.output_item.added",
    "conversation.item.created",
    "response.content_part.added",
    "response.audio_transcript.delta",
    "response.audio.delta",
    "response.audio.done",
    "response.audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]


class Old:
    """A client that knows the older words alone."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client
        self.frames: list[dict[str, Any]] = []

    def send(self, **command: Any) -> list[str]:
        """Send a command; return the names of what came."""
        self._client.send_raw(json.dumps(command))
        self.frames = [json.loads(frame) for frame in self._client.raw]
        self._client.raw.clear()
        return [frame["type"] for frame in self.frames]


@pytest.fixture
def service(agent: Fake) -> ServiceClient:
    words = iter(["hello"])
    model = "gpt-realtime"
    return ServiceClient(lambda: agent, words=words, speech_ms=200, dialect="preview", model=model)


def test_the_session_is_flat_and_the_conversation_is_announced(service: ServiceClient) -> None:
    created, conversation = (json.loads(frame) for frame in service.raw)
    assert created["type"] == "session.created"
    assert created["session"]["input_audio_format"] == "pcm16"
    assert created["session"]["temperature"] == 0.8
    assert "audio" not in created["session"]
    assert conversation["type"] == "conversation.created"
    assert conversation["conversation"]["object"] == "realtime.conversation"


def test_an_answer_is_told_in_the_older_words(service: ServiceClient) -> None:
    service.raw.clear()
    old = Old(service)
    flat = {"modalities": ["audio", "text"], "voice": "slt", "temperature": 0.9}
    assert old.send(type="session.update", session=flat) == ["session.updated"]
    assert old.frames[0]["session"]["voice"] == "slt"
    assert old.frames[0]["session"]["temperature"] == 0.9
    assert old.send(type="response.create") == NAMES
    assert old.frames[-2]["response"]["output"][0]["content"][0]["type"] == "audio"


def test_fields_of_the_older_words_are_still_checked(service: ServiceClient) -> None:
    service.raw.clear()
    old = Old(service)
    assert old.send(type="session.update", session={"temperature": 9}) == ["error"]
    assert old.send(type="session.update", session={"surprise": 1}) == ["error"]


def test_a_transcription_session_is_set_up_in_the_older_way(agent: Fake) -> None:
    service = ServiceClient(
        lambda: agent, words=iter(["hello"]), kind="transcription", dialect="preview"
    )
    assert json.loads(service.raw[0])["type"] == "transcription_session.created"
    service.raw.clear()
    old = Old(service)
    wanted = {
        "input_audio_format": "pcm16",
        "input_audio_transcription": {"model": "whisper-1"},
        "turn_detection": None,
    }
    names = old.send(type="transcription_session.update", session=wanted)
    assert names == ["transcription_session.updated"]
    assert old.frames[0]["session"]["input_audio_transcription"] == {"model": "whisper-1"}
    service.send_raw(json.dumps({"type": "input_audio_buffer.append", "audio": "AAAA" * 8000}))
    assert old.send(type="input_audio_buffer.commit") == [
        "input_audio_buffer.committed",
        "conversation.item.created",
        "conversation.item.input_audio_transcription.completed",
    ]


def test_the_older_way_to_set_up_transcription_is_unknown_to_a_client_of_today(
    agent: Fake,
) -> None:
    client = ServiceClient(lambda: agent, kind="transcription")
    client.send_raw('{"type": "transcription_session.update", "session": {}}')
    assert client.names[-1] == "error"


def test_two_generations_may_look_at_one_session(agent: Fake) -> None:
    session = Session(lambda: agent, CountedIds(), now=0, unix_now=1, model="gpt-realtime")
    session.data_to_send()
    old = session.attach("preview")
    session.receive(b'{"type": "response.create"}', 0.0)
    (job,) = session.jobs()
    assert isinstance(job, Speak)
    today = {json.loads(frame)["type"] for frame in session.data_to_send()}
    before = {json.loads(frame)["type"] for frame in old.data_to_send()}
    assert "conversation.item.added" in today
    assert before == today - {"conversation.item.added"} | {"conversation.item.created"}


def test_a_client_of_today_hears_nothing_of_older_words(agent: Fake) -> None:
    client = ServiceClient(lambda: agent, speech_ms=200)
    client.send_raw('{"type": "response.create"}')
    older = {"conversation.created", "conversation.item.created", "response.audio.delta"}
    assert older.isdisjoint(client.names)

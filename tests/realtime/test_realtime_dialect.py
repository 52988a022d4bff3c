"""The preview generation in both directions, judged by the openai SDK's types of it."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.beta.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import TypeAdapter

from gateway.realtime import commands as c
from gateway.realtime import events as e
from gateway.realtime.dialect import GA, PREVIEW, dialect_of, from_preview, to_preview
from gateway.realtime.items import ContentPart, Item, ResponseInfo
from gateway.realtime.preview import session_from_preview, session_to_preview

CLIENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)
SERVER: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)

GA_SESSION = {
    "type": "realtime",
    "output_modalities": ["audio"],
    "instructions": "Be kind.",
    "audio": {
        "input": {
            "format": {"type": "audio/pcmu"},
            "transcription": {"model": "whisper-1"},
            "noise_reduction": None,
            "turn_detection": {"type": "server_vad", "threshold": 0.5, "idle_timeout_ms": 6000},
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "sage", "speed": 1.0},
    },
    "tools": [{"type": "function", "name": "hang_up", "parameters": {}}],
    "tool_choice": "auto",
    "max_output_tokens": 4096,
    "truncation": "auto",
    "prompt": None,
}
FLAT_SESSION = {
    "modalities": ["text", "audio"],
    "instructions": "Be kind.",
    "input_audio_format": "g711_ulaw",
    "input_audio_transcription": {"model": "whisper-1"},
    "input_audio_noise_reduction": None,
    "turn_detection": {"type": "server_vad", "threshold": 0.5},
    "output_audio_format": "pcm16",
    "voice": "sage",
    "speed": 1.0,
    "tools": [{"type": "function", "name": "hang_up", "parameters": {}}],
    "tool_choice": "auto",
    "max_response_output_tokens": 4096,
}


def text_item(role: str, kind: str) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": kind, "text": "Hello."}]}


COMMANDS: list[c.ClientEvent] = [
    c.SessionUpdate(session=GA_SESSION),
    c.SessionUpdate(session={"type": "transcription", "audio": GA_SESSION["audio"]}),
    c.InputAudioBufferAppend(audio=b"sound"),
    c.InputAudioBufferCommit(),
    c.InputAudioBufferClear(),
    c.OutputAudioBufferClear(),
    c.ConversationItemCreate(item=text_item("user", "input_text"), previous_item_id="root"),
    c.ConversationItemCreate(item=text_item("assistant", "output_text")),
    c.ConversationItemRetrieve(item_id="item_1"),
    c.ConversationItemTruncate(item_id="item_1", content_index=0, audio_end_ms=100),
    c.ConversationItemDelete(item_id="item_1"),
    c.ResponseCreate(),
    c.ResponseCreate(
        response={
            "output_modalities": ["text"],
            "max_output_tokens": 10,
            "audio": {"output": {"voice": "ash", "format": {"type": "audio/pcma"}}},
            "input": [text_item("assistant", "output_text")],
            "conversation": "none",
        }
    ),
    c.ResponseCancel(response_id="resp_1"),
]


def test_a_session_is_flattened_and_nested_again() -> None:
    assert session_to_preview(GA_SESSION) == FLAT_SESSION
    nested = session_from_preview(FLAT_SESSION)
    lost = {"truncation", "prompt"}  # the preview has no words for these
    kept = {name: value for name, value in GA_SESSION.items() if name not in lost}
    expected: dict[str, Any] = copy.deepcopy(kept)
    del expected["audio"]["input"]["turn_detection"]["idle_timeout_ms"]
    assert nested == expected
    assert session_to_preview(nested) == FLAT_SESSION


@pytest.mark.parametrize("flat", [{}, {"voice": "ash"}, {"turn_detection": None}, {"tools": []}])
def test_a_part_of_a_session_stays_a_part(flat: dict[str, Any]) -> None:
    assert session_to_preview(session_from_preview(flat)) == flat


def test_a_session_that_is_nested_already_is_left_alone() -> None:
    assert session_from_preview(GA_SESSION) == GA_SESSION


@pytest.mark.parametrize("command", COMMANDS, ids=c.wire_name)
def test_every_command_is_one_of_the_preview_and_is_read_back(command: c.ClientEvent) -> None:
    sent = PREVIEW.encode(command)
    CLIENT.validate_json(sent, strict=True)
    again = from_preview(sent)
    assert not isinstance(again, c.BadCommand)
    assert PREVIEW.encode(again) == sent


def test_the_preview_sets_up_a_transcription_by_a_command_of_its_own() -> None:
    sent = json.loads(PREVIEW.encode(COMMANDS[1]))
    assert sent["type"] == "transcription_session.update"
    assert sent["session"]["input_audio_format"] == "g711_ulaw"
    read = from_preview(json.dumps(sent))
    assert isinstance(read, c.TranscriptionSessionUpdate)
    assert read.session["type"] == "transcription"
    assert read.session["audio"]["input"]["format"] == {"type": "audio/pcmu"}


def test_what_the_model_said_is_called_otherwise_and_what_the_caller_said_is_not() -> None:
    kinds = [
        json.loads(PREVIEW.encode(command))["item"]["content"][0]["type"]
        for command in COMMANDS
        if isinstance(command, c.ConversationItemCreate)
    ]
    assert kinds == ["input_text", "text"]


SPOKEN = Item(
    id="item_1",
    type="message",
    role="assistant",
    status="completed",
    content=[ContentPart(type="output_audio", transcript="Hello.")],
)
DONE = ResponseInfo(
    id="resp_1",
    status="completed",
    output=[SPOKEN],
    output_modalities=["audio"],
    audio={"output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "sage"}},
)
WHERE: dict[str, Any] = {
    "response_id": "resp_1",
    "item_id": "item_1",
    "output_index": 0,
    "content_index": 0,
}
EVENTS: list[e.ServerEvent] = [
    e.SessionCreated(event_id="e", session=GA_SESSION),
    e.SessionUpdated(event_id="e", session=GA_SESSION),
    e.ConversationItemAdded(event_id="e", item=SPOKEN),
    e.ResponseCreated(event_id="e", response=DONE),
    e.ResponseDone(event_id="e", response=DONE),
    e.ResponseOutputItemAdded(event_id="e", response_id="resp_1", output_index=0, item=SPOKEN),
    e.ResponseContentPartAdded(event_id="e", part=ContentPart(type="audio"), **WHERE),
    e.ResponseOutputAudioDelta(event_id="e", delta=b"sound", **WHERE),
    e.ResponseOutputAudioDone(event_id="e", **WHERE),
    e.ResponseOutputAudioTranscriptDelta(event_id="e", delta="Hel", **WHERE),
    e.ResponseOutputAudioTranscriptDone(event_id="e", transcript="Hello.", **WHERE),
    e.ResponseOutputTextDelta(event_id="e", delta="Hel", **WHERE),
    e.ResponseOutputTextDone(event_id="e", text="Hello.", **WHERE),
    e.OutputAudioBufferStarted(event_id="e", response_id="resp_1"),
    e.ErrorEvent(event_id="e", error=e.ErrorDetail(type="server_error", message="no")),
]


@pytest.mark.parametrize("event", EVENTS, ids=e.wire_name)
def test_every_event_is_one_of_the_preview_and_is_read_back(event: e.ServerEvent) -> None:
    sent = to_preview(event)
    assert sent is not None
    SERVER.validate_json(sent, strict=True)
    read = PREVIEW.decode(sent)
    assert not isinstance(read, e.Unknown)
    assert to_preview(read) == sent
    if isinstance(event, e.ConversationItemAdded):
        assert isinstance(read, e.ConversationItemCreated)
        assert read.item == event.item
    elif not isinstance(event, e.SessionCreated | e.SessionUpdated):
        assert read == event


def test_the_older_names_are_on_the_wire() -> None:
    names = {str(json.loads(to_preview(event) or b"{}")["type"]) for event in EVENTS}
    assert e.PREVIEW_ALIASES.keys() <= names
    assert not names & set(e.PREVIEW_ALIASES.values())
    response = json.loads(to_preview(EVENTS[4]) or b"")["response"]
    assert response["modalities"] == ["text", "audio"]
    assert (response["voice"], response["output_audio_format"]) == ("sage", "pcm16")
    assert response["output"][0]["content"][0]["type"] == "audio"


@pytest.mark.parametrize(
    "event",
    [
        e.ConversationItemDone(item=SPOKEN),
        e.InputAudioBufferTimeoutTriggered(item_id="i", audio_start_ms=0, audio_end_ms=1),
        e.InputAudioBufferDtmfEventReceived(event="1"),
    ],
    ids=e.wire_name,
)
def test_what_the_preview_never_said_is_not_said(event: e.ServerEvent) -> None:
    assert PREVIEW.encode_event(event) is None
    assert GA.encode_event(event) is not None


def test_a_session_that_only_transcribes_has_events_of_its_own() -> None:
    session = {"type": "transcription", "audio": {"input": {"format": {"type": "audio/pcm"}}}}
    created = to_preview(e.SessionCreated(session=session)) or b""
    updated = to_preview(e.SessionUpdated(session=session)) or b""
    assert b'"transcription_session.created"' in created
    assert b'"transcription_session.updated"' in updated
    read = PREVIEW.decode(created)
    assert isinstance(read, e.SessionCreated)
    assert read.session["type"] == "transcription"
    again = PREVIEW.decode(updated)
    assert isinstance(again, e.TranscriptionSessionUpdated)
    assert again.session["audio"]["input"]["format"]["type"] == "audio/pcm"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"{", True),
        (b"[]", True),
        (b'{"type": 5}', True),
        (b'{"type":"response.audio.delta","delta":"*"}', True),
        (b'{"type":"response.created","response":[]}', True),
        (b'{"type":"ping"}', False),
        (b"[" * 100_000, True),
        (bytearray(b'{"type":"session.created","session":5}'), True),
    ],
)
def test_what_cannot_be_read_is_kept_whole(data: bytes | bytearray, problem: bool) -> None:
    event = PREVIEW.decode(data)
    assert isinstance(event, e.Unknown)
    assert event.raw == data
    assert bool(event.problem) is problem


def test_a_service_of_the_preview_says_what_is_wrong_with_a_command() -> None:
    bad = [from_preview(b"{"), from_preview(b"[]"), from_preview(b'{"type":"session.update"}')]
    assert all(isinstance(each, c.BadCommand) for each in bad)
    assert [each.code for each in bad if isinstance(each, c.BadCommand)] == [
        "invalid_json",
        "invalid_event",
        "missing_required_parameter",
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
MESSAGE = st.fixed_dictionaries(
    {"type": st.sampled_from([*e.SERVER_EVENTS, *e.PREVIEW_ALIASES, *c.CLIENT_EVENTS])},
    optional={
        "session": st.fixed_dictionaries(
            {}, optional=dict.fromkeys([*FLAT_SESSION, *GA_SESSION, "audio"], JSON)
        ),
        "item": JSON | st.fixed_dictionaries({"role": st.just("assistant"), "content": JSON}),
        "response": JSON | st.fixed_dictionaries({}, optional={"output": JSON, "audio": JSON}),
    },
)


@given(MESSAGE)
@settings(max_examples=300)
def test_garbage_never_raises(message: dict[str, Any]) -> None:
    data = json.dumps(message).encode()
    for dialect in (GA, PREVIEW):
        event = dialect.decode(data)
        if not isinstance(event, e.Unknown):
            dialect.encode_event(event)
        command = dialect.decode_command(data)
        if not isinstance(command, c.BadCommand):
            dialect.encode(command)


def test_the_generation_chooses_the_dialect() -> None:
    assert (dialect_of("ga"), dialect_of("preview")) == (GA, PREVIEW)

"""Every event and command against the published description, examples and recordings."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.realtime import commands, events
from gateway.realtime.events import (
    PREVIEW_ALIASES,
    SERVER_EVENTS,
    TRANSPORTS,
    ErrorEvent,
    InputAudioBufferDtmfEventReceived,
    OutputAudioBufferStarted,
    ResponseOutputAudioDelta,
    Unknown,
    decode,
    encode,
)

MATERIAL = Path(__file__).parents[2].parent / "shared" / "realtime"
NOT_PUBLISHED = {"digit", "_origin", "event_id"}  # read, or never on the wire


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    path = MATERIAL / "schema.json"
    if not path.exists():
        pytest.skip(f"the published description is not at {path}")
    described: dict[str, Any] = json.loads(path.read_text())
    return described


def wire_fields(cls: type[msgspec.Struct]) -> dict[str, bool]:
    """Return each field's wire name, and whether it must be there."""
    return {field.encode_name: field.required for field in msgspec.structs.fields(cls)}


def published(description: dict[str, Any]) -> dict[str, bool]:
    fields = description["fields"]
    return {name: field["required"] for name, field in fields.items() if name != "type"}


def test_all_47_events_have_exactly_the_published_fields(schema: dict[str, Any]) -> None:
    assert len(SERVER_EVENTS) == 47
    assert set(SERVER_EVENTS) == set(schema["server_events"])
    for name, description in schema["server_events"].items():
        ours, theirs = wire_fields(SERVER_EVENTS[name]), published(description)
        assert set(ours) - NOT_PUBLISHED == set(theirs) - NOT_PUBLISHED, name
        relied_on = {field for field, required in ours.items() if required}
        assert relied_on <= {field for field, required in theirs.items() if required}, name


def test_all_12_commands_have_exactly_the_published_fields(schema: dict[str, Any]) -> None:
    assert len(commands.CLIENT_EVENTS) == 12
    assert set(commands.CLIENT_EVENTS) == set(schema["client_events"])
    for name, description in schema["client_events"].items():
        assert wire_fields(commands.CLIENT_EVENTS[name]) == published(description), name


def test_transports_and_preview_names_are_the_published_ones(schema: dict[str, Any]) -> None:
    for name, description in schema["server_events"].items():
        assert TRANSPORTS[name] == set(description["transports"]), name
    renamed = {
        description["preview_alias"]: name
        for name, description in schema["server_events"].items()
        if description["preview_alias"] not in (None, name)
    }
    assert renamed == PREVIEW_ALIASES


def test_every_published_example_is_read(schema: dict[str, Any]) -> None:
    for name, description in schema["server_events"].items():
        example = description["example"]
        if example.get("delta") == "Base64EncodedAudioDelta":
            example = {**example, "delta": "AAAA"}  # the printed one is words, not base64
        event = decode(json.dumps(example))
        assert not isinstance(event, Unknown), (name, event.problem)
        assert events.wire_name(event) == name
        assert decode(encode(event)) == event


def test_class_names_are_the_wire_names_in_camel_case() -> None:
    for name, cls in SERVER_EVENTS.items():
        words = name.replace(".", "_").split("_")
        expected = "".join(word.capitalize() for word in words)
        assert cls.__name__ == ("ErrorEvent" if name == "error" else expected)


def recorded(direction: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yaml = pytest.importorskip("yaml", reason="recordings are YAML")
    folder = MATERIAL / "sessions"
    if not folder.is_dir():
        pytest.skip(f"recorded sessions are not at {folder}")
    for path in sorted(folder.rglob("*ws*/*.yaml")):
        for step in yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["interactions"]:
            if step.get("kind") == "message" and step.get("direction") == direction:
                yield path.parent.name, step["data"]


def test_recorded_events_are_read_and_only_foreign_names_stay_unknown() -> None:
    unknown: dict[str, set[str]] = {}
    for service, frame in recorded("received"):
        event = decode(json.dumps(frame))
        if isinstance(event, Unknown):
            assert not event.problem, (service, event)
            unknown.setdefault(service, set()).add(event.type)
    assert unknown == {
        "test_xai_ws": {"ping", "conversation.item.input_audio_transcription.updated"}
    }


def test_recorded_commands_are_read() -> None:
    for service, frame in recorded("sent"):
        command = commands.decode_command(json.dumps(frame))
        assert not isinstance(command, commands.BadCommand), (service, frame, command)


def test_a_key_is_read_under_either_name() -> None:
    kind = "input_audio_buffer.dtmf_event_received"
    one = decode(json.dumps({"type": f" {kind}", "event": "9", "received_at": 1763605109}))
    other = decode(json.dumps({"type": kind, "event_id": "e1", "digit": "9"}))
    assert isinstance(one, InputAudioBufferDtmfEventReceived)
    assert isinstance(other, InputAudioBufferDtmfEventReceived)
    assert one.event == other.event == "9"
    assert (one.event_id, other.event_id) == ("", "e1")


def test_a_key_event_without_a_key_is_a_problem_and_not_an_exception() -> None:
    event = decode('{"type":"input_audio_buffer.dtmf_event_received"}')
    assert isinstance(event, Unknown)
    assert event.type == "input_audio_buffer.dtmf_event_received"
    assert "digit" in event.problem


def test_origin_is_never_taken_from_nor_put_on_the_wire() -> None:
    data = '{"type":"output_audio_buffer.started","response_id":"r","origin":5,"_origin":"gateway"}'
    event = decode(data)
    assert event == OutputAudioBufferStarted(response_id="r")
    ours = OutputAudioBufferStarted(response_id="r", origin="gateway")
    assert b"origin" not in encode(ours)


@pytest.mark.parametrize("name", sorted(PREVIEW_ALIASES))
def test_preview_names_are_read_as_todays(name: str) -> None:
    place = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
    rest = {"delta": "AAAA", "transcript": "a", "text": "b"}
    event = decode(json.dumps({"type": name, **place, **rest}))
    assert events.wire_name(event) == PREVIEW_ALIASES[name]
    if isinstance(event, ResponseOutputAudioDelta):
        assert event.delta == b"\0\0\0"


@pytest.mark.parametrize(
    "message",
    [
        {"type": "error", "message": "no", "code": "invalid_api_key"},
        {"type": "invalid_request_error", "message": "no", "code": "invalid_api_key"},
        {"type": "error", "error": {"type": "x", "message": "no", "code": "invalid_api_key"}},
    ],
)
def test_an_error_is_read_bare_or_wrapped(message: dict[str, Any]) -> None:
    event = decode(json.dumps(message))
    assert isinstance(event, ErrorEvent)
    assert (event.error.code, event.error.message) == ("invalid_api_key", "no")


@pytest.mark.parametrize(
    ("data", "kind", "has_problem"),
    [
        (b"", "", True),
        (b"\xff\xfe", "", True),
        ("[1,2]", "", True),
        ('{"type":7}', "", True),
        ("[" * 100_000, "", True),
        ('{"type":"something.new","x":1}', "something.new", False),
        ('{"type":"response.done"}', "response.done", True),
        (
            '{"type":"response.output_audio.delta","delta":"!","response_id":"r",'
            '"item_id":"i","output_index":0,"content_index":0}',
            "response.output_audio.delta",
            True,
        ),
    ],
)
def test_what_cannot_be_read_is_kept_whole(data: bytes | str, kind: str, has_problem: bool) -> None:
    event = decode(data)
    assert isinstance(event, Unknown)
    assert (event.type, bool(event.problem), event.raw) == (kind, has_problem, data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
messages = st.builds(
    lambda kind, rest: json.dumps({**rest, "type": kind}),
    st.sampled_from([*SERVER_EVENTS, *PREVIEW_ALIASES, *commands.CLIENT_EVENTS]) | json_values,
    st.dictionaries(st.sampled_from(["response", "item", "delta", "event", "error"]), json_values),
)


@settings(max_examples=200)
@given(messages | st.text() | st.binary())
def test_garbage_never_raises(data: bytes | str) -> None:
    decode(data)
    commands.decode_command(data)

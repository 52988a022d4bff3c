"""Events that are not quite as published keep their effect: what fits is read, the rest is not."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.realtime.dialect import PREVIEW
from gateway.realtime.events import SERVER_EVENTS, Unknown, decode, wire_name

WHERE = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}


def read(message: dict[str, Any]) -> Any:
    event = decode(json.dumps(message))
    assert wire_name(event) == message["type"]
    assert not isinstance(event, Unknown), event.problem
    assert type(PREVIEW.decode(json.dumps(message))) is type(event)
    return event


@pytest.mark.parametrize(
    ("detail", "code", "message"),
    [
        ({"code": 400, "message": "no"}, "400", "no"),
        ({"code": "c", "message": {"en": "no"}}, "c", '{"en":"no"}'),
        ({"code": ["c"], "message": None, "param": {"a": 1}}, '["c"]', None),
        ({"code": True, "message": "no"}, None, "no"),
        ("no", None, "no"),
    ],
)
def test_an_error_is_an_error_whatever_its_parts_are(
    detail: Any, code: str | None, message: str | None
) -> None:
    error = read({"type": "error", "error": detail}).error
    assert (error.code, error.message) == (code, message)


@pytest.mark.parametrize(
    "odd",
    [
        {"usage": []},
        {"metadata": "x"},
        {"max_output_tokens": 4096.5},
        {"output_modalities": "audio", "conversation_id": 5},
        {"status_details": ["?"]},
        {"output": [None, {"id": "i", "type": "message", "content": "words"}, 7]},
    ],
)
def test_a_response_ends_whatever_is_said_of_it(odd: dict[str, Any]) -> None:
    done = read({"type": "response.done", "response": {"id": "r", "status": "completed", **odd}})
    assert (done.response.id, done.response.status) == ("r", "completed")
    if "output" in odd:
        assert [item.id for item in done.response.output] == ["i"]


def test_a_caller_who_begins_to_speak_is_noticed_however_it_is_written() -> None:
    name = "input_audio_buffer.speech_started"
    assert read({"type": name, "item_id": "i", "audio_start_ms": 12.0}).audio_start_ms == 12
    assert read({"type": name, "item_id": "i", "audio_start_ms": "12"}).audio_start_ms == 12
    begun = read({"type": name, "item_id": 7, "audio_start_ms": 1e3, "event_id": None})
    assert (begun.item_id, begun.audio_start_ms, begun.event_id) == ("7", 1000, "")


def test_sound_is_heard_though_nothing_says_which_part_of_the_answer_it_is() -> None:
    name = "response.output_audio.delta"
    sound = read({"type": name, "response_id": "r", "item_id": "i", "delta": "AAAA"})
    assert (sound.delta, sound.output_index, sound.content_index) == (bytes(3), 0, 0)


def test_a_key_is_a_key_though_it_is_a_number() -> None:
    name = "input_audio_buffer.dtmf_event_received"
    key = read({"type": name, "event": 5, "received_at": "yesterday"})
    assert (key.event, key.received_at) == ("5", None)


def test_arguments_that_are_no_text_become_one() -> None:
    name = "response.function_call_arguments.done"
    call = read({"type": name, **WHERE, "call_id": "c", "name": "f", "arguments": {"a": 1}})
    assert call.arguments == '{"a":1}'


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({"type": "response.output_audio.delta", **WHERE, "delta": "!!!"}, "base64"),
        ({"type": "response.output_audio.delta", "delta": "!!!"}, "base64"),
        ({"type": "response.output_audio.delta", **WHERE}, "`delta`"),
        ({"type": "rate_limits.updated", "rate_limits": None}, "got `null`"),
        ({"type": "session.updated", "session": "s"}, "got `str`"),
        ({"type": "response.function_call_arguments.done", **WHERE, "arguments": "{}"}, "call_id"),
        ({"type": "rate_limits.updated", "rate_limits": [7] * 100}, "got `int`"),
    ],
)
def test_without_what_it_is_about_an_event_stays_unread_and_the_first_reason_is_told(
    message: dict[str, Any], problem: str
) -> None:
    event = decode(json.dumps(message))
    assert isinstance(event, Unknown)
    assert event.type == message["type"]
    assert problem in event.problem


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.sampled_from(sorted(SERVER_EVENTS)), st.data())
@settings(max_examples=150)
def test_no_shape_of_a_known_event_loses_its_name(name: str, data: st.DataObject) -> None:
    fields = SERVER_EVENTS[name].__struct_encode_fields__
    message = data.draw(st.dictionaries(st.sampled_from(fields), json_values))
    assert wire_name(decode(json.dumps({**message, "type": name}))) == name

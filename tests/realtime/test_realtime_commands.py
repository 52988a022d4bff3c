"""Commands as the service reads them, and what it says to those it cannot."""

import json

import pytest

from gateway.realtime import commands
from gateway.realtime.commands import BadCommand, InputAudioBufferAppend, ResponseCreate


def test_the_fast_append_is_the_same_command_as_the_slow_one() -> None:
    chunk = bytes(range(256)) * 5
    fast = commands.encode_append(chunk)
    assert fast == commands.encode(InputAudioBufferAppend(audio=chunk))
    assert commands.decode_command(fast) == InputAudioBufferAppend(audio=chunk)


def test_an_absent_field_is_not_sent_but_a_null_in_the_session_is() -> None:
    assert json.loads(commands.encode(ResponseCreate())) == {"type": "response.create"}
    update = commands.SessionUpdate(session={"audio": {"input": {"turn_detection": None}}})
    assert b'"turn_detection":null' in commands.encode(update)


def test_shorthands_make_the_items_the_service_expects() -> None:
    assert commands.user_text("[DTMF 5]").item == {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "[DTMF 5]"}],
    }
    output = commands.function_output("call_1", "{}").item
    assert output == {"type": "function_call_output", "call_id": "call_1", "output": "{}"}


@pytest.mark.parametrize(
    ("data", "code", "param"),
    [
        ("{", "invalid_json", None),
        ("[]", "invalid_event", None),
        ('{"event_id":"e"}', "invalid_event", "type"),
        ('{"type":"nope","event_id":"e"}', "invalid_value", "type"),
        ('{"type":"conversation.item.delete"}', "missing_required_parameter", "item_id"),
        ('{"type":"conversation.item.delete","item_id":5}', "invalid_type", "item_id"),
        ('{"type":"input_audio_buffer.append","audio":"%"}', "invalid_type", "audio"),
    ],
)
def test_a_bad_command_is_explained(data: str, code: str, param: str | None) -> None:
    bad = commands.decode_command(data)
    assert isinstance(bad, BadCommand)
    assert (bad.code, bad.param) == (code, param)
    assert bad.event_id == ("e" if '"e"' in data else None)

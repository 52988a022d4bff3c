"""Whatever a client sends, a session answers with events and never with an exception."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.embedded.agents.echo import EchoAgent
from gateway.realtime.commands import CLIENT_EVENTS
from gateway.testing.service_client import ServiceClient

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2**40),
    st.floats(allow_nan=False),
    st.sampled_from(
        ["", "AAAA", "a b", "message", "user", "assistant", "input_text", "auto", "none"]
    ),
    st.sampled_from(["realtime", "audio/pcm", "audio/pcmu", "server_vad", "function_call_output"]),
)
NAMES = """
    type role content text audio session input output format turn_detection threshold tools name
    item id item_id call_id previous_item_id content_index audio_end_ms response conversation
    metadata instructions output_modalities max_output_tokens tool_choice event_id
"""
names = st.sampled_from(sorted(set(NAMES.split())))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner), max_leaves=8
)
messages = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.sampled_from(sorted(CLIENT_EVENTS)),
    st.dictionaries(names, values, max_size=5),
)
SENSIBLE: list[dict[str, Any]] = [
    {"type": "session.update", "session": {"type": "realtime"}},
    {"type": "input_audio_buffer.append", "audio": "AAAA" * 4000},
    {"type": "input_audio_buffer.commit"},
    {"type": "response.create"},
    {"type": "response.cancel"},
]


@settings(max_examples=150)
@given(st.lists(messages | st.sampled_from(SENSIBLE) | values, max_size=8))
def test_no_command_brings_a_session_down(sent: list[Any]) -> None:
    client = ServiceClient(EchoAgent)
    for message in sent:
        client.send_raw(json.dumps(message))
        client.sleep(0.01)
    client.take()
    client.send_raw('{"type":"session.update","session":{"type":"realtime","instructions":"x"}}')
    assert client.names[-1] == "session.updated"


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_command_are_answered_with_an_error(data: bytes) -> None:
    client = ServiceClient(EchoAgent)
    client.take()
    client.send_raw(data)
    assert client.take() == ["error"]

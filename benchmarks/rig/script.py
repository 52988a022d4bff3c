"""One call told in the service's 47 events, each as it stands on the wire.

A greeting, a caller who talks over it, a key, a tool of ours and one of an MCP server, a written
answer: not the order of any real call, but each event comes when something waits for it.
"""

import base64
import json
from typing import Any, Final

__all__ = ["CALL", "DELTA_MS"]

DELTA_MS: Final = 200
_AUDIO: Final = base64.b64encode(bytes(48 * DELTA_MS)).decode()
_WORDS: Final = "Thank you for calling Northwind. For sales, press 1 or say sales."
_USAGE: Final = {
    "total_tokens": 330,
    "input_tokens": 210,
    "output_tokens": 120,
    "input_token_details": {"text_tokens": 150, "audio_tokens": 60, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 20, "audio_tokens": 100},
}
_SESSION: Final = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_1",
    "model": "gpt-realtime",
    "expires_at": 1_790_003_600,
    "output_modalities": ["audio"],
    "instructions": "You answer the telephone of a shop that sells garden furniture. " * 8,
    "tools": [
        {
            "type": "function",
            "name": name,
            "description": "Does what its name says.",
            "parameters": {"type": "object", "properties": {"target": {"type": "string"}}},
        }
        for name in ("transfer_call", "hang_up", "send_dtmf", "look_up_order")
    ],
    "tool_choice": "auto",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": {"model": "gpt-4o-mini-transcribe"},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 500},
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin", "speed": 1.0},
    },
}


def _item(kind: str, item_id: str, **more: Any) -> dict[str, Any]:
    return {"id": item_id, "object": "realtime.item", "type": kind, "status": "completed", **more}


def _spoken(name: str, words: str | None) -> dict[str, Any]:
    part = {"type": "output_audio", "transcript": words}
    return _item("message", name, role="assistant", content=[part])


def _response(name: str, status: str, *output: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "object": "realtime.response",
        "status": status,
        "conversation_id": "conv_1",
        "output_modalities": ["audio"],
        "output": list(output),
        "audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin"}},
        **more,
    }


_USER: Final = _item(
    "message", "user_1", role="user", content=[{"type": "input_audio", "transcript": None}]
)
_CALL: Final = _item(
    "function_call",
    "tool_1",
    name="look_up_order",
    arguments='{"number": "4711"}',
    call_id="call_1",
)
_LISTED: Final = _item("mcp_list_tools", "list_1", server_label="crm", tools=[])
_GREETING: Final = {"response_id": "resp_1", "item_id": "agent_1", "output_index": 0}
_SPEECH: Final = {**_GREETING, "content_index": 0}
_TEXT: Final = {**_SPEECH, "response_id": "resp_2", "item_id": "agent_2"}
_TOOL: Final = {
    "response_id": "resp_2",
    "item_id": "tool_1",
    "output_index": 1,
    "call_id": "call_1",
}
_MCP: Final = {"response_id": "resp_2", "item_id": "mcp_1", "output_index": 2}
_RAN: Final = {"item_id": "mcp_1", "output_index": 2}
_HEARD: Final = {"item_id": "user_1", "content_index": 0}

_EVENTS: Final[list[tuple[str, dict[str, Any]]]] = [
    ("session.created", {"session": _SESSION}),
    ("conversation.created", {"conversation": {"id": "conv_1", "object": "realtime.conversation"}}),
    ("session.updated", {"session": _SESSION}),
    ("transcription_session.updated", {"session": _SESSION}),
    ("mcp_list_tools.in_progress", {"item_id": "list_1"}),
    ("mcp_list_tools.completed", {"item_id": "list_1"}),
    ("mcp_list_tools.failed", {"item_id": "list_2"}),
    ("conversation.item.done", {"item": _LISTED, "previous_item_id": None}),
    ("response.created", {"response": _response("resp_1", "in_progress")}),
    ("response.output_item.added", {**_GREETING, "item": _spoken("agent_1", None)}),
    ("conversation.item.added", {"item": _spoken("agent_1", None), "previous_item_id": "list_1"}),
    ("response.content_part.added", {**_SPEECH, "part": {"type": "audio", "transcript": ""}}),
    ("response.output_audio.delta", {**_SPEECH, "delta": _AUDIO}),
    ("output_audio_buffer.started", {"response_id": "resp_1"}),
    ("response.output_audio_transcript.delta", {**_SPEECH, "delta": " furniture"}),
    ("response.output_audio.done", _SPEECH),
    ("response.output_audio_transcript.done", {**_SPEECH, "transcript": _WORDS}),
    (
        "response.content_part.done",
        {**_SPEECH, "part": {"type": "audio", "transcript": _WORDS}},
    ),
    ("response.output_item.done", {**_GREETING, "item": _spoken("agent_1", _WORDS)}),
    (
        "response.done",
        {"response": _response("resp_1", "completed", _spoken("agent_1", _WORDS), usage=_USAGE)},
    ),
    (
        "rate_limits.updated",
        {
            "rate_limits": [
                {"name": "requests", "limit": 1000, "remaining": 990, "reset_seconds": 60.0},
                {"name": "tokens", "limit": 90000, "remaining": 80000, "reset_seconds": 12.5},
            ]
        },
    ),
    ("input_audio_buffer.speech_started", {"item_id": "user_1", "audio_start_ms": 3100}),
    ("output_audio_buffer.cleared", {"response_id": "resp_1"}),
    (
        "conversation.item.truncated",
        {"item_id": "agent_1", "content_index": 0, "audio_end_ms": 1800},
    ),
    ("output_audio_buffer.stopped", {"response_id": "resp_1"}),
    ("input_audio_buffer.speech_stopped", {"item_id": "user_1", "audio_end_ms": 4600}),
    ("input_audio_buffer.committed", {"item_id": "user_1", "previous_item_id": "agent_1"}),
    ("conversation.item.created", {"item": _USER, "previous_item_id": "agent_1"}),
    ("conversation.item.input_audio_transcription.delta", {**_HEARD, "delta": "I would like"}),
    (
        "conversation.item.input_audio_transcription.segment",
        {**_HEARD, "id": "seg_1", "speaker": "A", "start": 0.1, "end": 1.4, "text": "I would like"},
    ),
    (
        "conversation.item.input_audio_transcription.completed",
        {
            **_HEARD,
            "transcript": "I would like to buy a garden chair.",
            "usage": {"type": "duration", "seconds": 1.5},
        },
    ),
    (
        "conversation.item.input_audio_transcription.failed",
        {
            **_HEARD,
            "error": {"type": "transcription_error", "code": "audio_unintelligible", "message": ""},
        },
    ),
    ("input_audio_buffer.dtmf_event_received", {"event": "5", "received_at": 1_790_000_009}),
    ("input_audio_buffer.cleared", {}),
    (
        "input_audio_buffer.timeout_triggered",
        {"item_id": "user_2", "audio_start_ms": 5000, "audio_end_ms": 11000},
    ),
    (
        "error",
        {
            "error": {
                "type": "invalid_request_error",
                "code": "response_cancel_not_active",
                "message": "Cancellation failed: no active response found",
                "param": None,
                "event_id": None,
            }
        },
    ),
    ("response.output_text.delta", {**_TEXT, "delta": "Your order"}),
    ("response.output_text.done", {**_TEXT, "text": "Your order is on its way."}),
    ("response.function_call_arguments.delta", {**_TOOL, "delta": '{"number"'}),
    (
        "response.function_call_arguments.done",
        {**_TOOL, "name": _CALL["name"], "arguments": _CALL["arguments"]},
    ),
    ("response.mcp_call_arguments.delta", {**_MCP, "delta": '{"number"'}),
    ("response.mcp_call_arguments.done", {**_MCP, "arguments": '{"number": "4711"}'}),
    ("response.mcp_call.in_progress", _RAN),
    ("response.mcp_call.completed", _RAN),
    ("response.mcp_call.failed", {"item_id": "mcp_2", "output_index": 3}),
    ("conversation.item.retrieved", {"item": _USER}),
    ("conversation.item.deleted", {"item_id": "user_1"}),
]

# The name of each event, and its frame.
CALL: Final[list[tuple[str, bytes]]] = [
    (
        name,
        json.dumps(
            {
                "type": name,
                **({} if name.endswith("dtmf_event_received") else {"event_id": f"event_{number}"}),
                **fields,
            },
            separators=(",", ":"),
        ).encode(),
    )
    for number, (name, fields) in enumerate(_EVENTS)
]

"""Every event the realtime service sends, and the one way to read them.

Names and fields are exactly those of the wire; see the two modules that hold
the types for what each event means.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias, cast, get_args

import msgspec

from .conversation_events import (
    ConversationCreated,
    ConversationItemAdded,
    ConversationItemCreated,
    ConversationItemDeleted,
    ConversationItemDone,
    ConversationItemInputAudioTranscriptionCompleted,
    ConversationItemInputAudioTranscriptionDelta,
    ConversationItemInputAudioTranscriptionFailed,
    ConversationItemInputAudioTranscriptionSegment,
    ConversationItemRetrieved,
    ConversationItemTruncated,
    ErrorEvent,
    Event,
    InputAudioBufferCleared,
    InputAudioBufferCommitted,
    InputAudioBufferDtmfEventReceived,
    InputAudioBufferSpeechStarted,
    InputAudioBufferSpeechStopped,
    InputAudioBufferTimeoutTriggered,
    McpListToolsCompleted,
    McpListToolsFailed,
    McpListToolsInProgress,
    OutputAudioBufferCleared,
    OutputAudioBufferStarted,
    OutputAudioBufferStopped,
    RateLimitsUpdated,
    SessionCreated,
    SessionUpdated,
    TranscriptionSessionUpdated,
)
from .items import ContentPart, ErrorDetail, Item, RateLimit, ResponseInfo, Session, StatusDetails
from .response_events import (
    ResponseContentPartAdded,
    ResponseContentPartDone,
    ResponseCreated,
    ResponseDone,
    ResponseFunctionCallArgumentsDelta,
    ResponseFunctionCallArgumentsDone,
    ResponseMcpCallArgumentsDelta,
    ResponseMcpCallArgumentsDone,
    ResponseMcpCallCompleted,
    ResponseMcpCallFailed,
    ResponseMcpCallInProgress,
    ResponseOutputAudioDelta,
    ResponseOutputAudioDone,
    ResponseOutputAudioTranscriptDelta,
    ResponseOutputAudioTranscriptDone,
    ResponseOutputItemAdded,
    ResponseOutputItemDone,
    ResponseOutputTextDelta,
    ResponseOutputTextDone,
)
from .salvage import salvage

__all__ = [
    "PREVIEW_ALIASES",
    "SERVER_EVENTS",
    "TRANSPORTS",
    "ContentPart",
    "ConversationCreated",
    "ConversationItemAdded",
    "ConversationItemCreated",
    "ConversationItemDeleted",
    "ConversationItemDone",
    "ConversationItemInputAudioTranscriptionCompleted",
    "ConversationItemInputAudioTranscriptionDelta",
    "ConversationItemInputAudioTranscriptionFailed",
    "ConversationItemInputAudioTranscriptionSegment",
    "ConversationItemRetrieved",
    "ConversationItemTruncated",
    "ErrorDetail",
    "ErrorEvent",
    "Event",
    "InputAudioBufferCleared",
    "InputAudioBufferCommitted",
    "InputAudioBufferDtmfEventReceived",
    "InputAudioBufferSpeechStarted",
    "InputAudioBufferSpeechStopped",
    "InputAudioBufferTimeoutTriggered",
    "Item",
    "McpListToolsCompleted",
    "McpListToolsFailed",
    "McpListToolsInProgress",
    "OutputAudioBufferCleared",
    "OutputAudioBufferStarted",
    "OutputAudioBufferStopped",
    "RateLimit",
    "RateLimitsUpdated",
    "ResponseContentPartAdded",
    "ResponseContentPartDone",
    "ResponseCreated",
    "ResponseDone",
    "ResponseFunctionCallArgumentsDelta",
    "ResponseFunctionCallArgumentsDone",
    "ResponseInfo",
    "ResponseMcpCallArgumentsDelta",
    "ResponseMcpCallArgumentsDone",
    "ResponseMcpCallCompleted",
    "ResponseMcpCallFailed",
    "ResponseMcpCallInProgress",
    "ResponseOutputAudioDelta",
    "ResponseOutputAudioDone",
    "ResponseOutputAudioTranscriptDelta",
    "ResponseOutputAudioTranscriptDone",
    "ResponseOutputItemAdded",
    "ResponseOutputItemDone",
    "ResponseOutputTextDelta",
    "ResponseOutputTextDone",
    "ServerEvent",
    "Session",
    "SessionCreated",
    "SessionUpdated",
    "StatusDetails",
    "TranscriptionSessionUpdated",
    "Transport",
    "Unknown",
    "decode",
    "encode",
    "read_message",
    "wire_name",
]

ServerEvent: TypeAlias = (
    ErrorEvent
    | SessionCreated
    | SessionUpdated
    | TranscriptionSessionUpdated
    | ConversationCreated
    | ConversationItemAdded
    | ConversationItemCreated
    | ConversationItemDone
    | ConversationItemRetrieved
    | ConversationItemTruncated
    | ConversationItemDeleted
    | ConversationItemInputAudioTranscriptionDelta
    | ConversationItemInputAudioTranscriptionSegment
    | ConversationItemInputAudioTranscriptionCompleted
    | ConversationItemInputAudioTranscriptionFailed
    | InputAudioBufferCommitted
    | InputAudioBufferCleared
    | InputAudioBufferSpeechStarted
    | InputAudioBufferSpeechStopped
    | InputAudioBufferTimeoutTriggered
    | InputAudioBufferDtmfEventReceived
    | OutputAudioBufferStarted
    | OutputAudioBufferStopped
    | OutputAudioBufferCleared
    | ResponseCreated
    | ResponseDone
    | ResponseOutputItemAdded
    | ResponseOutputItemDone
    | ResponseContentPartAdded
    | ResponseContentPartDone
    | ResponseOutputTextDelta
    | ResponseOutputTextDone
    | ResponseOutputAudioDelta
    | ResponseOutputAudioDone
    | ResponseOutputAudioTranscriptDelta
    | ResponseOutputAudioTranscriptDone
    | ResponseFunctionCallArgumentsDelta
    | ResponseFunctionCallArgumentsDone
    | ResponseMcpCallArgumentsDelta
    | ResponseMcpCallArgumentsDone
    | ResponseMcpCallInProgress
    | ResponseMcpCallCompleted
    | ResponseMcpCallFailed
    | McpListToolsInProgress
    | McpListToolsCompleted
    | McpListToolsFailed
    | RateLimitsUpdated
)
Transport: TypeAlias = Literal["websocket", "webrtc", "sip"]

SERVER_EVENTS: Final[Mapping[str, type[Event]]] = {
    str(cls.__struct_config__.tag): cls for cls in get_args(ServerEvent)
}

# Names of the preview protocol, still spoken by some services, and what they became.
PREVIEW_ALIASES: Final[Mapping[str, str]] = {
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
}

_EVERYWHERE: Final[frozenset[Transport]] = frozenset({"websocket", "webrtc", "sip"})
_NOT_EVERYWHERE: Final[Mapping[str, frozenset[Transport]]] = {
    "transcription_session.updated": frozenset({"websocket", "webrtc"}),
    "input_audio_buffer.dtmf_event_received": frozenset({"sip"}),
    "output_audio_buffer.started": frozenset({"webrtc", "sip"}),
    "output_audio_buffer.stopped": frozenset({"webrtc", "sip"}),
    "output_audio_buffer.cleared": frozenset({"webrtc", "sip"}),
    "response.output_audio.delta": frozenset({"websocket"}),
}

# On which links the service itself sends an event; elsewhere the gateway makes it, or nobody.
TRANSPORTS: Final[Mapping[str, frozenset[Transport]]] = {
    name: _NOT_EVERYWHERE.get(name, _EVERYWHERE) for name in SERVER_EVENTS
}


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """An event newer than this gateway, or one it cannot read: counted and logged, never fatal.

    ``type`` is empty where the message names none; ``problem`` says what is
    wrong with an event whose name is known, and is empty otherwise.
    """

    type: str
    raw: bytes | str = b""
    problem: str = ""


_decoder: Final = msgspec.json.Decoder(ServerEvent)
_encoder: Final = msgspec.json.Encoder()


def wire_name(event: Event | Unknown) -> str:
    """Return the event's ``type`` as it stands on the wire."""
    if isinstance(event, Unknown):
        return event.type
    return str(event.__struct_config__.tag)


def decode(data: bytes | bytearray | str) -> ServerEvent | Unknown:
    """Turn one message of the service into an event; never raises, whatever it holds."""
    try:
        event: ServerEvent = _decoder.decode(data)
    except (ValueError, RecursionError) as error:
        return _decode_dialect(bytes(data) if isinstance(data, bytearray) else data, str(error))
    return event if event.origin == "service" else msgspec.structs.replace(event, origin="service")


def encode(event: ServerEvent) -> bytes:
    """Write an event as a service would send it."""
    if event.origin != "service":
        event = msgspec.structs.replace(event, origin="service")
    return _encoder.encode(event)


def _decode_dialect(data: bytes | str, problem: str) -> ServerEvent | Unknown:
    """Read what is not an event by the book: old names, stray blanks, bare errors."""
    try:
        message = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return Unknown(type="", raw=data, problem=problem)
    return read_message(message, data)


def read_message(message: object, raw: bytes | str) -> ServerEvent | Unknown:
    """Turn a parsed message into an event; never raises.  ``raw`` is what an unknown one keeps."""
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return Unknown(type="", raw=raw, problem="not an object with a `type`")
    said = message["type"].strip()
    name = PREVIEW_ALIASES.get(said, said)
    if name in ("error", "invalid_request_error", "server_error") and "error" not in message:
        detail = {**message, "type": said}
        name, message = "error", {"event_id": message.get("event_id") or "", "error": detail}
    elif name == "error" and isinstance(message["error"], str):
        message = {**message, "error": {"message": message["error"]}}
    if name not in SERVER_EVENTS:
        return Unknown(type=said, raw=raw)
    try:
        return _convert(name, message)
    except (ValueError, RecursionError) as error:
        return Unknown(type=name, raw=raw, problem=str(error))


def _convert(name: str, message: dict[str, Any]) -> ServerEvent:
    fields = {key: value for key, value in message.items() if key != "_origin"}
    fields["type"] = name
    return cast("ServerEvent", salvage(fields, SERVER_EVENTS[name]))

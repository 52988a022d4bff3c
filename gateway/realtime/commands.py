"""Every command (client event) the realtime service takes, and how to write and read them."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias, cast, get_args

import msgspec

__all__ = [
    "CLIENT_EVENTS",
    "BadCommand",
    "ClientEvent",
    "Command",
    "ConversationItemCreate",
    "ConversationItemDelete",
    "ConversationItemRetrieve",
    "ConversationItemTruncate",
    "InputAudioBufferAppend",
    "InputAudioBufferClear",
    "InputAudioBufferCommit",
    "OutputAudioBufferClear",
    "ResponseCancel",
    "ResponseCreate",
    "SessionUpdate",
    "TranscriptionSessionUpdate",
    "decode_command",
    "encode",
    "encode_append",
    "function_output",
    "system_text",
    "user_text",
    "wire_name",
]


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """What every command has; an error the service finds in it echoes ``event_id``."""

    event_id: str | None = None


class SessionUpdate(Command, frozen=True, kw_only=True, tag="session.update"):
    """Change the session: an absent field stays, ``""``, ``[]`` and null clear."""

    session: dict[str, Any]


class TranscriptionSessionUpdate(
    Command, frozen=True, kw_only=True, tag="transcription_session.update"
):
    """The preview protocol's way to set up a transcription session."""

    session: dict[str, Any]


class InputAudioBufferAppend(Command, frozen=True, kw_only=True, tag="input_audio_buffer.append"):
    """Some of the caller's audio, in the session's input format; never acknowledged."""

    audio: bytes


class InputAudioBufferCommit(Command, frozen=True, kw_only=True, tag="input_audio_buffer.commit"):
    """Make the buffered audio the caller's turn; at least 100 ms of it."""


class InputAudioBufferClear(Command, frozen=True, kw_only=True, tag="input_audio_buffer.clear"):
    """Drop audio that is not committed."""


class OutputAudioBufferClear(Command, frozen=True, kw_only=True, tag="output_audio_buffer.clear"):
    """Cut what the service is playing itself (WebRTC and SIP only)."""


class ConversationItemCreate(Command, frozen=True, kw_only=True, tag="conversation.item.create"):
    """Put an item into the conversation; ``root`` as predecessor means the front."""

    item: dict[str, Any]
    previous_item_id: str | None = None


class ConversationItemRetrieve(
    Command, frozen=True, kw_only=True, tag="conversation.item.retrieve"
):
    """Ask for an item with its audio."""

    item_id: str


class ConversationItemTruncate(
    Command, frozen=True, kw_only=True, tag="conversation.item.truncate"
):
    """Tell the model that the caller heard an item only to ``audio_end_ms``."""

    item_id: str
    content_index: int
    audio_end_ms: int


class ConversationItemDelete(Command, frozen=True, kw_only=True, tag="conversation.item.delete"):
    """Take an item out of the conversation."""

    item_id: str


class ResponseCreate(Command, frozen=True, kw_only=True, tag="response.create"):
    """Have the model answer now; ``response`` overrides the session for this once."""

    response: dict[str, Any] | None = None


class ResponseCancel(Command, frozen=True, kw_only=True, tag="response.cancel"):
    """Stop the answer that is under way."""

    response_id: str | None = None


ClientEvent: TypeAlias = (
    SessionUpdate
    | InputAudioBufferAppend
    | InputAudioBufferCommit
    | InputAudioBufferClear
    | OutputAudioBufferClear
    | ConversationItemCreate
    | ConversationItemRetrieve
    | ConversationItemTruncate
    | ConversationItemDelete
    | ResponseCreate
    | ResponseCancel
    | TranscriptionSessionUpdate
)

CLIENT_EVENTS: Final[Mapping[str, type[Command]]] = {
    str(cls.__struct_config__.tag): cls for cls in get_args(ClientEvent)
}


class BadCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A message a service cannot take, in the terms of the ``error`` it deserves."""

    code: str
    message: str
    param: str | None = None
    event_id: str | None = None


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(ClientEvent)


def wire_name(command: Command) -> str:
    """Return the command's ``type`` as it stands on the wire."""
    return str(command.__struct_config__.tag)


def user_text(text: str) -> ConversationItemCreate:
    """Return the command that has the caller say ``text``."""
    content = [{"type": "input_text", "text": text}]
    return ConversationItemCreate(item={"type": "message", "role": "user", "content": content})


def system_text(text: str) -> ConversationItemCreate:
    """Return the command that tells the model something the caller has no part in."""
    item = {
        "type": "message",
        "role": "system",
        "content": [{"type": "input_text", "text": text}],
    }
    return ConversationItemCreate(item=item)


def function_output(call_id: str, output: str) -> ConversationItemCreate:
    """Return the command that gives a function call its result."""
    item = {"type": "function_call_output", "call_id": call_id, "output": output}
    return ConversationItemCreate(item=item)


def encode(command: ClientEvent) -> bytes:
    """Write a command as the service reads it."""
    return _encoder.encode(command)


def encode_append(chunk: bytes | bytearray) -> bytes:
    """Write an ``input_audio_buffer.append``; the one command sent many times a second."""
    return b'{"type":"input_audio_buffer.append","audio":%b}' % _encoder.encode(chunk)


def decode_command(data: bytes | str) -> ClientEvent | BadCommand:
    """Read a command the way a service must: never raises, and says what is wrong."""
    try:
        command: ClientEvent = _decoder.decode(data)
    except (ValueError, RecursionError) as error:
        return _explain(data, str(error))
    return command


def _explain(data: bytes | str, problem: str) -> BadCommand:
    try:
        message = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return BadCommand(code="invalid_json", message="The message is not valid JSON.")
    if not isinstance(message, dict):
        return BadCommand(code="invalid_event", message="The message is not a JSON object.")
    event_id = message.get("event_id")
    event_id = event_id if isinstance(event_id, str) else None
    if "type" not in message:
        missing = "The 'type' field is missing."
        return BadCommand(code="invalid_event", message=missing, param="type", event_id=event_id)
    kind = cast("Any", message["type"])
    if not isinstance(kind, str) or kind not in CLIENT_EVENTS:
        known = ", ".join(f"'{name}'" for name in CLIENT_EVENTS)
        text = f"Invalid value: '{kind}'. Supported values are: {known}."
        return BadCommand(code="invalid_value", message=text, param="type", event_id=event_id)
    return _explain_fields(kind, message, problem, event_id)


def _explain_fields(
    kind: str, message: dict[str, Any], problem: str, event_id: str | None
) -> BadCommand:
    for field in msgspec.structs.fields(CLIENT_EVENTS[kind]):
        if field.required and field.encode_name not in message:
            return BadCommand(
                code="missing_required_parameter",
                message=f"Missing required parameter: '{field.encode_name}'.",
                param=field.encode_name,
                event_id=event_id,
            )
    _, _, path = problem.partition("`$.")
    param = path.partition("`")[0] or None
    return BadCommand(code="invalid_type", message=problem, param=param, event_id=event_id)

"""The two generations of the protocol, each in both directions.

The gateway and the embedded service speak GA inside; a dialect is what stands
on the wire.  Which one it is hangs on the endpoint.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import msgspec

from . import commands, events
from .commands import BadCommand, ClientEvent
from .events import ServerEvent, Unknown
from .preview import (
    command_from_preview,
    command_to_preview,
    event_from_preview,
    event_to_preview,
)

__all__ = ["GA", "PREVIEW", "Dialect", "Generation", "dialect_of", "from_preview", "to_preview"]

Generation: TypeAlias = Literal["ga", "preview"]
_Data: TypeAlias = bytes | bytearray | str

_encoder: Final = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the words of one generation are written and read.

    Attributes:
        name: The generation.
        encode: Writes a command, as a client.
        decode: Reads an event, as a client; never raises.
        encode_event: Writes an event, as a service; ``None`` where this generation has no
            such event.
        decode_command: Reads a command, as a service; never raises.

    """

    name: Generation
    encode: Callable[[ClientEvent], bytes]
    decode: Callable[[_Data], ServerEvent | Unknown]
    encode_event: Callable[[ServerEvent], bytes | None]
    decode_command: Callable[[bytes | str], ClientEvent | BadCommand]


def dialect_of(name: Generation) -> Dialect:
    """Return the dialect of a generation."""
    return PREVIEW if name == "preview" else GA


def to_preview(event: ServerEvent) -> bytes | None:
    """Write an event as a service of the preview would; ``None`` where it had no such event."""
    message: dict[str, Any] = msgspec.json.decode(events.encode(event))
    told = event_to_preview(message)
    return None if told is None else _encoder.encode(told)


def from_preview(data: bytes | str) -> ClientEvent | BadCommand:
    """Read a command of the preview the way a service must: never raises."""
    try:
        message = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return commands.decode_command(data)  # it says what is wrong
    if not isinstance(message, dict):
        return commands.decode_command(data)
    try:
        return commands.decode_command(_encoder.encode(command_from_preview(message)))
    except (ValueError, RecursionError):
        return BadCommand(code="invalid_event", message="The message cannot be read.")


def _encode_preview(command: ClientEvent) -> bytes:
    message: dict[str, Any] = msgspec.json.decode(commands.encode(command))
    return _encoder.encode(command_to_preview(message))


def _decode_preview(data: _Data) -> ServerEvent | Unknown:
    try:
        message = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return events.decode(data)  # it says what is wrong
    if isinstance(message, dict):
        message = event_from_preview(message)
    return events.read_message(message, bytes(data) if isinstance(data, bytearray) else data)


GA: Final = Dialect("ga", commands.encode, events.decode, events.encode, commands.decode_command)
PREVIEW: Final = Dialect("preview", _encode_preview, _decode_preview, to_preview, from_preview)

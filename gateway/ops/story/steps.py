"""The entries of a timeline in a few words each, by what they are about."""

import json
from collections.abc import Iterable
from typing import Any, Final

from .record import Entry
from .shapes import Group, Step

__all__ = ["steps_of"]

_MOST: Final = 4000
_LONGEST: Final = 240  # characters of a detail
_NOISE: Final = {  # it says nothing to people, or is told elsewhere
    *("event_id", "id", "call_id", "conversation_id", "previous_item_id", "object", "_origin"),
    *("content_index", "output_index", "logprobs", "usage", "metadata", "about"),
    *("output_modalities", "max_output_tokens", "audio", "tool_choice", "received_at", "unix_time"),
}

# The first that a name begins with says what it is about.
_GROUPS: Final[tuple[tuple[str, Group], ...]] = (
    ("input_audio_buffer.dtmf", "keys"),
    ("input_audio_buffer.timeout", "time"),
    ("input_audio_buffer.", "speech"),
    ("conversation.item.input_audio_transcription", "speech"),
    ("conversation.item.truncate", "answer"),
    ("voice.", "speech"),
    ("key.", "keys"),
    ("SendDtmf", "keys"),
    ("response.function_call", "tool"),
    ("response.mcp", "tool"),
    ("mcp", "tool"),
    ("errand.", "tool"),
    ("RunErrand", "tool"),
    ("PostWebhook", "tool"),
    ("response.", "answer"),
    ("output_audio_buffer.", "answer"),
    ("playout.", "answer"),
    ("prompt.", "answer"),
    ("Play", "answer"),
    ("Stop", "answer"),
    ("Say", "answer"),
    ("Respond", "answer"),
    ("PausePlayout", "answer"),
    ("ResumePlayout", "answer"),
    ("conversation.", "answer"),
    ("SendText", "answer"),
    ("menu.", "menu"),
    ("OpenMenu", "menu"),
    ("Collect", "menu"),
    ("rule", "menu"),
    ("transfer.", "transfer"),
    ("callee.", "transfer"),
    ("leg.referred", "transfer"),
    ("leg.moved", "transfer"),
    ("Refer", "transfer"),
    ("Redirect", "transfer"),
    ("Transfer", "transfer"),
    ("CallOut", "transfer"),
    ("DropCallee", "transfer"),
    ("Patch", "transfer"),
    ("link.", "service"),
    ("session.", "service"),
    ("transcription_session.", "service"),
    ("rate_limits", "service"),
    ("error", "service"),
    ("Connect", "service"),
    ("Disconnect", "service"),
    ("Listen", "service"),
    ("UpdateSession", "service"),
    ("timer", "time"),
    ("supervis", "people"),
    ("Supervis", "people"),
    ("Whisper", "people"),
)
_MINOR: Final = (
    "response.output_item.",
    "response.content_part.",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.output_text.done",
    "conversation.item.added",
    "conversation.item.created",
    "conversation.item.done",
    "conversation.created",
    "rate_limits",
    "session.created",
    "session.updated",
    "playout.",
    "key.",
    "timer",
    "Listen",
)


def steps_of(entries: Iterable[Entry]) -> tuple[list[Step], int]:
    """Return what happened and was done, and how much of it there was no room for.

    Pieces of speech and of text are no steps: they are in the waterfall and the transcript.
    Where there are too many, minor ones go first.
    """
    told = [entry for entry in entries if not entry.name.endswith(".delta")]
    kept = told if len(told) <= _MOST else [entry for entry in told if not _is_minor(entry)]
    steps = [_step(entry) for entry in kept[:_MOST]]
    return steps, len(told) - len(steps)


def _step(entry: Entry) -> Step:
    return Step(
        at=round(entry.at, 3),
        kind=entry.kind,
        group=_group(entry),
        name=entry.name,
        detail=_words(entry),
        is_minor=_is_minor(entry),
    )


def _is_minor(entry: Entry) -> bool:
    return entry.kind == "timer" or entry.name.startswith(_MINOR)


def _group(entry: Entry) -> Group:
    if entry.by:
        return "people"
    return next((group for start, group in _GROUPS if entry.name.startswith(start)), "call")


def _words(entry: Entry) -> str:
    """Return the fields that say something, the nested ones as far as there is room."""
    fields = _telling(entry.detail)
    if entry.by:
        fields = {"by": entry.by, **fields}
    if len(fields) == 1:
        (only,) = fields.values()
        text = _plain(only)
    else:
        text = "  ".join(f"{name}: {_plain(value)}" for name, value in fields.items())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _telling(detail: dict[str, Any]) -> dict[str, Any]:
    """Return what is worth showing; a response or an item is opened, for its own fields say it."""
    fields: dict[str, Any] = {}
    for name, value in detail.items():
        if name in _NOISE or value in (None, "", [], {}):
            continue
        if name in ("response", "item", "error") and isinstance(value, dict):
            fields |= {key: one for key, one in _telling(value).items() if key not in fields}
        else:
            fields[name] = value
    return fields


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=repr)[:_LONGEST]

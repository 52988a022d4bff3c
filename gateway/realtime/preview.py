"""The preview generation, message by message: flat sessions, older names.

What the preview cannot say is left out on the way there: it refuses fields it does not know.
What a service adds of its own is passed on untouched.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from .events import PREVIEW_ALIASES

__all__ = [
    "command_from_preview",
    "command_to_preview",
    "event_from_preview",
    "event_to_preview",
    "session_from_preview",
    "session_to_preview",
]

_Json: TypeAlias = dict[str, Any]

_FORMATS: Final = {
    "audio/pcm": "pcm16",
    "audio/pcmu": "g711_ulaw",
    "audio/pcma": "g711_alaw",
}
_GA_FORMATS: Final[Mapping[str, _Json]] = {
    "pcm16": {"type": "audio/pcm", "rate": 24000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}

# Where GA nests, by its path under `audio`, and the flat name of the preview.
_NESTED: Final[Mapping[tuple[str, str], str]] = {
    ("input", "format"): "input_audio_format",
    ("input", "transcription"): "input_audio_transcription",
    ("input", "noise_reduction"): "input_audio_noise_reduction",
    ("input", "turn_detection"): "turn_detection",
    ("output", "format"): "output_audio_format",
    ("output", "voice"): "voice",
    ("output", "speed"): "speed",
}
_GA_ONLY: Final = frozenset(
    {"type", "audio", "truncation", "prompt", "reasoning", "parallel_tool_calls"}
)

_CONTENT: Final = {"output_audio": "audio", "output_text": "text"}
_GA_CONTENT: Final = {old: new for new, old in _CONTENT.items()}

# Events by their GA name; None: the preview has no such event.
_EVENT_NAMES: Final[Mapping[str, str | None]] = {
    **{new: old for old, new in PREVIEW_ALIASES.items()},
    "conversation.item.added": "conversation.item.created",
    "conversation.item.done": None,
    "input_audio_buffer.timeout_triggered": None,
    "input_audio_buffer.dtmf_event_received": None,
}
_GA_EVENT_NAMES: Final = {**PREVIEW_ALIASES, "transcription_session.created": "session.created"}


def session_to_preview(session: _Json) -> _Json:
    """Flatten a GA session, or the part of one that is to change."""
    flat = {name: value for name, value in session.items() if name not in _GA_ONLY}
    _rename(flat, "output_modalities", "modalities", _both_modalities)
    _rename(flat, "max_output_tokens", "max_response_output_tokens")
    return flat | _flat_audio(session)


def session_from_preview(session: _Json, kind: str = "realtime") -> _Json:
    """Nest a preview session as GA has it; a session that is GA already stays as it is."""
    nested = dict(session)
    _rename(nested, "modalities", "output_modalities", _one_modality)
    _rename(nested, "max_response_output_tokens", "max_output_tokens")
    return {"type": kind} | _nested_audio(nested)


def command_to_preview(command: _Json) -> _Json:
    """Say a GA command in the preview's words."""
    match command:
        case {"type": "session.update", "session": dict(session)}:
            is_transcription = session.get("type") == "transcription"
            name = "transcription_session.update" if is_transcription else "session.update"
            return command | {"type": name, "session": session_to_preview(session)}
        case {"type": "transcription_session.update", "session": {"audio": dict()} as session}:
            return command | {"session": session_to_preview(session)}
        case {"type": "conversation.item.create", "item": dict(item)}:
            return command | {"item": _item(item, _CONTENT)}
        case {"type": "response.create", "response": dict(response)}:
            return command | {"response": _response_to_preview(response, is_asked=True)}
        case _:
            return command


def command_from_preview(command: _Json) -> _Json:
    """Say a preview command in GA's words."""
    match command:
        case {"type": "session.update", "session": dict(session)}:
            return command | {"session": session_from_preview(session)}
        case {"type": "transcription_session.update", "session": dict(session)}:
            return command | {"session": session_from_preview(session, "transcription")}
        case {"type": "conversation.item.create", "item": dict(item)}:
            return command | {"item": _item(item, _GA_CONTENT)}
        case {"type": "response.create", "response": dict(response)}:
            return command | {"response": _response_from_preview(response)}
        case _:
            return command


def event_to_preview(event: _Json) -> _Json | None:
    """Say a GA event in the preview's words; ``None`` where it had none for it."""
    said = event["type"]
    name = _EVENT_NAMES.get(said, said)
    if name is None:
        return None
    told = event | {"type": name}
    if isinstance(session := told.get("session"), dict):
        told["session"] = session_to_preview(session)
        if session.get("type") == "transcription" and name.startswith("session."):
            told["type"] = f"transcription_{name}"
    if isinstance(item := told.get("item"), dict):
        told["item"] = _item(item, _CONTENT)
    if isinstance(response := told.get("response"), dict):
        told["response"] = _response_to_preview(response, is_asked=False)
    return told


def event_from_preview(event: _Json) -> _Json:
    """Say a preview event in GA's words; what is in them already stays."""
    told = dict(event)
    if isinstance(name := told.get("type"), str):
        told["type"] = name = _GA_EVENT_NAMES.get(name.strip(), name)
        kind = "transcription" if str(event["type"]).startswith("transcription_") else "realtime"
        if isinstance(session := told.get("session"), dict):
            told["session"] = session_from_preview(session, kind)
    if isinstance(item := told.get("item"), dict):
        told["item"] = _item(item, _GA_CONTENT)
    if isinstance(response := told.get("response"), dict):
        told["response"] = _response_from_preview(response)
    return told


def _response_to_preview(response: _Json, *, is_asked: bool) -> _Json:
    flat = {name: value for name, value in response.items() if name not in _GA_ONLY}
    _rename(flat, "output_modalities", "modalities", _both_modalities)
    if is_asked:
        _rename(flat, "max_output_tokens", "max_response_output_tokens")
    for name in ("output", "input"):
        _rename(flat, name, name, lambda items: _items(items, _CONTENT))
    return flat | _flat_audio(response)


def _response_from_preview(response: _Json) -> _Json:
    nested = dict(response)
    _rename(nested, "modalities", "output_modalities", _one_modality)
    _rename(nested, "max_response_output_tokens", "max_output_tokens")
    for name in ("output", "input"):
        _rename(nested, name, name, lambda items: _items(items, _GA_CONTENT))
    return _nested_audio(nested)


def _flat_audio(holder: _Json) -> _Json:
    """Return what stands under ``audio``, by its flat names."""
    audio, flat = holder.get("audio"), {}
    for (side, name), old in _NESTED.items():
        half = audio.get(side) if isinstance(audio, dict) else None
        if not isinstance(half, dict) or name not in half:
            continue
        value = half[name]
        if name == "format" and isinstance(value, dict):
            value = _FORMATS.get(value.get("type", ""), value.get("type"))
        elif name == "turn_detection" and isinstance(value, dict):
            value = {key: each for key, each in value.items() if key != "idle_timeout_ms"}
        flat[old] = value
    return flat


def _nested_audio(flat: _Json) -> _Json:
    """Move the flat names of audio to their place under ``audio``."""
    audio: _Json = dict(flat["audio"]) if isinstance(flat.get("audio"), dict) else {}
    for (side, name), old in _NESTED.items():
        if old not in flat:
            continue
        value = flat[old]
        if name == "format" and isinstance(value, str):
            value = dict(_GA_FORMATS.get(value, {"type": value}))
        audio[side] = {**audio.get(side, {}), name: value}
    nested = {name: value for name, value in flat.items() if name not in _NESTED.values()}
    return nested | ({"audio": audio} if audio else {})


def _item(item: _Json, names: Mapping[str, str]) -> _Json:
    """Rename the content of the model's own messages; the caller's is called the same."""
    content = item.get("content")
    if item.get("role") != "assistant" or not isinstance(content, list):
        return item
    renamed = [
        part | {"type": names.get(part.get("type", ""), part.get("type", ""))}
        if isinstance(part, dict)
        else part
        for part in content
    ]
    return item | {"content": renamed}


def _items(items: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(items, list):
        return items
    return [_item(item, names) if isinstance(item, dict) else item for item in items]


def _rename(
    fields: _Json, old: str, new: str, change: Callable[[Any], Any] = lambda value: value
) -> None:
    if old in fields:
        fields[new] = change(fields.pop(old))


def _both_modalities(modalities: Any) -> Any:
    """The preview speaks and writes, or only writes."""
    return ["text", "audio"] if isinstance(modalities, list) and "audio" in modalities else ["text"]


def _one_modality(modalities: Any) -> Any:
    return ["audio"] if isinstance(modalities, list) and "audio" in modalities else ["text"]

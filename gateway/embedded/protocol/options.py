"""What one response is made with: the session's settings, overridden by ``response.create``."""

from dataclasses import dataclass, field
from typing import Any, Final

from .checks import (
    Refused,
    anything,
    choice,
    either,
    flag,
    list_of,
    optional,
    record,
    text,
)
from .conversation import Conversation, read_item
from .settings import AUDIO_FORMAT, MAX_TOKENS, TOOL_CHOICE, Settings, modalities, tools

__all__ = ["Options", "default_options", "read_options"]

_MOST_METADATA: Final = 16
_PARAMS: Final = record(
    {
        "output_modalities": modalities,
        "instructions": optional(text),
        "audio": record({"output": record({"format": AUDIO_FORMAT, "voice": anything})}),
        "tools": tools,
        "tool_choice": TOOL_CHOICE,
        "parallel_tool_calls": flag,
        "reasoning": anything,
        "max_output_tokens": MAX_TOKENS,
        "conversation": either(choice("auto"), choice("auto", "none")),
        "metadata": optional(anything),
        "prompt": anything,
        "input": list_of(anything),
    }
)


@dataclass(slots=True)
class Options:
    """What a response is made with: the session's settings, or what overrides them."""

    modality: str = "audio"
    audio_format: dict[str, Any] = field(default_factory=dict)
    voice: Any = None
    instructions: str | None = None
    metadata: dict[str, str] | None = None
    max_tokens: int | str = "inf"
    is_out_of_band: bool = False
    said: list[str] | None = None  # the user texts of `input`, in place of the conversation
    tools: list[dict[str, Any]] | None = None  # in place of the session's
    tool_choice: Any = None


def default_options(settings: Settings) -> Options:
    """Return what a response is made with when nothing else is asked for."""
    session = settings.effective
    return Options(
        modality=session["output_modalities"][0],
        audio_format=settings.output_format,
        voice=settings.voice,
        max_tokens=session["max_output_tokens"],
    )


def read_options(
    params: dict[str, Any] | None, settings: Settings, conversation: Conversation
) -> Options:
    """Return what a ``response.create`` asks for.

    Raises:
        Refused: A field is unknown or out of range, or a session only transcribes.

    """
    if not settings.is_realtime:
        told = "A transcription session gives no responses."
        raise Refused("invalid_value", told, "type")
    options = default_options(settings)
    checked = _PARAMS(params or {}, "response")
    if "output_modalities" in checked:
        options.modality = checked["output_modalities"][0]
    output = checked.get("audio", {}).get("output", {})
    options.audio_format = output.get("format", options.audio_format)
    options.voice = output.get("voice", options.voice)
    options.instructions = checked.get("instructions")
    options.max_tokens = checked.get("max_output_tokens", options.max_tokens)
    options.metadata = _read_metadata(checked.get("metadata"))
    options.tools = checked.get("tools")
    options.tool_choice = checked.get("tool_choice")
    options.is_out_of_band = checked.get("conversation") == "none"
    if "input" in checked:
        options.said = [
            said
            for index, item in enumerate(checked["input"])
            for said in _read_said(item, f"response.input[{index}]", conversation)
        ]
    return options


def _read_metadata(value: Any) -> dict[str, str] | None:
    if value is None:
        return None
    fits = isinstance(value, dict) and len(value) <= _MOST_METADATA
    if not fits or not all(isinstance(each, str) for each in value.values()):
        told = f"Invalid 'response.metadata': expected at most {_MOST_METADATA} pairs of strings."
        raise Refused("invalid_value", told, "response.metadata")
    return dict(value)


def _read_said(item: Any, path: str, conversation: Conversation) -> list[str]:
    """Return what the caller says in one element of ``input``."""
    if isinstance(item, dict) and item.get("type") == "item_reference":
        found = conversation.find(str(item.get("id")), f"{path}.id").item
    else:
        found = read_item(item, path)
    if found.role != "user":
        return []
    return [part.text or part.transcript or "" for part in found.content or ()]

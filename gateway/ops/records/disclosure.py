"""Which fields of what happened may be shown though something of it is to be hidden.

All that is not named here is hidden, so that a field that is new is, too.  What programs make
up freely — the arguments and results of tools, variables, payloads, metadata — has no names.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol, TypeAlias

__all__ = ["Hiding", "sift"]

Parts: TypeAlias = Mapping[str, Any]  # the structures that a structure may show, by their names

_ITEM: Final[Parts] = {"content": {}}
_ERROR: Final[Parts] = {"error": {}}
_USAGE: Final[Parts] = {
    "input_token_details": {"cached_tokens_details": {}},
    "output_token_details": {},
}
_DETAIL: Final[Parts] = {
    "conversation": {},
    "item": _ITEM,
    "items": {},
    "part": {},
    "rate_limits": {},
    "segments": {},
    "response": {"output": _ITEM, "status_details": _ERROR, "usage": _USAGE},
    "session": {},
    "usage": _USAGE,
    **_ERROR,
}
_IDS: Final = frozenset(
    {
        "approval_request_id", "call_id", "conversation_id", "errand_id", "event_id",
        "id", "item_id", "previous_item_id", "prompt_id", "response_id", "supervisor",
    }
)  # fmt: skip
_NAMES: Final = frozenset(
    {
        "_origin", "about", "agent", "audio_format", "before", "by", "called", "caller",
        "cause", "code", "do", "kind", "leg", "line", "max_output_tokens", "mode",
        "model", "name", "object", "outcome", "output_modalities", "profile", "prompt",
        "role", "server_label", "source", "speaker", "status", "transport", "trunk",
        "type", "who",
    }
)  # fmt: skip
_NUMBERS: Final = frozenset(
    {
        "at", "audio_end_ms", "audio_start_ms", "audio_tokens", "cached_tokens",
        "content_index", "duration_ms", "end", "expires_at", "hertz", "image_tokens",
        "input_tokens", "limit", "max_output_tokens", "output_index", "output_tokens",
        "q850", "received_at", "received_ms", "remaining", "reset_seconds", "seconds",
        "sent_ms", "start", "status", "text_tokens", "total_tokens", "unix_time",
    }
)  # fmt: skip
_FIELD: Final = re.compile("[a-z_]{1,40}|q850")
_NAME: Final = re.compile(r"[\w.:/+@#\[\]-]{1,128}")


class Hiding(Protocol):
    """What is left of what may not be shown."""

    def text(self, text: str, *, is_piece: bool) -> str:
        """Return what is left of a text that anything may stand in, or of a piece of one."""
        ...

    def name(self, text: str) -> str:
        """Return what is left of a name that somebody gave to something."""
        ...

    def number(self, value: float) -> object:
        """Return what is left of a number that anything may be meant by."""
        ...

    def structure(self, value: Any) -> Any:
        """Return what is left of a mapping or a list whose fields nobody knows."""
        ...


def sift(fields: Mapping[str, Any], hiding: Hiding, parts: Parts = _DETAIL) -> dict[str, Any]:
    """Return plain data with what is not named here as ``hiding`` leaves it.

    Args:
        fields: Those of an event, an action or an item, or of a part of them.
        hiding: What is left of the others.
        parts: The structures among the fields that are known.

    """
    return {
        name if _FIELD.fullmatch(name) else hiding.text(name, is_piece=False): _sifted(
            one, hiding, parts.get(name), name, is_piece=_is_piece(name, fields)
        )
        for name, one in fields.items()
    }


def _sifted(value: Any, hiding: Hiding, parts: Parts | None, name: str, *, is_piece: bool) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return hiding.structure(value) if parts is None else sift(value, hiding, parts)
    if isinstance(value, list | tuple):
        if parts is None and name not in _NAMES:
            return hiding.structure(value)
        return [_sifted(one, hiding, parts, name, is_piece=is_piece) for one in value]
    if not isinstance(value, str):
        return value if name in _NUMBERS else hiding.number(value)
    if name in _IDS | _NAMES and _NAME.fullmatch(value):
        return value if name in _IDS else hiding.name(value)
    return hiding.text(value, is_piece=is_piece)


def _is_piece(name: str, fields: Mapping[str, Any]) -> bool:
    """Tell whether a text goes on elsewhere, so that a number may stand but partly in it."""
    return (
        name in ("delta", "raw")
        or (name == "heard" and bool(fields.get("is_cut")))
        or (name == "text" and "speaker" in fields)
    )

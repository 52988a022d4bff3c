"""The session's settings: what may be changed, how changes merge, what is in force."""

import copy
from typing import Any, Final

from ..speech.vad import VadSettings
from .checks import (
    Check,
    Refused,
    anything,
    choice,
    either,
    flag,
    integer,
    list_of,
    number,
    optional,
    record,
    text,
    variant,
)
from .mcp_server import MCP_TOOL

__all__ = ["AUDIO_FORMAT", "MAX_TOKENS", "TOOL_CHOICE", "Settings", "modalities", "tools"]

_MOST_SERVERS: Final = 16

AUDIO_FORMAT: Final = variant(
    {
        "audio/pcm": record({"type": text, "rate": choice(24000)}),
        "audio/pcmu": record({"type": text}),
        "audio/pcma": record({"type": text}),
    }
)
MAX_TOKENS: Final = either(choice("inf"), integer(1, 4096))
TOOL: Final = variant(
    {
        "function": record(
            {"type": text, "name": text, "description": optional(text), "parameters": anything},
            required=("name",),
        ),
        "mcp": MCP_TOOL,
    }
)
TOOL_CHOICE: Final = either(
    variant(
        {
            "function": record({"type": text, "name": text}, required=("name",)),
            "mcp": record(
                {"type": text, "server_label": text, "name": optional(text)}, ("server_label",)
            ),
        }
    ),
    choice("auto", "none", "required"),
)


def tools(value: Any, path: str) -> list[dict[str, Any]]:
    """Accept tools; MCP servers among them each go by a label of their own."""
    checked: list[dict[str, Any]] = list_of(TOOL, most=128)(value, path)
    labels = [tool["server_label"] for tool in checked if tool["type"] == "mcp"]
    if len(labels) > _MOST_SERVERS or len(set(labels)) < len(labels):
        told = f"Invalid '{path}': at most {_MOST_SERVERS} MCP servers, each of its own label."
        raise Refused("invalid_value", told, path)
    return checked


def modalities(value: Any, path: str) -> list[str]:
    """Accept ``["audio"]`` or ``["text"]``, never both."""
    if value not in (["audio"], ["text"]):
        told = f"Invalid modalities: {value}. Supported combinations are: ['text'] and ['audio']."
        raise Refused("invalid_value", told, path)
    return list(value)


_TURN_DETECTION: Final = variant(
    {
        "server_vad": record(
            {
                "type": text,
                "threshold": number(0.0, 1.0),
                "prefix_padding_ms": integer(0, 5000),
                "silence_duration_ms": integer(0, 10_000),
                "create_response": flag,
                "interrupt_response": flag,
                "idle_timeout_ms": optional(integer(5000, 30_000)),
            }
        ),
        "semantic_vad": record(
            {
                "type": text,
                "eagerness": choice("low", "medium", "high", "auto"),
                "create_response": flag,
                "interrupt_response": flag,
            }
        ),
    }
)
_TRANSCRIPTION: Final = record(
    dict.fromkeys(("model", "language", "prompt", "delay"), optional(text))
    | dict.fromkeys(("languages", "keywords"), optional(list_of(text)))
)
_INPUT: Final[dict[str, Check]] = {
    "format": AUDIO_FORMAT,
    "noise_reduction": optional(record({"type": choice("near_field", "far_field")}, ("type",))),
    "transcription": optional(_TRANSCRIPTION),
    "turn_detection": optional(_TURN_DETECTION),
}
_OUTPUT: Final[dict[str, Check]] = {
    "format": AUDIO_FORMAT,
    "voice": either(record({"id": text}, ("id",)), text),
    "speed": number(0.25, 1.5),
}
_TRUNCATION: Final = either(
    record(
        {"type": text, "retention_ratio": number(0.0, 1.0), "token_limits": anything}, ("type",)
    ),
    choice("auto", "disabled"),
)
_REALTIME_FIELDS: Final[dict[str, Check]] = {
    "type": choice("realtime"),
    "model": text,
    "output_modalities": modalities,
    "instructions": text,
    "audio": record({"input": record(_INPUT), "output": record(_OUTPUT)}),
    "tools": tools,
    "tool_choice": TOOL_CHOICE,
    "parallel_tool_calls": flag,
    "reasoning": optional(record({"effort": optional(text)})),
    "max_output_tokens": MAX_TOKENS,
    "truncation": _TRUNCATION,
    "include": optional(list_of(choice("item.input_audio_transcription.logprobs"))),
    "tracing": optional(anything),
    "prompt": optional(record({"id": text, "version": anything, "variables": anything})),
}
_REALTIME: Final = record(_REALTIME_FIELDS, required=("type",))
_PREVIEW: Final = record({**_REALTIME_FIELDS, "temperature": number(0.6, 1.2)}, required=("type",))
_TRANSCRIBING: Final = record(
    {
        "type": choice("transcription"),
        "audio": record({"input": record(_INPUT)}),
        "include": optional(list_of(choice("item.input_audio_transcription.logprobs"))),
    },
    required=("type",),
)

_SERVER_VAD: Final = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
_SEMANTIC_VAD: Final = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
# How long a silence ends a turn that is judged by meaning: we judge by the clock alone.
_PATIENCE_MS: Final = {"low": 1500, "medium": 1000, "auto": 1000, "high": 500}


class Settings:
    """The effective session, as ``session.created`` and ``session.updated`` show it.

    Where the service ``carries_sound`` itself, the formats in it are for show: both
    sides' audio is PCM within the service, and on the wire what the peers agreed.
    """

    def __init__(
        self,
        *,
        session_id: str,
        model: str,
        expires_at: int,
        kind: str = "realtime",
        idle_timeout_ms: int | None = None,
        carries_sound: bool = False,
        is_preview: bool = False,
    ) -> None:
        self._kind = kind
        self._carries_sound = carries_sound
        self._is_model_given = bool(model)
        in_range = idle_timeout_ms and min(max(idle_timeout_ms, 5000), 30_000)
        self._server_vad = {**_SERVER_VAD, "idle_timeout_ms": in_range or None}
        caller: dict[str, Any] = {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": None,
            "noise_reduction": None,
            "turn_detection": dict(self._server_vad),
        }
        self.effective: dict[str, Any] = {
            "type": kind,
            "object": "realtime.session",
            "id": session_id,
            "expires_at": expires_at,
            "audio": {"input": caller},
            "include": None,
        }
        if kind == "transcription":
            self.effective["object"] = "realtime.transcription_session"
            if is_preview:  # whose types want a secret even where none was given out
                self.effective["client_secret"] = {"value": "", "expires_at": 0}
        else:
            self.effective |= _realtime_defaults(model or "embedded")
            if is_preview:
                self.effective["temperature"] = 0.8
            self.effective["audio"]["output"] = {
                "format": {"type": "audio/pcm", "rate": 24000},
                "voice": "rms",
                "speed": 1.0,
            }

    def snapshot(self) -> dict[str, Any]:
        """Return a copy of the effective session that later changes leave alone.

        What opens an MCP server to us is not shown to whoever looks on.
        """
        shown = copy.deepcopy(self.effective)
        for tool in shown.get("tools", ()):
            for secret in ("authorization", "headers"):
                tool.pop(secret, None)
        return shown

    def update(self, patch: dict[str, Any], *, has_spoken: bool) -> None:
        """Merge a ``session.update``; all of it or, when refused, nothing.

        An absent field stays; ``""``, ``[]`` and null clear.  The model never
        changes, the voice not once the service has spoken.

        Raises:
            Refused: A field is unknown, out of range or may not change any more.

        """
        check = _TRANSCRIBING if self._kind == "transcription" else _REALTIME
        if "temperature" in self.effective:
            check = _PREVIEW
        checked = check(patch, "session")
        self._refuse_fixed(checked, has_spoken=has_spoken)
        audio = checked.pop("audio", {})
        self.effective |= checked
        for side, fields in audio.items():
            self.effective["audio"][side] |= {
                name: self._complete(name, value) for name, value in fields.items()
            }

    def _refuse_fixed(self, checked: dict[str, Any], *, has_spoken: bool) -> None:
        now = self.effective
        model = checked.get("model", now.get("model"))
        if model != now.get("model") and self._is_model_given:
            told = f"The model cannot be changed to '{model}' within a session."
            raise Refused("invalid_value", told, "session.model")
        output = checked.get("audio", {}).get("output", {})
        if has_spoken and output.get("voice", now["audio"]["output"]["voice"]) != self.voice:
            told = "Cannot update a conversation's voice if assistant audio is present."
            raise Refused("cannot_update_voice", told, "session.audio.output.voice")
        if now.get("tracing") and checked.get("tracing", now["tracing"]) != now["tracing"]:
            told = "Tracing cannot be changed once it is enabled."
            raise Refused("invalid_value", told, "session.tracing")

    def _complete(self, name: str, value: Any) -> Any:
        """Fill what a nested object leaves out with what holds by default."""
        if name == "turn_detection" and value is not None:
            is_server = value["type"] == "server_vad"
            return (self._server_vad if is_server else _SEMANTIC_VAD) | value
        if name == "format" and value["type"] == "audio/pcm":
            return {"rate": 24000} | value
        return value

    @property
    def is_realtime(self) -> bool:
        """Whether this session answers, rather than only transcribes."""
        return self._kind == "realtime"

    @property
    def voice(self) -> Any:
        """The voice as asked for."""
        return self.effective["audio"]["output"]["voice"]

    @property
    def input_format(self) -> str:
        """The type of the caller's audio."""
        if self._carries_sound:
            return "audio/pcm"
        return str(self.effective["audio"]["input"]["format"]["type"])

    @property
    def output_format(self) -> dict[str, Any]:
        """The format of the service's audio."""
        found: dict[str, Any] = self.effective["audio"]["output"]["format"]
        return found

    @property
    def transcribes(self) -> bool:
        """Whether the client wants the caller's words."""
        return self.effective["audio"]["input"]["transcription"] is not None

    @property
    def transcription_model(self) -> str:
        """The model the caller's words are asked of; empty where none was named."""
        wanted = self.effective["audio"]["input"]["transcription"] or {}
        return wanted.get("model") or ""

    @property
    def turn_detection(self) -> dict[str, Any] | None:
        """How turns are found, or ``None`` where the client commits them."""
        found: dict[str, Any] | None = self.effective["audio"]["input"]["turn_detection"]
        return found

    @property
    def vad(self) -> VadSettings | None:
        """What the detector is set to, or ``None`` for no detector."""
        turns = self.turn_detection
        if turns is None:
            return None
        if turns["type"] == "semantic_vad":
            return VadSettings(silence_ms=_PATIENCE_MS[turns["eagerness"]])
        return VadSettings(
            threshold=turns["threshold"],
            prefix_ms=turns["prefix_padding_ms"],
            silence_ms=turns["silence_duration_ms"],
        )

    @property
    def idle_timeout_ms(self) -> int | None:
        """The silence after which the service speaks up by itself."""
        found: int | None = (self.turn_detection or {}).get("idle_timeout_ms")
        return found

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the client's functions that may be called."""
        if self.effective.get("tool_choice") == "none":
            return ()
        offered = self.effective.get("tools", ())
        return tuple(tool["name"] for tool in offered if tool["type"] == "function")


def _realtime_defaults(model: str) -> dict[str, Any]:
    return {
        "model": model,
        "output_modalities": ["audio"],
        "instructions": "",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "truncation": "auto",
        "tracing": None,
        "prompt": None,
    }

"""The tables of the configuration file, each a validated model.

Field names are the file's own keys; every default is safe on a developer's machine: it
listens on loopback, serves callers on loopback, and talks to the embedded service.
"""

import ipaddress
import json
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
)
from pydantic_settings import NoDecode

__all__ = [
    "BuiltinTool",
    "CallSettings",
    "LimitSettings",
    "MediaSettings",
    "Table",
    "Words",
    "check_session",
    "is_loopback",
    "known_codecs",
    "table_at",
]

CODECS: Final = ("PCMU", "PCMA", "G722", "opus", "L16")
_MCP_SERVER: Final = frozenset({"server_url", "connector_id", "tunnel_id"})

_PORTS: Final = re.compile(r"(\d{1,5})-(\d{1,5})")


def _listed(value: object) -> object:
    """Read a list from the environment: JSON, or words between commas."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [word.strip() for word in value.split(",") if word.strip()]


BuiltinTool: TypeAlias = Literal[
    "transfer_call",
    "hang_up",
    "send_dtmf",
    "collect_digits",
    "hold_call",
    "resume_call",
    "open_menu",
    "set_variable",
]

Words: TypeAlias = Annotated[list[str], NoDecode, BeforeValidator(_listed)]


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` can only be this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def known_codecs(codecs: list[str]) -> list[str]:
    """Return codecs by the names we spell them with."""
    names = {name.lower(): name for name in CODECS}
    if unknown := [codec for codec in codecs if codec.lower() not in names]:
        raise ValueError(f"{unknown[0]!r} cannot be offered; choose from {', '.join(CODECS)}")
    return [names[codec.lower()] for codec in codecs]


class Table(BaseModel):
    """A table of the file: unknown keys are refused, values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MediaSettings(Table):
    """``[media]``: RTP ports, codecs in order of preference, and what the service is sent."""

    host: str = ""  # where RTP is bound; empty: the host of the first sip.bind
    ports: str = "10000-20000"
    codecs: Words = ["PCMU", "PCMA", "G722", "opus"]
    append_ms: int = Field(default=40, ge=20, le=200, multiple_of=20)
    pass_through: bool = False
    detect_inband: bool = True
    keys_in_recordings: bool = True  # tones of keys are heard in them
    timeout_seconds: float = Field(
        default=60.0, ge=0
    )  # hang up after so long without RTP; 0: never
    hold_timeout_seconds: float = Field(default=1800.0, ge=0)  # the same while on hold
    recordings: Path | None = None  # folder for them
    recording_format: Literal["wav", "opus"] = "wav"

    @field_validator("ports")
    @classmethod
    def _range(cls, ports: str) -> str:
        match = _PORTS.fullmatch(ports)
        if match is None or not 1024 <= int(match[1]) < int(match[2]) <= 65535:
            raise ValueError(f"{ports!r} is not a range; write FIRST-LAST within 1024-65535")
        return ports

    @field_validator("codecs")
    @classmethod
    def _known(cls, codecs: list[str]) -> list[str]:
        if not codecs:
            raise ValueError(f"an empty list cannot be offered; choose from {', '.join(CODECS)}")
        return known_codecs(codecs)


class CallSettings(Table):
    """``[call]``: how a call is opened, kept in order, and closed."""

    greet: bool = True
    greeting: str = ""  # instructions for the first response; empty: the session's own
    menu: str = ""  # opened in place of a greeting
    variables: dict[str, str] = {}  # as a call begins; texts name them in braces
    timezone: str = ""  # of rules with a time; empty: UTC
    keys_in_transcript: bool = True
    goodbye: str = "Goodbye."
    goodbye_prompt: str | None = None  # while the service is away; None: an apology; empty: nothing
    goodbye_seconds: float = Field(
        default=20.0, gt=0, le=120
    )  # longest wait for speech to be heard
    key_window_ms: int = Field(default=1000, ge=0, le=5000)  # one press seen by two detectors
    tools: list[BuiltinTool] = ["transfer_call", "hang_up"]
    transfer_seconds: float = Field(default=40.0, gt=0, le=300)
    max_seconds: float = Field(default=7200.0, gt=0)
    wind_down_seconds: float = Field(default=60.0, ge=0)  # before the end by a limit
    wind_down: str = ""  # said then; empty: nothing
    max_tokens: int = Field(default=0, ge=0)  # of the service's, for one call; 0: no limit
    max_cost: float = Field(default=0.0, ge=0)  # by [prices], for one call; 0: no limit
    comfort_after_ms: int = Field(default=800, ge=0)  # a tool or a reconnection takes longer
    comfort_prompt: str | None = None  # played then; None: a soft sound; empty: nothing

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name or "UTC")
        except (ValueError, OSError, ZoneInfoNotFoundError):
            raise ValueError(f"{name!r} is no time zone; write such as Europe/Berlin") from None
        return name


class LimitSettings(Table):
    """``[limits]``: how much is taken on before callers are told 503."""

    max_calls: int = Field(default=500, ge=1)
    retry_after_seconds: int = Field(default=5, ge=1)
    quota_floor: float = Field(default=0.05, ge=0, lt=1)  # of the service's rate limit
    tool_calls: int = Field(default=100, ge=1)  # of the model, in one call
    tool_calls_per_minute: int = Field(default=30, ge=1)
    keys_per_second: int = Field(default=20, ge=1)  # of one caller; more are dropped


def check_session(session: dict[str, Any]) -> str:
    """Say where and why the service would refuse ``[session]``, or return nothing."""
    for side in ("input", "output"):
        if "format" in table_at(session, "audio", side):
            return f"audio.{side}.format: media.pass_through chooses it; remove this line"
    for number, tool in enumerate(session.get("tools") or ()):
        if isinstance(tool, dict) and tool.get("type") == "mcp" and not _MCP_SERVER & tool.keys():
            return f"tools[{number}]: no MCP server is named; add server_url"
    turns = table_at(session, "audio", "input", "turn_detection")
    idle = turns.get("idle_timeout_ms")
    where = "audio.input.turn_detection.idle_timeout_ms"
    if idle is None:
        return ""
    if turns.get("type", "server_vad") != "server_vad":
        return f"{where}: works with type server_vad alone; remove one of the two"
    if not isinstance(idle, int) or not 5000 <= idle <= 30000:
        return f"{where}: {idle!r} is outside what services take; choose 5000 to 30000"
    return ""


def table_at(tree: Any, *path: str) -> dict[str, Any]:
    """Return the table at ``path``, empty where there is none."""
    for name in path:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree if isinstance(tree, dict) else {}

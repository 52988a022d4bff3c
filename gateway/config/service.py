"""The tables of the configuration file about the speech service, and about life without it."""

from typing import Literal
from urllib.parse import parse_qs

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from .addresses import is_in_clear, split_address
from .sections import Table, Words
from .steps import KEYS, Steps

__all__ = ["FallbackSettings", "McpSettings", "PriceSettings", "RealtimeSettings"]


class RealtimeSettings(Table):
    """``[realtime]``: the speech service that answers, and how it is reached."""

    provider: Literal["embedded", "azure", "openai", "custom"] = "embedded"
    url: str = ""
    model: str = ""
    api_key_env: str = ""
    link: Literal["websocket", "webrtc", "sideband"] = "websocket"
    protocol: Literal["ga", "preview"] = "ga"
    api_version: str = ""  # of Azure's preview protocol, such as 2025-04-01-preview
    auth: Literal["key", "entra", "bearer"] = "key"  # how the service knows us
    webhook_secret_env: str = ""  # of the service that holds SIP calls (link = "sideband")
    front_door: Literal["realtime", "live"] = "realtime"  # which of its webhooks we answer
    connect_seconds: float = Field(default=10.0, gt=0, le=60)
    response_seconds: float = Field(default=15.0, gt=0, le=120)  # without a sign of an answer
    reconnect_seconds: float = Field(default=30.0, ge=0, le=600)  # then the fallback; 0: at once
    renew_seconds: float = Field(default=120.0, gt=0)  # before a session's end it is replaced
    api_key: SecretStr | None = Field(default=None, exclude=True)
    webhook_secret: SecretStr | None = Field(default=None, exclude=True)

    @field_validator("url")
    @classmethod
    def _reachable(cls, url: str, info: ValidationInfo) -> str:
        if not url:
            return url
        parts = split_address(url, "wss", "ws", "https", "http")
        if parts is None:
            raise ValueError(f"{url!r} is not a service address; write wss://HOST/PATH")
        if is_in_clear(parts):
            raise ValueError(f"{url!r} would send the key and the call in clear; write wss://")
        if info.data.get("provider") == "azure" and "api-version" in parse_qs(parts.query):
            raise ValueError(
                "?api-version= belongs to the preview protocol; "
                "write https://RESOURCE.openai.azure.com alone, and the version in api_version"
            )
        return url

    @model_validator(mode="after")
    def _complete(self) -> "RealtimeSettings":
        if self.auth == "entra" and self.provider != "azure":
            raise ValueError('auth = "entra" is for provider = "azure" alone; remove it')
        if self.protocol == "preview" and self.provider == "azure" and not self.api_version:
            raise ValueError(
                'protocol = "preview" at Azure needs api_version, such as "2025-04-01-preview"'
            )
        if self.api_version and (self.provider != "azure" or self.protocol != "preview"):
            raise ValueError(
                "api_version is for Azure's preview protocol alone; "
                'remove it, or set provider = "azure" and protocol = "preview"'
            )
        if self.protocol == "preview" and self.link != "websocket":
            raise ValueError('protocol = "preview" works with link = "websocket" alone')
        if self.provider == "custom" and not self.url:
            raise ValueError('provider = "custom" needs a url; write wss://HOST/PATH')
        if self.provider == "azure" and not self.url:
            raise ValueError(
                'provider = "azure" needs a url; write https://RESOURCE.openai.azure.com, '
                "or set AZURE_OPENAI_ENDPOINT"
            )
        if self.provider == "azure" and not self.model:
            raise ValueError(
                'provider = "azure" needs a model: the name of the deployment, '
                "here or in AZURE_OPENAI_DEPLOYMENT"
            )
        return self


class FallbackSettings(Table):
    """``[fallback]``: what a caller gets when the service stays away.

    The prompt is played; then, where there are ``keys``, the caller may press one (asked
    ``repeats`` times); in the end they are transferred, or politely let go.
    """

    prompt: str | None = None  # None: an apology that is shipped; empty: nothing
    keys: dict[str, Steps] = Field(default_factory=dict)
    key_seconds: float = Field(default=8.0, gt=0, le=60)
    repeats: int = Field(default=2, ge=1, le=10)
    transfer: str = ""  # a target; empty: hang up

    @field_validator("keys")
    @classmethod
    def _on_a_telephone(cls, keys: dict[str, Steps]) -> dict[str, Steps]:
        for key, steps in keys.items():
            if len(key) != 1 or key not in KEYS:
                raise ValueError(f"{key!r} is no key; choose from {KEYS}")
            if not steps:
                raise ValueError(f"key {key} does nothing; list what it does")
        return keys


class McpSettings(Table):
    """``[mcp]``: tools that the service runs itself, at servers named in ``session.tools``."""

    # Requests granted, as SERVER/TOOL shell patterns; all others are refused.
    approve: Words = Field(default_factory=list)
    wait_seconds: float = Field(default=2.0, ge=0, le=30)  # the greeting waits so long for tools

    @field_validator("approve")
    @classmethod
    def _of_a_server(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            if "/" not in pattern:
                raise ValueError(
                    f"{pattern!r} fits nothing; write {pattern + '/*'!r} or SERVER/TOOL"
                )
        return patterns


class PriceSettings(Table):
    """``[prices]``: what a million tokens cost, in whatever money ``call.max_cost`` is in."""

    text_input: float = Field(default=0.0, ge=0)
    text_cached: float = Field(default=0.0, ge=0)
    text_output: float = Field(default=0.0, ge=0)
    audio_input: float = Field(default=0.0, ge=0)
    audio_cached: float = Field(default=0.0, ge=0)
    audio_output: float = Field(default=0.0, ge=0)
    transcription_minute: float = Field(default=0.0, ge=0)  # of the caller's speech

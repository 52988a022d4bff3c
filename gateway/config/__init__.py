"""The configuration: one TOML file, environment overrides, secrets from the environment."""

from .rules import KEYS, Rule, Step
from .sections import (
    CallSettings,
    HttpSettings,
    LimitSettings,
    MediaSettings,
    SipSettings,
    TrunkSettings,
    is_loopback,
    table_at,
)
from .service import FallbackSettings, McpSettings, PriceSettings, RealtimeSettings
from .settings import Settings, load

__all__ = [
    "KEYS",
    "CallSettings",
    "FallbackSettings",
    "HttpSettings",
    "LimitSettings",
    "McpSettings",
    "MediaSettings",
    "PriceSettings",
    "RealtimeSettings",
    "Rule",
    "Settings",
    "SipSettings",
    "Step",
    "TrunkSettings",
    "is_loopback",
    "load",
    "table_at",
]

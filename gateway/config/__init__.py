"""The configuration: one TOML file, environment overrides, secrets from the environment."""

from .flows import (
    BargeInSettings,
    CollectSettings,
    CustomTool,
    DialSettings,
    IdleSettings,
    MenuSettings,
    Profile,
    Prompted,
    Target,
    WebhookSettings,
    Worded,
)
from .records import RecordSettings
from .rules import Rule
from .sections import (
    CallSettings,
    LimitSettings,
    MediaSettings,
    check_session,
    is_loopback,
    table_at,
)
from .service import FallbackSettings, McpSettings, PriceSettings, RealtimeSettings
from .settings import Settings, dotted, load
from .sip import GuardSettings, NumberSettings, SipSettings, TlsSettings, TrunkSettings
from .steps import KEYS, MENU_MOVES, Step
from .web import HttpSettings, IceServer, TokenSettings, WebRtcSettings

__all__ = [
    "KEYS",
    "MENU_MOVES",
    "BargeInSettings",
    "CallSettings",
    "CollectSettings",
    "CustomTool",
    "DialSettings",
    "FallbackSettings",
    "GuardSettings",
    "HttpSettings",
    "IceServer",
    "IdleSettings",
    "LimitSettings",
    "McpSettings",
    "MediaSettings",
    "MenuSettings",
    "NumberSettings",
    "PriceSettings",
    "Profile",
    "Prompted",
    "RealtimeSettings",
    "RecordSettings",
    "Rule",
    "Settings",
    "SipSettings",
    "Step",
    "Target",
    "TlsSettings",
    "TokenSettings",
    "TrunkSettings",
    "WebRtcSettings",
    "WebhookSettings",
    "Worded",
    "check_session",
    "dotted",
    "is_loopback",
    "load",
    "table_at",
]

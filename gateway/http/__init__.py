"""The HTTP surface: pages, health, calls as JSON, callers' browsers and webhooks, door by door."""

from .access import Access
from .calls import CallsDoor
from .dial import Dial, DialDoor
from .events import EventsDoor
from .health import HealthDoor
from .keyring import Keyring, configured_tokens
from .news import News
from .openapi import ApiDoor
from .operation import Door, Role
from .pages import PageDoor
from .proxies import Proxies
from .server import HttpServer
from .story import StoryDoor
from .supervision import SupervisionDoor
from .tokens import TokensDoor
from .visitor import VisitorDoor
from .webhooks import WebhookDoor
from .whip import WhipDoor

__all__ = [
    "Access",
    "ApiDoor",
    "CallsDoor",
    "Dial",
    "DialDoor",
    "Door",
    "EventsDoor",
    "HealthDoor",
    "HttpServer",
    "Keyring",
    "News",
    "PageDoor",
    "Proxies",
    "Role",
    "StoryDoor",
    "SupervisionDoor",
    "TokensDoor",
    "VisitorDoor",
    "WebhookDoor",
    "WhipDoor",
    "configured_tokens",
]

"""The HTTP surface: health, the calls as JSON, dialling, and the service's webhooks."""

from .dial import DialRoute
from .server import HttpServer
from .webhooks import WebhookRoute

__all__ = ["DialRoute", "HttpServer", "WebhookRoute"]

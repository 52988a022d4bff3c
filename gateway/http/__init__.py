"""The HTTP surface: health for balancers, the calls as JSON, and the service's webhooks."""

from .server import HttpServer
from .webhooks import WebhookRoute

__all__ = ["HttpServer", "WebhookRoute"]

"""The HTTP surface: health for balancers, and the calls as JSON."""

from .server import HttpServer

__all__ = ["HttpServer"]

"""Refusals by HTTP: problem documents (RFC 9457)."""

from aiohttp import web

__all__ = ["problem"]


def problem(status: int, title: str, detail: str) -> web.Response:
    """Answer with a problem document."""
    body = {"type": "about:blank", "status": status, "title": title, "detail": detail}
    return web.json_response(body, status=status, content_type="application/problem+json")

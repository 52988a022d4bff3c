"""Pages from elsewhere (the Fetch standard's CORS protocol): none but those that are named."""

from collections.abc import Collection
from typing import Final

from aiohttp import hdrs, web

__all__ = ["Cors"]

_EXPOSED: Final = "ETag, Link, Location, Retry-After"
_METHODS: Final = "GET, POST, PATCH, DELETE"
_HEADERS: Final = "Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID"
_SECONDS: Final = "600"  # that a browser may remember it


class Cors:
    """Tells browsers that pages of ``origins`` may ask, each to the letter."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origins)

    def preflight(self, request: web.Request) -> web.Response | None:
        """Answer a browser that asks whether it may ask; ``None`` where there is no more to it."""
        asks = hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        if request.method != hdrs.METH_OPTIONS or not asks or self._origin(request) is None:
            return None
        return web.Response(
            status=204,
            headers={
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: _HEADERS,
                hdrs.ACCESS_CONTROL_MAX_AGE: _SECONDS,
            },
        )

    def allow(self, request: web.Request, response: web.StreamResponse) -> None:
        """Have the page that asked read the answer, if it is one of ours."""
        if not self._origins:
            return
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)
        if (origin := self._origin(request)) is not None:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED

    def _origin(self, request: web.Request) -> str | None:
        origin = request.headers.get(hdrs.ORIGIN)
        return origin if origin in self._origins else None

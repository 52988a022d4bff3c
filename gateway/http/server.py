"""HTTP: `/healthz`, `/readyz`, `/v1/calls`, a page to look at, and the service's webhooks.

Errors are problem documents (RFC 9457).  The server binds to loopback unless told otherwise.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from aiohttp import web

from ..calls.registry import Health, Registry
from .dial import DialRoute
from .pages import PageDoor
from .problems import problem
from .webhooks import MAX_BYTES, WebhookRoute

__all__ = ["HttpServer"]

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HEADERS: Final = {  # of all that does not say otherwise
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every refusal into a problem document, and have browsers be careful."""
    try:
        response = await handler(request)
    except web.HTTPException as refusal:
        response = problem(refusal.status, refusal.reason, f"{request.method} {request.path}")
    if not response.prepared:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
    return response


class HttpServer:
    """Serves one gateway's registry on one address.

    Args:
        facts: Says what else is worth knowing.
        retry_after: Says how many seconds callers are told to wait when there is no room.
        webhooks: Takes what the service tells of the calls it holds.
        dial: Takes the orders to call somebody.

    """

    def __init__(
        self,
        registry: Registry,
        *,
        host: str,
        port: int,
        facts: Callable[[], dict[str, Any]],
        retry_after: Callable[[], int] = lambda: 5,
        webhooks: WebhookRoute | None = None,
        dial: DialRoute | None = None,
    ) -> None:
        self._registry = registry
        self._facts = facts
        self._retry_after = retry_after
        self._host, self._port = host, port
        app = web.Application(middlewares=[_problems], client_max_size=MAX_BYTES)
        for operation in PageDoor().operations():
            app.router.add_get(operation.path, operation.handle)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/v1/gateway", self._gateway)
        app.router.add_get("/v1/calls", self._calls)
        app.router.add_get("/v1/calls/{id}", self._call)
        if dial is not None:
            app.router.add_post("/v1/calls", dial.handle)
        if webhooks is not None:
            app.router.add_post("/webhooks/realtime", webhooks.handle)
        # Nothing is unpacked: a few bytes could be many.
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, auto_decompress=False
        )

    @property
    def url(self) -> str:
        """Where the page is, once :meth:`start` has returned."""
        host, port = self._runner.addresses[0][:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    async def start(self) -> None:
        """Bind and serve.

        Raises:
            OSError: The address is taken or not ours.

        """
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def close(self) -> None:
        """Stop serving."""
        await self._runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        health = self._registry.health
        body = {"status": health.name.lower(), "calls": len(self._registry)}
        headers = {} if health is Health.READY else {"Retry-After": str(self._retry_after())}
        return web.json_response(body, status=health.value, headers=headers)

    async def _gateway(self, _request: web.Request) -> web.Response:
        return web.json_response(self._facts())

    async def _calls(self, _request: web.Request) -> web.Response:
        records = self._registry.records()
        return web.json_response({"calls": [r.as_dict(with_timeline=False) for r in records]})

    async def _call(self, request: web.Request) -> web.Response:
        record = self._registry.record(request.match_info["id"])
        if record is None:
            return problem(404, "Not Found", f"no call {request.match_info['id']!r}")
        return web.json_response(record.as_dict())

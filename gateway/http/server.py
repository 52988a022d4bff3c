"""The HTTP server: takes requests to the operations of its doors, from whoever may ask.

Refusals are problem documents (RFC 9457).  The server binds to loopback unless told otherwise.
"""

import logging
from collections.abc import Collection, Sequence
from typing import Final

import structlog
from aiohttp import web

from .access import Access
from .cors import Cors
from .listener import Bounds, Listener
from .operation import VISITOR, Door, Handler, Operation
from .problems import Refusal
from .proxies import Proxies

__all__ = ["MAX_BYTES", "HttpServer"]

MAX_BYTES: Final = 64 * 1024
"""Of a request's body."""

_HEADERS: Final = {  # of all that does not say otherwise
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_NAME: Final = "voice-gateway"
_LAST_WORDS: Final = 2.0  # seconds that requests have to end as the server is closed
_UNHEARD: Final = logging.Logger("what anybody sends that is no HTTP", logging.CRITICAL + 1)
_KEPT_OPEN: Final = 20.0  # seconds that a connection may rest between two requests
_ANYTHING: Final = "*/*"
_HEALTH: Final = ("/healthz", "/readyz")  # told however full it is
_KEPT: Final = ("Allow", "Location")


class HttpServer:
    """Serves doors on one address.

    Args:
        doors: What there is to ask for.
        access: Says who may.
        origins: Pages from elsewhere that may ask, each ``https://HOST[:PORT]``.
        proxies: Those that are believed who asks.
        bounds: How many connections there may be, and how idle.

    """

    def __init__(
        self,
        doors: Sequence[Door],
        *,
        host: str,
        port: int,
        access: Access,
        origins: Collection[str] = (),
        proxies: Proxies | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self._access = access
        self._host, self._port = host, port
        self._cors = Cors(origins)
        self._proxies = proxies or Proxies()
        self._bounds = bounds or Bounds()
        self._log = structlog.get_logger()
        app = web.Application(middlewares=[self._answer], client_max_size=MAX_BYTES)
        app.on_response_prepare.append(self._dress)
        for door in doors:
            for operation in door.operations():
                self._mount(app, operation)
        # Nothing is unpacked: a few bytes could be many.
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            auto_decompress=False,
            shutdown_timeout=_LAST_WORDS,
            logger=_UNHEARD,
            keepalive_timeout=_KEPT_OPEN,
        )
        self._listener: Listener | None = None

    @property
    def url(self) -> str:
        """Where the page is; empty before :meth:`start` has returned."""
        if self._listener is None:
            return ""
        host, port = self._listener.address
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    @property
    def counted(self) -> dict[str, int]:
        """What is worth counting."""
        listener = self._listener
        return {
            "refused": self._access.refused,
            "tokens_wrong": self._access.wrong,
            "tokens_not_looked_at": self._access.slowed,
            "connections_refused": listener.refused if listener else 0,
            "connections_silent": listener.silent if listener else 0,
            "connections_stalled": listener.stalled if listener else 0,
        }

    async def start(self) -> None:
        """Bind and serve.

        Raises:
            OSError: The address is taken or not ours.

        """
        await self._runner.setup()
        assert self._runner.server is not None
        listener = Listener(self._runner.server, self._bounds, is_proxy=self._proxies.has)
        await listener.open(self._host, self._port)
        self._listener = listener

    async def close(self) -> None:
        """Stop serving."""
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()

    def _mount(self, app: web.Application, operation: Operation) -> None:
        async def serve(request: web.Request) -> web.StreamResponse:
            request[VISITOR] = self._access.admit(request, operation.role)
            _check_type(request, operation)
            return await operation.handle(request)

        methods = ["GET", "HEAD"] if operation.method == "GET" else [operation.method]
        for method in methods:
            app.router.add_route(method, operation.path, serve)

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turn every refusal into a problem document, and a fault into one that tells nothing."""
        if self._listener is not None:
            self._listener.note(request.protocol)
        if self._is_spare(request) and request.path not in _HEALTH:
            return _full().response(request.path)
        if (allowance := self._cors.preflight(request)) is not None:
            return allowance
        if (asker := self._proxies.asker(request)) != request.remote:
            request = request.clone(remote=asker)
        try:
            return await handler(request)
        except Refusal as refusal:
            return refusal.response(request.path)
        except web.HTTPException as refusal:
            return _as_refusal(refusal, request).response(request.path)
        except Exception:
            self._log.exception("fault while answering", method=request.method, path=request.path)
            return Refusal(500, "the gateway's fault; its log says more").response(request.path)

    async def _dress(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add to every answer what keeps it safe in a browser."""
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["Server"] = _NAME
        if self._is_spare(request):
            response.force_close()
        self._cors.allow(request, response)

    def _is_spare(self, request: web.Request) -> bool:
        return self._listener is not None and self._listener.is_spare(request.protocol)


def _full() -> Refusal:
    wait = {"Retry-After": str(round(_KEPT_OPEN))}
    return Refusal(503, "there are too many connections", kind="no-room", headers=wait)


def _check_type(request: web.Request, operation: Operation) -> None:
    """Refuse what a form of another site could have sent, and what is meant for something else.

    Raises:
        Refusal: The body is of another type than the operation takes.

    """
    if operation.body is None or operation.body_type == _ANYTHING:
        return
    if request.content_type != operation.body_type:
        raise Refusal(
            415,
            f"the body is to be {operation.body_type}; say so in Content-Type",
            headers={f"Accept-{request.method.capitalize()}": operation.body_type},
        )


def _as_refusal(refusal: web.HTTPException, request: web.Request) -> Refusal:
    """Put what aiohttp has to say into our words."""
    kept = {name: refusal.headers[name] for name in _KEPT if name in refusal.headers}
    words = {
        404: "there is nothing here",
        405: f"{request.method} is not for this; {kept.get('Allow', 'nothing')} is",
        408: "the body did not come to its end",
        413: f"the body is longer than {MAX_BYTES} bytes",
    }
    return Refusal(refusal.status, words.get(refusal.status, refusal.reason), headers=kept)

"""Sessions over HTTP: the WebSocket of a client, of a preview client, and of a call's onlooker."""

from typing import Final

from aiohttp import web

from ...realtime.dialect import Generation
from ..calls.book import Calls
from ..connection import Connection
from ..faults import Faults
from ..live import LiveSession
from ..sessions import Opening, Sessions
from .errors import HttpRefusal, refuse
from .keys import Keys
from .secrets import Preset
from .socket import accept_socket

__all__ = ["PATHS", "PREVIEW_PATH", "SessionRoutes"]

PATHS: Final = ("/v1/realtime", "/openai/v1/realtime")
PREVIEW_PATH: Final = "/openai/realtime"
_LIVE_PATHS: Final = ("/v1/live/sessions", "/openai/v1/live/sessions")
_MOST_ONLOOKERS: Final = 16  # of one call
_PREVIEW_PROTOCOL: Final = "openai-beta.realtime-v1"


class SessionRoutes:
    """Answers the handshakes of WebSockets."""

    def __init__(self, sessions: Sessions, calls: Calls, keys: Keys, faults: Faults) -> None:
        self._sessions = sessions
        self._calls = calls
        self._keys = keys
        self._faults = faults

    def routes(self) -> list[web.RouteDef]:
        """Return what is served where."""
        attach = [f"{path}/{{id}}/attach" for path in _LIVE_PATHS]
        paths = (*PATHS, PREVIEW_PATH, *attach)
        return [web.get(path, self._serve, allow_head=False) for path in paths]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        query, now = request.query, self._sessions.clock()
        secret = self._keys.check(request.headers, query, self._sessions.calendar())
        call_id = request.match_info.get("id") or query.get("call_id")
        if refusal := self._faults.refusal(now):
            raise HttpRefusal(refusal.status, refusal.code, "The service is told to refuse.")
        watched = None
        if call_id is not None:
            watched = self._calls.session_of(call_id)
            if len(watched.viewers) >= _MOST_ONLOOKERS:
                raise HttpRefusal(429, "rate_limit_exceeded", "Too many look on.")
        if request.headers.get("Upgrade", "").lower() != "websocket":
            response = refuse(426, "upgrade_required", "This is the place of a WebSocket.")
            response.headers["Upgrade"] = "websocket"
            return response
        dialect = _generation(request)
        if watched is not None:
            return await self._watch(request, watched, dialect)
        preset = secret.preset if secret is not None else None
        return await self._open(request, _opening(request, dialect, preset))

    async def _open(self, request: web.Request, asked: Opening) -> web.StreamResponse:
        live = self._sessions.open(asked)
        async with self._sessions.running(live):
            socket = await accept_socket(request)
            await Connection(socket, live).run()
        return socket.response

    async def _watch(
        self, request: web.Request, live: LiveSession, dialect: Generation
    ) -> web.StreamResponse:
        socket = await accept_socket(request)
        observer = live.session.attach(dialect)
        try:
            await Connection(socket, live, observer).run()
        finally:
            live.session.detach(observer)
        return socket.response


def _generation(request: web.Request) -> Generation:
    """Return the generation a client speaks: its address tells, or a header."""
    is_preview = (
        request.path == PREVIEW_PATH
        or "realtime=v1" in request.headers.get("OpenAI-Beta", "")
        or _PREVIEW_PROTOCOL in request.headers.get("Sec-WebSocket-Protocol", "")
    )
    return "preview" if is_preview else "ga"


def _opening(request: web.Request, dialect: Generation, preset: Preset | None) -> Opening:
    query = request.query
    return Opening(
        model=query.get("deployment" if request.path == PREVIEW_PATH else "model", ""),
        kind="transcription" if query.get("intent") == "transcription" else "realtime",
        dialect=dialect,
        preset=preset,
    )

"""The embedded realtime service: the protocol of the real one, on this machine.

A WebSocket server at ``/v1/realtime`` (and at Azure's path); every connection
is a session that the agent script speaks for.  What only a model could obey is
accepted and shown, and changes nothing: instructions (but for text quoted in
them), voice, speed, reasoning, truncation, tracing, noise reduction.
"""

import hmac
import http
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from ..clock import Ids, RandomIds, monotonic
from ..errors import ConfigError
from .agent import Agent
from .connection import Connection
from .echo import EchoAgent
from .engine import ScriptAgent
from .recognise import knows_word, load_recogniser
from .script import load_script
from .session import Limits, Session
from .voice import load_voice
from .workers import Workers

__all__ = ["ECHO", "PATHS", "EmbeddedService"]

ECHO: Final = "echo"
PATHS: Final = ("/v1/realtime", "/openai/v1/realtime")
_MAX_MESSAGE: Final = 24 * 1024 * 1024  # 15 MiB of audio in base64, and then some
_KEY_PROTOCOL: Final = "openai-insecure-api-key."
_PROTOCOL: Final = Subprotocol("realtime")


class EmbeddedService:
    """Serves sessions from :meth:`start` to :meth:`close`.

    Args:
        host: Where to listen; loopback unless others are meant to reach it.
        port: 0 picks a free one; see :attr:`port`.
        script: An agent script's path, the name of a shipped one, or ``"echo"``.
        key: The key clients must show; without one any is accepted, or none.
        limits: How long a session may last, and how fast it speaks.
        max_sessions: More are refused with 429.

    Raises:
        ConfigError: The script or its voice cannot be used.

    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        script: Path | str | None = None,
        key: str | None = None,
        *,
        limits: Limits | None = None,
        max_sessions: int = 1000,
        ids: Ids | None = None,
    ) -> None:
        self.host = host
        self._asked_port = port
        self._key = key
        self._limits = limits or Limits()
        self._max_sessions = max_sessions
        self._ids = ids or RandomIds()
        self._make_agent, voice = _load(script)
        self._workers = Workers(load_voice(voice), load_recogniser())
        self._server: Server | None = None
        self.sessions = 0

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._server is None:
            return self._asked_port
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def url(self) -> str:
        """Where to point a client."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ws://{host}:{self.port}{PATHS[0]}"

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            ConfigError: The address is taken or not ours.

        """
        try:
            self._server = await serve(
                self._serve,
                self.host,
                self._asked_port,
                process_request=self._admit,
                select_subprotocol=_select_subprotocol,
                compression=None,
                max_size=_MAX_MESSAGE,
                close_timeout=2,
                server_header="voice-gateway",
            )
        except OSError as error:
            where = f"{self.host}:{self._asked_port}"
            reason = error.strerror or str(error)
            raise ConfigError(
                f"embedded service: cannot listen on {where}: {reason}; choose another port"
            ) from error

    async def close(self) -> None:
        """End every session and stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        self._workers.close()

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        query = parse_qs(urlsplit(socket.request.path).query)
        session = Session(
            self._make_agent,
            self._ids,
            now=monotonic(),
            unix_now=int(time.time()),
            model=query.get("model", [""])[0],
            kind="transcription" if query.get("intent") == ["transcription"] else "realtime",
            limits=self._limits,
        )
        self.sessions += 1
        try:
            await Connection(socket, session, self._workers, monotonic).run()
        finally:
            self.sessions -= 1

    def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        """Answer what is not a session for us; ``None`` lets the handshake go on."""
        parts = urlsplit(request.path)
        query = parse_qs(parts.query)
        if parts.path == "/healthz":
            return _answer(http.HTTPStatus.OK, {"status": "ok", "sessions": self.sessions})
        if parts.path not in PATHS:
            return _refusal(http.HTTPStatus.NOT_FOUND, "not_found", f"no such path: {parts.path}")
        if not self._is_known(request.headers, query):
            return _refusal(
                http.HTTPStatus.UNAUTHORIZED, "invalid_api_key", "Incorrect API key provided."
            )
        if "call_id" in query:
            return _refusal(http.HTTPStatus.NOT_FOUND, "call_id_not_found", "No such call.")
        if self.sessions >= self._max_sessions:
            return _refusal(
                http.HTTPStatus.TOO_MANY_REQUESTS, "rate_limit_exceeded", "Too many sessions."
            )
        return None

    def _is_known(self, headers: Headers, query: dict[str, list[str]]) -> bool:
        if self._key is None:
            return True
        offered = [headers.get("api-key", ""), *query.get("api-key", [])]
        offered.append(headers.get("Authorization", "").removeprefix("Bearer "))
        protocols = headers.get("Sec-WebSocket-Protocol", "").split(",")
        offered += [each.strip().removeprefix(_KEY_PROTOCOL) for each in protocols]
        return any(hmac.compare_digest(each.encode(), self._key.encode()) for each in offered)


def _load(name: Path | str | None) -> tuple[Callable[[], Agent], str]:
    """Return what makes an agent for each session, and the voice it speaks with."""
    if name == ECHO:
        return EchoAgent, "rms"
    script = load_script(name, knows_word) if name else load_script("demo")
    return lambda: ScriptAgent(script), script.voice


def _select_subprotocol(
    socket: ServerConnection, offered: Sequence[Subprotocol]
) -> Subprotocol | None:
    """Take ``realtime`` alone: a browser puts its key beside it, which is not to be echoed."""
    del socket
    return _PROTOCOL if _PROTOCOL in offered else None


def _answer(status: http.HTTPStatus, body: object) -> Response:
    data = json.dumps(body).encode()
    headers = Headers()
    headers["Content-Type"] = "application/json"
    headers["Content-Length"] = str(len(data))
    headers["Connection"] = "close"
    return Response(status, status.phrase, headers, data)


def _refusal(status: http.HTTPStatus, code: str, message: str) -> Response:
    error = {"type": "invalid_request_error", "code": code, "message": message, "param": None}
    return _answer(status, {"error": error})

"""The embedded realtime service: the protocol of the real one, on this machine.

Sessions over WebSocket at ``/v1/realtime`` (and at Azure's paths), calls by
WebRTC and by SIP.  What only a model could obey is accepted and shown, and
changes nothing: instructions (but for text quoted in them), voice, speed,
reasoning, truncation, tracing, noise reduction.
"""

import ipaddress
import time
from pathlib import Path
from typing import Final

from aiohttp import web

from ..clock import Ids, RandomIds, monotonic
from ..errors import ConfigError
from .agents.engines import ECHO, load_engine
from .calls.book import Calls
from .calls.hosted_line import RING_SECONDS, HostedLine
from .calls.webhooks import Webhooks
from .faults import Faults
from .http.admin import AdminRoutes
from .http.calls import CallRoutes
from .http.errors import SERVER_LOG, refusals
from .http.keys import Keys
from .http.secrets import ClientSecrets
from .http.sessions import PATHS, SessionRoutes
from .protocol.session import Limits
from .sessions import Sessions
from .speech.recognise import load_recogniser
from .speech.voice import load_voice
from .workers import Workers

__all__ = ["ECHO", "PATHS", "EmbeddedService"]

_MOST_BODY: Final = 1 << 20
_CLOSE_SECONDS: Final = 3.0


class EmbeddedService:
    """Serves sessions from :meth:`start` to :meth:`close`.

    Args:
        host: Where to listen; loopback unless others are meant to reach it.
        port: 0 picks a free one; see :attr:`port`.
        script: The path of an agent script or of a cascade, the name of a shipped
            script, or ``"echo"``.
        key: The key clients must show; without one any is accepted, or none.
        limits: How long a session may last, how fast it speaks, and how much.
        max_sessions: More are refused with 429; more calls with 503.
        sip: Where to take SIP calls, e.g. ``udp:127.0.0.1:0``; nowhere if not given.
        webhook_url: Where SIP calls are announced.
        webhook_secret: What these webhooks are signed with.
        ring_seconds: A SIP call that nobody accepts by then is refused.
        admin: Serve ``/admin``, by which faults are ordered, to this machine.

    Raises:
        ConfigError: The script or its voice cannot be used, or SIP has no webhook secret.

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
        sip: str = "",
        webhook_url: str = "",
        webhook_secret: str = "",
        ring_seconds: float = RING_SECONDS,
        admin: bool = False,
    ) -> None:
        self.host = host
        self._asked_port = port
        ids = ids or RandomIds()
        engine = load_engine(script)
        self._workers = Workers(load_voice(engine.voice), load_recogniser(), cascade=engine.cascade)
        self._faults = Faults()
        self._calls = Calls()
        self._sessions = Sessions(
            engine.make_agent,
            self._workers,
            limits or Limits(),
            most=max_sessions,
            ids=ids,
            faults=self._faults,
            clock=monotonic,
            calendar=time.time,
        )
        secrets = ClientSecrets(ids)
        keys = Keys(key, secrets)
        self._call_routes = CallRoutes(
            self._sessions, self._calls, secrets, keys, self._faults, ids, is_local=_is_local(host)
        )
        self._webhooks: Webhooks | None = None
        self._line: HostedLine | None = None
        if sip:
            self._open_line(sip, webhook_url, webhook_secret, ids, max_sessions, ring_seconds)
        admin_routes = AdminRoutes(self._sessions, self._calls, keys, self._faults, ids).routes()
        self._runner = self._make_runner(
            [
                web.get("/healthz", self._healthz),
                *SessionRoutes(self._sessions, self._calls, keys, self._faults).routes(),
                *self._call_routes.routes(),
                *(admin_routes if admin else ()),
            ]
        )

    @property
    def sessions(self) -> int:
        """How many sessions are under way."""
        return len(self._sessions)

    @property
    def port(self) -> int:
        """The port it listens on."""
        addresses = self._runner.addresses
        return int(addresses[0][1]) if addresses else self._asked_port

    @property
    def url(self) -> str:
        """Where to point a client."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ws://{host}:{self.port}{PATHS[0]}"

    @property
    def sip_uri(self) -> str:
        """Where to call by SIP; empty where no calls are taken."""
        return self._line.uri if self._line is not None else ""

    def announce_to(self, url: str) -> None:
        """Send the webhooks of SIP calls there from here on."""
        if self._webhooks is not None:
            self._webhooks.url = url

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            ConfigError: An address is taken or not ours.

        """
        try:
            await self._listen()
            if self._line is not None:
                await self._line.start()
        except ConfigError:
            await self.close()
            raise

    async def _listen(self) -> None:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.host, self._asked_port).start()
        except OSError as error:
            where = f"{self.host}:{self._asked_port}"
            reason = error.strerror or str(error)
            raise ConfigError(
                f"embedded service: cannot listen on {where}: {reason}; choose another port"
            ) from error

    async def close(self) -> None:
        """End every session and call and stop listening."""
        if self._line is not None:
            await self._line.close()
        await self._call_routes.close()
        await self._sessions.close(_CLOSE_SECONDS)
        await self._runner.cleanup()
        if self._webhooks is not None:
            await self._webhooks.close()
        self._workers.close()

    @staticmethod
    def _make_runner(routes: list[web.RouteDef]) -> web.AppRunner:
        app = web.Application(middlewares=[refusals], client_max_size=_MOST_BODY)
        app.add_routes(routes)
        return web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=_CLOSE_SECONDS,
            logger=SERVER_LOG,
        )

    def _open_line(
        self, bind: str, url: str, secret: str, ids: Ids, most: int, ring_seconds: float
    ) -> None:
        if not secret:
            raise ConfigError("embedded service: SIP calls need a webhook secret to sign with")
        self._webhooks = Webhooks(url, secret, calendar=time.time, ids=ids)
        self._line = HostedLine(
            bind,
            self._webhooks,
            self._calls,
            self._sessions,
            faults=self._faults,
            ids=ids,
            calendar=time.time,
            most=most,
            ring_seconds=ring_seconds,
        )

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "sessions": self.sessions})


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

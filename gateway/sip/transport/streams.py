"""SIP over connections taken, opened on demand, and used again (RFC 3261 section 18, RFC 5923)."""

import asyncio
import ipaddress
import itertools
import math
import operator
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

import structlog

from ...errors import SipError
from ...seldom import Seldom
from ..flow import Flow, Transport, default_port
from ..guard.visitors import Visitors
from ..wire.framing import Framer, StreamFramer
from ..wire.message import read
from ..wire.websocket import WebSocketFramer
from .address import Address, Bind
from .certificates import Certificates
from .connection import CLOSED, Connection
from .tls import TlsChannel

__all__ = ["StreamSocket"]

_MOST_CONNECTIONS: Final = 1024  # that others opened, and that we did
_MOST_OF_ONE: Final = 256  # connections of one host
_MOST_BEGINNING: Final = 128  # connections taken over which no message may flow yet
_MOST_WAITING: Final = 64  # messages that may wait for one connection to open
_PAUSE: Final = 10.0  # seconds until more that are refused for the same reason are told of
_PATIENCE: Final = 32.0  # seconds a connection may take to open

_Place: TypeAlias = tuple[Address, str]  # where somebody is, and who that must prove to be


class StreamSocket:
    """One listening socket and the connections that belong to it.

    A message for a flow whose connection is gone goes over another connection
    to the same address, opened if need be.

    Args:
        transport: What is spoken over the connections.
        certificates: Of TLS.
        on_message: Told of each message and the flow it came by.
        on_lost: Told of each flow that is gone.
        origins: Where pages must come from that connect by WebSocket, if that matters.
        visitors: Judges strangers who connect; without it they are as welcome as anybody.

    """

    def __init__(
        self,
        transport: Transport,
        certificates: Certificates,
        on_message: Callable[[bytes, Flow], None],
        on_lost: Callable[[Flow], None],
        *,
        origins: Sequence[str] = (),
        visitors: Visitors | None = None,
    ) -> None:
        self.transport = transport
        self.local: Address = ("", 0)
        self._certificates = certificates
        self._on_message = on_message
        self._on_lost = on_lost
        self._origins = origins
        self._counts = Counter(opened=0, taken=0, turned_away=0, made_room=0, broken=0, unsent=0)
        self._visitors = visitors
        self._refused = Seldom(_PAUSE)
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None
        self._source: socket.socket | None = None
        self._by_number: dict[int, Connection] = {}
        self._by_place: dict[_Place, Connection] = {}
        self._by_alias: dict[Address, Connection] = {}  # where peers say that they listen
        self._opening: dict[_Place, list[tuple[bytes, Flow]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def counters(self) -> dict[str, int]:
        """How many connections were opened, taken and done away with; messages not sent."""
        return {f"{self.transport}_{what}": count for what, count in self._counts.items()}

    @property
    def is_listening(self) -> bool:
        """Whether others may connect."""
        return self._server is not None

    async def open(self, bind: Bind) -> None:
        """Listen.

        Raises:
            OSError: The address is not free, or not ours.
            ConfigError: Encryption is meant, and there is no certificate.

        """
        if self._is_secure:
            self._certificates.server(is_web=self._is_web)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, bind.host, bind.port)
        self.local = self._server.sockets[0].getsockname()[:2]

    def open_for_calling(self, host: str) -> None:
        """Only ever connect to others, from a port that is kept for it.

        Peers that look for a connection by the address in our Contact find it so.
        """
        self._source = _socket(host, 0)
        self.local = self._source.getsockname()[:2]

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one message, now or once a connection stands; failing that, ``on_lost`` says so."""
        connection = self._by_number.get(flow.id)
        if connection is None and (connection := self._standing(flow)) is not None:
            connection.uses.add(flow)
        if connection is not None:
            connection.write(data)
            return
        if self._is_web:  # nobody calls a browser: it comes to us
            asyncio.get_running_loop().call_soon(self._on_lost, flow)
            return
        place = (flow.remote, flow.domain)
        waiting = self._opening.get(place)
        if waiting is not None:
            if len(waiting) < _MOST_WAITING:
                waiting.append((data, flow))
            else:
                self._counts["unsent"] += 1
            return
        self._opening[place] = [(data, flow)]
        task = asyncio.create_task(self._connect(flow))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop listening and close every connection."""
        if self._server is not None:
            self._server.close()
        if self._source is not None:
            self._source.close()
        for connection in list(self._by_number.values()):
            connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def admit(self, connection: Connection) -> bool:
        """Take in a connection that begins, unless there are too many.

        Of our own the one that has been of no use for longest makes room: whoever
        needs it opens another.
        """
        alike = [c for c in self._by_number.values() if c.is_ours == connection.is_ours]
        if connection.is_ours:
            if len(alike) >= _MOST_CONNECTIONS:
                min(alike, key=lambda other: other.used_at).close()
                self._counts["made_room"] += 1
        else:
            of_one = sum(other.flow.remote[0] == connection.flow.remote[0] for other in alike)
            beginning = sum(not other.is_standing for other in alike)
            limits = (_MOST_CONNECTIONS, _MOST_OF_ONE, _MOST_BEGINNING)
            is_full = any(map(operator.ge, (len(alike), of_one, beginning), limits))
            if is_full or not self._is_welcome(connection):
                self._counts["turned_away"] += 1
                return False
        self._by_number[connection.flow.id] = connection
        self._counts["opened" if connection.is_ours else "taken"] += 1
        return True

    def _is_welcome(self, connection: Connection) -> bool:
        return self._visitors is None or self._visitors.admits(connection.flow, _now())

    def stand(self, connection: Connection) -> None:
        """Have a connection found by where it leads."""
        flow = connection.flow
        self._by_place[flow.remote, flow.domain] = connection

    def patience(self, connection: Connection) -> float:
        """Return how many seconds a connection may say nothing."""
        if self._visitors is None or connection.is_ours:
            return math.inf
        return self._visitors.patience(connection.flow, _now())

    def receive(self, message: bytes, connection: Connection) -> None:
        """Hand a message on."""
        is_proven = bool(connection.flow.names) and not connection.is_ours
        if is_proven and connection.alias is None and b";alias" in message:
            self._note_alias(message, connection)
        self._on_message(message, connection.flow)

    def count(self, what: str) -> None:
        """Count what was done to a connection."""
        self._counts[what] += 1

    def dismiss(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        flow = connection.flow
        if self._by_number.pop(flow.id, None) is None:
            return
        if self._visitors is not None:
            self._visitors.leaves(flow)
        if not connection.is_standing:
            self._tell_of_refused(connection)
            return
        for place in {(each.remote, each.domain) for each in (flow, *connection.uses)}:
            if self._by_place.get(place) is connection:
                del self._by_place[place]
        if connection.alias is not None and self._by_alias.get(connection.alias) is connection:
            del self._by_alias[connection.alias]
        for each in (flow, *connection.uses):
            self._on_lost(each)

    @property
    def _is_secure(self) -> bool:
        return self.transport in ("tls", "wss")

    @property
    def _is_web(self) -> bool:
        return self.transport in ("ws", "wss")

    def _standing(self, flow: Flow) -> Connection | None:
        """Return a connection that leads where ``flow`` does, to the one it asks for."""
        place = (flow.remote, flow.domain)
        if place in self._by_place:
            return self._by_place[place]
        for other in (self._by_place.get((flow.remote, "")), self._by_alias.get(flow.remote)):
            if other is not None and other.proves(flow):
                return other
        return None

    def _note_alias(self, message: bytes, connection: Connection) -> None:
        """Have a connection used towards the port its opener listens on (RFC 5923 section 8.2).

        Only for whom its certificate names: else anybody could have calls sent to him.
        """
        try:
            via = read(message).via
        except SipError:
            return
        if "alias" in via.params:
            port = via.port or default_port(self.transport)
            connection.alias = (connection.flow.remote[0], port)
            self._by_alias[connection.alias] = connection

    def _accept(self) -> Connection:
        flow = Flow(self.transport, self.local, ("", 0), next(self._numbers))
        return Connection(self, flow, self._framer(), self._server_tls, is_ours=False)

    def _server_tls(self) -> TlsChannel | None:
        if not self._is_secure:
            return None
        return TlsChannel(self._certificates.server(is_web=self._is_web), is_server=True)

    def _client_tls(self, domain: str) -> TlsChannel | None:
        if not self._is_secure:
            return None
        return TlsChannel(self._certificates.client, is_server=False, domain=domain)

    def _framer(self) -> Framer:
        return WebSocketFramer(self._origins) if self._is_web else StreamFramer()

    async def _connect(self, flow: Flow) -> None:
        connection, problem = None, "no answer"
        try:
            async with asyncio.timeout(_PATIENCE):
                connection = await self._open_connection(flow)
                await asyncio.shield(connection.over)
            problem = connection.problem
        except (OSError, ValueError) as error:  # the timeout; a name that could be nobody's
            problem = getattr(error, "strerror", None) or problem
        waiting = self._opening.pop((flow.remote, flow.domain), ())
        if connection is None or not connection.is_standing:
            self._tell(flow, problem)
            for each in {each for _, each in waiting}:
                self._on_lost(each)
            return
        self._by_place[flow.remote, flow.domain] = connection  # the address may be a name
        for data, each in waiting:
            connection.uses.add(each)
            connection.write(data)

    async def _open_connection(self, flow: Flow) -> Connection:
        loop = asyncio.get_running_loop()
        ours = replace(flow, local=self.local, id=next(self._numbers))

        def make() -> Connection:
            return Connection(
                self, ours, self._framer(), lambda: self._client_tls(flow.domain), is_ours=True
            )

        if self._source is not None and (sock := await self._from_kept_port(flow)) is not None:
            _, connection = await loop.create_connection(make, sock=sock)
        else:
            _, connection = await loop.create_connection(
                make, *flow.remote, local_addr=self._own_end(flow)
            )
        return connection

    def _own_end(self, flow: Flow) -> Address | None:
        """Return where a connection begins that we open: at the address we are bound to.

        Nothing where that is no single one, or can never reach the far end.
        """
        host, _ = self.local
        ours, theirs = _ip_address(host), _ip_address(flow.remote[0])
        if ours is None or theirs is None or ours.is_unspecified:
            return None
        is_within = ours.is_loopback and not theirs.is_loopback
        return None if is_within or ours.version != theirs.version else (host, 0)

    async def _from_kept_port(self, flow: Flow) -> socket.socket | None:
        """Connect from our own port; nothing where the system does not let us just now."""
        sock = _socket(*self.local)
        try:
            await asyncio.get_running_loop().sock_connect(sock, flow.remote)
        except BaseException as error:
            sock.close()
            if isinstance(error, OSError):
                return None
            raise
        return sock

    def _tell_of_refused(self, connection: Connection) -> None:
        """Tell the log who could not agree on TLS with us, though not of each."""
        problem, host = connection.problem, connection.flow.remote[0]
        if connection.is_ours or not self._is_secure or problem == CLOSED:
            return
        more = self._refused.unsaid(problem, _now())
        if more is not None:
            structlog.get_logger().warning(
                "connection refused",
                address=f"{self.transport}:{host}",
                problem=problem,
                more=more,
            )

    def _tell(self, flow: Flow, problem: str) -> None:
        """Tell the log why a connection came to nothing."""
        host, port = flow.remote
        structlog.get_logger().warning(
            "no connection",
            to=flow.domain or host,
            address=f"{self.transport}:{host}:{port}",
            problem=problem,
        )


def _socket(host: str, port: int) -> socket.socket:
    """Return a bound socket whose port may be shared with others of its kind."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    return sock


def _ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _now() -> float:
    return asyncio.get_running_loop().time()

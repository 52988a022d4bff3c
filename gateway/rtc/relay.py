"""A TURN allocation as a base (RFC 8656), by aioice's client, and the shuttles to a lane.

A lane is met by plain datagrams at its port.  So each peer that is reached over the relay has a
small socket of ours on the lane's host, as which the lane meets it: what the relay brings of that
peer goes to the lane from there, and what the lane sends there goes to the peer.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
import time
from typing import Any, Final

from aioice import Candidate, stun
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.turn import (
    DEFAULT_ALLOCATION_LIFETIME,
    DEFAULT_CHANNEL_REFRESH_TIME,
    TurnClientTcpProtocol,
    TurnClientUdpProtocol,
)

from ..rtp.stun import is_stun
from .bases import Address, Base
from .servers import Server, ServerAddress

__all__ = ["Relay", "allocate"]

_MOST_SHUTTLES: Final = 8
"""Peers met over one relay."""
_MOST_WAITING: Final = 32
"""Datagrams that wait until the relay knows a peer."""
_PASSES: Final = 16
_DATAGRAM: Final = 2048
_GOODBYE: Final = 1.0
_HEADER: Final = struct.Struct("!HH")


class Shuttle:
    """One peer of a relay, as a lane meets it."""

    def __init__(self, relay: "Relay", peer: Address, lane: Address) -> None:
        family = socket.AF_INET6 if ":" in lane[0] else socket.AF_INET
        self._socket = sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.bind((lane[0], 0))
            sock.connect(lane)
        except OSError:
            sock.close()
            raise
        self.address: Address = sock.getsockname()[:2]
        self._relay = relay
        self._peer = peer
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self._fetch)

    def bring(self, data: bytes) -> None:
        """Let the lane have what the peer sent."""
        with contextlib.suppress(OSError):  # a full buffer: as on any network
            self._socket.send(data)

    def _fetch(self) -> None:
        with contextlib.suppress(OSError):
            for _ in range(_PASSES):
                self._relay.send(self._socket.recv(_DATAGRAM), self._peer)

    def close(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()


class _Ear(asyncio.DatagramProtocol):
    """Where aioice's client puts what peers sent."""

    def __init__(self, relay: "Relay") -> None:
        self._relay = relay

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._relay.hear(data, addr)


class Relay(Base):
    """An allocation at a TURN server."""

    def __init__(
        self,
        client: TurnClientTcpProtocol | TurnClientUdpProtocol,
        candidate: Candidate,
        lane: Address,
    ) -> None:
        super().__init__([candidate], self._send)
        self.dropped = 0  # datagrams of peers that are not met, or while one is made known
        self._client = client
        self._lane = lane
        self._shuttles: dict[Address, Shuttle] = {}
        self._waiting: set[asyncio.Task[None]] = set()
        client.receiver = _Ear(self)

    def lane_address_of(self, peer: Address) -> Address:
        """Return under which address the lane meets a peer; the first few peers are met."""
        shuttle = self._shuttles.get(peer)
        if shuttle is None:
            if len(self._shuttles) >= _MOST_SHUTTLES:
                return peer
            shuttle = self._shuttles[peer] = Shuttle(self, peer, self._lane)
        return shuttle.address

    def hear(self, data: bytes, source: Address) -> None:
        """Take what a peer sent to the relay."""
        if is_stun(data):
            self.receive(data, source)
        elif (shuttle := self._shuttles.get(source)) is not None:
            shuttle.bring(data)
        else:
            self.dropped += 1

    def _send(self, data: bytes, peer: Address) -> None:
        client = self._client
        if client.transport.is_closing():
            return
        channel = client.peer_to_channel.get(peer)
        if channel is not None and time.time() <= client.channel_refresh_at[channel]:
            client._send(_HEADER.pack(channel, len(data)) + data)
        elif len(self._waiting) >= _MOST_WAITING:
            self.dropped += 1
        else:
            task = asyncio.create_task(self._introduce(data, peer))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)

    async def _introduce(self, data: bytes, peer: Address) -> None:
        """Send by way of the client, which makes the peer known to the server first."""
        try:
            await self._client.send_data(data, peer)
        except (OSError, stun.TransactionError):
            self.dropped += 1

    async def close(self) -> None:
        """Give the allocation back."""
        for shuttle in self._shuttles.values():
            shuttle.close()
        self._shuttles.clear()
        for task in tuple(self._waiting):
            task.cancel()
        with contextlib.suppress(OSError, TimeoutError, stun.TransactionError):
            async with asyncio.timeout(_GOODBYE):
                await self._client.delete()


async def allocate(server: Server, at: ServerAddress, lane: Address, *, hides: bool) -> Relay:
    """Ask a TURN server for an address of ours; ``hides`` says that nobody is told our own.

    Raises:
        OSError: The server cannot be reached.
        aioice.stun.TransactionError: It does not want us.

    """
    loop = asyncio.get_running_loop()
    kind = TurnClientTcpProtocol if at.is_tcp else TurnClientUdpProtocol
    transport: asyncio.BaseTransport
    client = kind(
        (at.host, at.port),
        username=server.username,
        password=server.credential,
        lifetime=DEFAULT_ALLOCATION_LIFETIME,
        channel_refresh_time=DEFAULT_CHANNEL_REFRESH_TIME,
    )
    if at.is_tcp:
        context = ssl.create_default_context() if at.scheme == "turns" else None
        transport, _ = await loop.create_connection(lambda: client, at.host, at.port, ssl=context)
    else:
        transport, _ = await loop.create_datagram_endpoint(
            lambda: client, remote_addr=(at.host, at.port)
        )
        client.server = transport.get_extra_info("peername")[:2]
    try:
        host, port = await client.connect()
        seen = client.mapped_address or (host, port)
    except BaseException:
        transport.close()
        raise
    related = ("::" if ":" in host else "0.0.0.0", 9) if hides else seen
    candidate = Candidate(
        foundation=candidate_foundation("relay", "udp", host),
        component=1,
        transport="udp",
        priority=candidate_priority(1, "relay"),
        host=host,
        port=port,
        type="relay",
        related_address=related[0],
        related_port=related[1],
    )
    return Relay(client, candidate, lane)

"""Finds out under which address the outside world sees our SIP sockets, and keeps it up to date."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from ...clock import Ids, RandomIds, monotonic
from ..ways.binding import Binding
from ..ways.locate import family_of
from ..wire.uri import Uri
from .address import Address, Advertiser
from .resolver import Resolver
from .udp import UdpSocket

__all__ = ["Outside"]

_PORT: Final = 3478
_PATIENCE: Final = 3.0  # seconds that the first answer is waited for
_RETRY: Final = 30.0  # seconds until a server is asked again that did not answer


class Outside:
    """Has a STUN server tell our address, at once and every five minutes.

    Args:
        server: The STUN server, ``stun:HOST[:PORT]``.
        resolver: Looks its name up.
        advertise: Who is told.
        on_change: Called when it is another than before.

    """

    def __init__(
        self,
        server: str,
        resolver: Resolver,
        advertise: Advertiser,
        ids: Ids | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.server = server
        self.seen: dict[Address, Address] = {}  # by the addresses of our sockets
        self._resolver = resolver
        self._advertise = advertise
        self._on_change = on_change
        self._ids = ids or RandomIds()
        self._has_complained = False
        self._tasks: list[asyncio.Task[None]] = []
        self._log = structlog.get_logger()

    async def start(self, sockets: Sequence[UdpSocket]) -> None:
        """Ask from each socket; returns with the first answers, or after a few seconds without."""
        heard = [asyncio.Event() for _ in sockets]
        self._tasks = [
            asyncio.create_task(self._keep(socket, event), name=f"stun {socket.local}")
            for socket, event in zip(sockets, heard, strict=True)
        ]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                for event in heard:
                    await event.wait()
        if not self.seen:
            self._complain()

    async def close(self) -> None:
        """Ask no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, socket: UdpSocket, heard: asyncio.Event) -> None:
        """Ask from one socket for as long as it is open."""
        while True:
            server = await self._find(socket)
            if server is not None:
                await self._ask(socket, server, heard)
            heard.set()
            if server is not None or not self.seen:  # it need not have both families
                self._complain()
            await asyncio.sleep(_RETRY)

    async def _ask(self, socket: UdpSocket, server: Address, heard: asyncio.Event) -> None:
        """Ask a server as long as it answers."""
        binding = Binding(self._ids, monotonic())
        news = asyncio.Event()

        def receive(data: bytes, source: Address) -> None:
            if source == server:
                binding.receive(data, monotonic())
                news.set()

        socket.on_stun = receive
        while not binding.is_silent:
            binding.wake(monotonic())
            for data in binding.data_to_send():
                socket.send_to(data, server)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, binding.deadline - monotonic())):
                    await news.wait()
            news.clear()
            if binding.seen is not None:
                self._learn(socket, binding.seen)
                heard.set()

    async def _find(self, socket: UdpSocket) -> Address | None:
        """Return the server's address, of the family of a socket."""
        uri = Uri.parse(self.server.replace("stun:", "sip:", 1))
        uri = uri.replace(port=uri.port or _PORT)  # with a port nothing but addresses is asked for
        found = await self._resolver.targets(uri, [("udp", family_of(socket.local[0]))])
        return (found[0].host, found[0].port) if found else None

    def _learn(self, socket: UdpSocket, seen: Address) -> None:
        self._has_complained = False
        if self.seen.get(socket.local) != seen:
            self.seen[socket.local] = seen
            self._advertise.learn(socket.local, seen)
            self._on_change()
            self._log.info("our address as seen from outside", host=seen[0], port=seen[1])

    def _complain(self) -> None:
        if not self._has_complained:
            self._has_complained = True
            known = "the address known so far" if self.seen else "our own address"
            problem = f"no answer from the STUN server: peers are told {known}"
            self._log.warning(problem, server=self.server)

"""The socket of the HTTP server: so many connections at most, and none for who is idle by it.

Idle is who says nothing at first, and who does not take what they asked for.  Where there is no
room left, a few more connections are for those who ask how the gateway is: whoever watches over
it is to hear that it lives.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from ..calls.pace import sharers_of
from ..config import is_loopback
from .connection import Connection

__all__ = ["Bounds", "Listener"]

_LOOKS: Final = 4  # in the shortest time that there is
_SHARE_OF_SPARE: Final = 4  # the part of those that one address may have


@dataclass(frozen=True, slots=True)
class Bounds:
    """What there is for everybody.

    Attributes:
        most: connections.
        most_of_one: connections of one address (IPv6: of one /64).
        spare: connections beyond those, each for one question after the gateway's health.
        first_words: seconds for the first request to be there.
        spare_words: the same for one that is spare, and for all that there is to it.
        stalled: seconds in which something is to be taken of an answer.

    """

    most: int = 1000
    most_of_one: int = 250
    spare: int = 24
    first_words: float = 10.0
    spare_words: float = 2.0
    stalled: float = 10.0


class Listener:
    """Accepts connections for an aiohttp server.

    Args:
        accept: Makes the handler of a connection.
        is_proxy: Tells of an address whether many come by it.

    Attributes:
        refused: connections for which there was no room.
        silent: connections that were closed because nothing came.
        stalled: connections that were closed because nothing was taken.

    """

    def __init__(
        self,
        accept: web.Server,
        bounds: Bounds,
        *,
        is_proxy: Callable[[str], bool] = lambda address: False,
    ) -> None:
        self.refused = 0
        self.silent = 0
        self.stalled = 0
        self._accept = accept
        self._bounds = bounds
        self._is_proxy = is_proxy
        self._live: dict[asyncio.BaseProtocol, Connection] = {}  # by what handles them
        self._regular = 0  # of them that are not spare
        self._shares: Counter[tuple[str, bool]] = Counter()  # whose, and whether they are spare
        self._looking: asyncio.TimerHandle | None = None
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        assert self._server is not None, "it is not open"
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    async def open(self, host: str, port: int) -> None:
        """Bind.

        Raises:
            OSError: The address is taken or not ours.

        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._make, host, port)
        self._look_later()

    def close(self) -> None:
        """Accept no more."""
        if self._server is not None:
            self._server.close()
        if self._looking is not None:
            self._looking.cancel()

    def note(self, handler: asyncio.BaseProtocol) -> None:
        """Take the news that a request has come by a connection."""
        if (connection := self._live.get(handler)) is not None:
            connection.has_spoken = True

    def is_spare(self, handler: asyncio.BaseProtocol) -> bool:
        """Tell whether a connection is for a question after the gateway's health alone."""
        connection = self._live.get(handler)
        return connection is not None and connection.is_spare

    def _make(self) -> asyncio.BaseProtocol:
        return Connection(self._accept(), self._admit, self._forget)

    def _admit(self, connection: Connection) -> bool:
        """Take a connection in, if there is room; that may be a spare one."""
        bounds, who = self._bounds, sharers_of(connection.address)
        is_many = is_loopback(connection.address) or self._is_proxy(connection.address)
        has_share = is_many or self._shares[who, False] < bounds.most_of_one
        connection.is_spare = not (has_share and self._regular < bounds.most)
        if connection.is_spare and (
            len(self._live) - self._regular >= bounds.spare
            or self._shares[who, True] >= max(1, bounds.spare // _SHARE_OF_SPARE)
        ):
            self.refused += 1
            return False
        self._live[connection.handler] = connection
        self._shares[who, connection.is_spare] += 1
        self._regular += not connection.is_spare
        return True

    def _forget(self, connection: Connection) -> None:
        if self._live.pop(connection.handler, None) is None:
            return
        share = sharers_of(connection.address), connection.is_spare
        self._shares[share] -= 1
        if not self._shares[share]:
            del self._shares[share]
        self._regular -= not connection.is_spare

    def _look_later(self) -> None:
        bounds = self._bounds
        shortest = min(bounds.first_words, bounds.spare_words, bounds.stalled)
        loop = asyncio.get_running_loop()
        self._looking = loop.call_later(shortest / _LOOKS, self._look)

    def _look(self) -> None:
        """End the connections that are idle for long enough."""
        now, bounds = asyncio.get_running_loop().time(), self._bounds
        for connection in tuple(self._live.values()):
            age = now - connection.made_at
            if connection.seconds_stalled(now) >= bounds.stalled:
                self.stalled += 1
                connection.abort()
            elif connection.is_spare and age >= bounds.spare_words:
                connection.abort()
            elif not connection.has_spoken and age >= bounds.first_words:
                self.silent += 1
                connection.abort()
        self._look_later()

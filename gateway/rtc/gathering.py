"""Where we can be reached: addresses of this machine, as others see them, and relays."""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from aioice import Candidate, stun
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import get_host_addresses

from ..errors import RtcError
from .bases import Address, Base
from .relay import Relay, allocate
from .servers import Server, ServerAddress

__all__ = ["Gatherer"]

PATIENCE: Final = 2.0
"""Seconds that servers are waited for: a caller waits for our answer."""
_MOST_ADDRESSES: Final = 8
_MOST_SERVERS: Final = 8
_UNSPECIFIED: Final = ("0.0.0.0", "::")
_BEST: Final = 65_535  # the preference of one address over the next (RFC 8445 section 5.1.2)


@dataclass(frozen=True, slots=True)
class Gatherer:
    """Asks around for one lane.

    Attributes:
        lane: the address that the lane's sound is bound to.
        external_ips: addresses whose port of the same number is forwarded to us.
        servers: STUN and TURN servers.
        is_relay_only: nothing but relays is used, and nothing else is told.

    """

    lane: Address
    external_ips: Sequence[str] = ()
    servers: Sequence[Server] = ()
    is_relay_only: bool = False

    def hosts(self) -> list[Candidate]:
        """Return the addresses that the lane's socket has by itself, the best first.

        Raises:
            RtcError: An external address is none.

        """
        host, port = self.lane
        is_ipv6 = ":" in host
        own = [host]
        if host in _UNSPECIFIED:
            own = get_host_addresses(use_ipv4=not is_ipv6, use_ipv6=is_ipv6)[:_MOST_ADDRESSES]
            own = own or ["::1" if is_ipv6 else "127.0.0.1"]
        try:
            outside = [str(ipaddress.ip_address(ip)) for ip in self.external_ips]
        except ValueError as error:
            raise RtcError(f"an external address is none: {error}") from error
        seen = [ip for ip in outside if (":" in ip) == is_ipv6 and ip not in own]
        found = [_candidate("host", (ip, port), _BEST - n) for n, ip in enumerate(own)]
        return found + [_candidate("srflx", (ip, port), _BEST, found[0]) for ip in seen]

    async def ask(self, lane: Base, relays: list[Relay]) -> None:
        """Ask every server; what STUN tells is added to ``lane``, what TURN gives to ``relays``.

        Servers that do not answer in time are passed over.

        Raises:
            RtcError: One of them is none that could be asked.

        """
        asked = [(one, ServerAddress.parse(url)) for one in self.servers for url in one.urls]
        tasks = [
            asyncio.create_task(self._ask_one(*one, lane, relays)) for one in asked[:_MOST_SERVERS]
        ]
        if not tasks:
            return
        try:
            await asyncio.wait(tasks, timeout=PATIENCE)
        finally:
            for task in tasks:
                task.cancel()
        log = structlog.get_logger()
        for problem in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(problem, OSError | stun.TransactionError | asyncio.CancelledError):
                told = repr(problem)
                log.warning("a STUN or TURN server does not help", error=told)
            elif problem is not None:
                raise problem

    async def _ask_one(
        self, server: Server, address: ServerAddress, lane: Base, relays: list[Relay]
    ) -> None:
        if address.scheme != "stun":
            meeting = _meeting(self.lane)
            relays.append(await allocate(server, address, meeting, hides=self.is_relay_only))
        elif not self.is_relay_only:
            await self._reflect(lane, address)

    async def _reflect(self, lane: Base, server: ServerAddress) -> None:
        """Add the address at which a server sees us, if it is a new one."""
        family = socket.AF_INET6 if ":" in self.lane[0] else socket.AF_INET
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(
            server.host, server.port, family=family, type=socket.SOCK_DGRAM
        )
        seen = await lane.ask(found[0][4][:2])  # type: ignore[arg-type]
        if all(seen != (one.host, one.port) for one in lane.candidates):
            lane.candidates.append(_candidate("srflx", seen, _BEST, lane.candidates[0]))


def _candidate(
    kind: str, address: Address, preference: int, base: Candidate | None = None
) -> Candidate:
    return Candidate(
        foundation=candidate_foundation(kind, "udp", base.host if base else address[0]),
        component=1,
        transport="udp",
        priority=candidate_priority(1, kind, preference),
        host=address[0],
        port=address[1],
        type=kind,
        related_address=base.host if base else None,
        related_port=base.port if base else None,
    )


def _meeting(lane: Address) -> Address:
    """Return where on this machine the lane is met."""
    host, port = lane
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port

"""SIP over UDP: one message a datagram (RFC 3261 section 18)."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from ..binding import is_stun
from ..flow import Flow
from .address import Address, Bind

__all__ = ["UdpSocket"]

_LARGEST: Final = 65_507  # what one IPv4 datagram can carry
_KEEP_ALIVE: Final = 4  # bytes; shorter datagrams hold no message (RFC 5626 section 3.5.1)


class UdpSocket(asyncio.DatagramProtocol):
    """One bound socket."""

    transport: Final = "udp"
    is_listening: Final = True

    def __init__(self, on_message: Callable[[bytes, Flow], None]) -> None:
        self.local: Address = ("", 0)
        self.counters = {"udp_too_large": 0, "udp_errors": 0}
        self.on_stun: Callable[[bytes, Address], None] | None = None
        self._on_message = on_message
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, bind: Bind) -> None:
        """Bind the socket."""
        loop = asyncio.get_running_loop()
        address = (bind.host, bind.port)
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=address)

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one message; one that no datagram can hold is counted and dropped."""
        self.send_to(data, flow.remote)

    def send_to(self, data: bytes, remote: Address) -> None:
        """Send one datagram."""
        if len(data) > _LARGEST:
            self.counters["udp_too_large"] += 1
        elif self._transport is not None:
            self._transport.sendto(data, remote)

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the address the system gave us."""
        self.local = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Hand a message on."""
        if is_stun(data):
            if self.on_stun is not None:
                self.on_stun(data, (addr[0], addr[1]))
        elif len(data) > _KEEP_ALIVE:
            self._on_message(data, Flow("udp", self.local, (addr[0], addr[1])))

    def error_received(self, exc: Exception) -> None:
        """Count what the system says of a datagram sent earlier; transactions find out in time."""
        del exc
        self.counters["udp_errors"] += 1

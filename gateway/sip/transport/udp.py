"""SIP over UDP: one message a datagram (RFC 3261 section 18)."""

import asyncio
import errno
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any, Final

from ..flow import Flow
from ..ways.binding import is_stun
from .address import Address, Bind

__all__ = ["UdpSocket"]

_LARGEST: Final = 65_507  # what one IPv4 datagram can carry
# Linux tells by these of datagrams that were refused, and of which (ip(7), ipv6(7)).
_TELL_ERRORS: Final = {
    socket.AF_INET: (socket.IPPROTO_IP, 11),  # IP_RECVERR
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25),  # IPV6_RECVERR
}
_REFUSALS: Final = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH)
_ERROR_SPACE: Final = 512  # bytes of what is told of one
_MOST_ERRORS: Final = 64  # read at a time
_KEEP_ALIVE: Final = 4  # bytes; shorter datagrams hold no message (RFC 5626 section 3.5.1)


class UdpSocket(asyncio.DatagramProtocol):
    """One bound socket."""

    transport: Final = "udp"
    is_listening: Final = True

    def __init__(
        self,
        on_message: Callable[[bytes, Flow], None],
        on_refused: Callable[[Flow], None] = lambda flow: None,
    ) -> None:
        self.local: Address = ("", 0)
        self.counters = {"udp_too_large": 0, "udp_errors": 0}
        self.on_stun: Callable[[bytes, Address], None] | None = None
        self._on_message = on_message
        self._on_refused = on_refused
        self._socket: socket.socket | None = None
        self._has_failed = False  # to send, just now
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, bind: Bind) -> None:
        """Bind the socket."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(bind.host, bind.port, type=socket.SOCK_DGRAM)
        family, _, _, _, address = found[0]
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            if sys.platform == "linux":
                self._socket.setsockopt(*_TELL_ERRORS[family], 1)
            self._socket.bind(address)
            self._transport, _ = await loop.create_datagram_endpoint(
                lambda: self, sock=self._socket
            )
        except BaseException:
            self._socket.close()
            raise

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one message; one that no datagram can hold is counted and dropped."""
        self.send_to(data, flow.remote)

    def send_to(self, data: bytes, remote: Address) -> None:
        """Send one datagram."""
        if len(data) > _LARGEST:
            self.counters["udp_too_large"] += 1
        elif self._transport is not None:
            self._has_failed = False
            self._transport.sendto(data, remote)
            if self._has_failed:  # it may have been told what became of an earlier one
                self._has_failed = False
                self._transport.sendto(data, remote)
                if self._has_failed:
                    self._refuse(remote)

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
        """Take in what the system says of this datagram or an earlier one, and of which."""
        del exc
        self._has_failed = True
        self.counters["udp_errors"] += 1
        if self._socket is None or sys.platform != "linux":
            return
        for _ in range(_MOST_ERRORS):
            try:
                _, told, _, remote = self._socket.recvmsg(
                    0, _ERROR_SPACE, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT
                )
            except OSError:
                return  # that was all
            if any(struct.unpack_from("@I", data)[0] in _REFUSALS for _, _, data in told):
                self._refuse(remote[:2])

    def _refuse(self, remote: Address) -> None:
        """Say that nobody is there, but not to who is in the middle of sending."""
        flow = Flow("udp", self.local, remote)
        asyncio.get_running_loop().call_soon(self._on_refused, flow)

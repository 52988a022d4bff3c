"""Port pairs: an even port for RTP and the next for RTCP, one pair a lane (RFC 3550 section 11).

A closed lane's pair stays bound for a while, so that what its peer still sends is drained
and nobody else's call gets it; only then is it handed out again.
"""

import contextlib
import socket
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from ..clock import Ids, RandomIds
from ..errors import CapacityError, ConfigError

__all__ = ["Address", "Link", "Port", "PortPair", "PortPool", "bind_udp", "link_udp"]

Address = tuple[str, int]

LINGER: Final = 10.0
"""Seconds a closed pair is drained before another lane may have it."""

_BUFFER: Final = 64 * 1024  # bytes the kernel keeps of a socket nobody reads for a while

_EXPEDITED: Final = 0xB8  # the code point of telephony, RFC 4594 section 2.3
_TRAFFIC_CLASS: Final[dict[int, tuple[int, int]]] = {
    socket.AF_INET: (socket.IPPROTO_IP, socket.IP_TOS),
    socket.AF_INET6: (socket.IPPROTO_IPV6, socket.IPV6_TCLASS),
}


class Port(Protocol):
    """What the engine needs of a UDP socket; it never blocks."""

    def fileno(self) -> int:
        """Return the number the poller knows it by."""
        ...

    def recvfrom_into(self, buffer: memoryview, /) -> tuple[int, Address]:
        """Read one datagram, or raise ``BlockingIOError``."""
        ...

    def sendto(self, data: memoryview | bytes, address: Address, /) -> int:
        """Send one datagram."""
        ...

    def close(self) -> None:
        """Give the port back to the system."""
        ...


class Link(Port, Protocol):
    """A second socket at a port, for one peer alone."""

    def recv_into(self, buffer: memoryview, /) -> int:
        """Read one of the peer's datagrams, or raise ``BlockingIOError``."""
        ...

    def send(self, data: memoryview | bytes, /) -> int:
        """Send the peer one datagram."""
        ...


class PortPair:
    """The two sockets of a lane."""

    __slots__ = ("host", "number", "released_at", "rtcp", "rtp")

    def __init__(self, host: str, number: int, rtp: Port, rtcp: Port) -> None:
        self.host = host
        self.number = number
        self.rtp = rtp
        self.rtcp = rtcp
        self.released_at = 0.0

    def close(self) -> None:
        """Unbind both ports."""
        self.rtp.close()
        self.rtcp.close()


def bind_udp(host: str, port: int) -> Port:
    """Bind a non-blocking UDP socket."""
    sock = _udp(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        sock.bind((host, port))
    except BaseException:
        sock.close()
        raise
    return sock


def link_udp(port: Port, peer: Address) -> Link | None:
    """Return a second socket at a port, for one peer alone; ``None`` where there can be none.

    The kernel gives it what the peer sends, and the port all else.  Addresses are shared
    only for the moment of binding: nobody else can bind to the port before or after.
    """
    if not isinstance(port, socket.socket):
        return None
    link: socket.socket | None = None
    try:
        link = _udp(port.family)
        _share(port, True)
        _share(link, True)
        link.bind(port.getsockname())
        link.connect(peer)
        _share(link, False)
    except OSError:  # no file left, say: the port can do without
        if link is not None:
            link.close()
        return None
    finally:
        _share(port, False)
    return link


def _udp(family: int) -> socket.socket:
    """Make a non-blocking UDP socket for telephony."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    with contextlib.suppress(OSError):  # a wish, which the host may refuse
        sock.setsockopt(*_TRAFFIC_CLASS[family], _EXPEDITED)
    return sock


def _share(sock: socket.socket, is_shared: bool) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, is_shared)


class PortPool:
    """Hands out port pairs of ``span`` ("10000-20000") on ``host``, each to one lane at a time."""

    def __init__(
        self,
        span: str,
        host: str = "127.0.0.1",
        *,
        bind: Callable[[str, int], Port] = bind_udp,
        ids: Ids | None = None,
        linger: float = LINGER,
    ) -> None:
        self.host = host
        self._bind = bind
        self._linger = linger
        first, last = _bounds(span)
        numbers = list(range(first, last, 2))
        # An outsider should not know where the next call's audio arrives (RFC 6056).
        start = (ids or RandomIds()).number(len(numbers))
        self._unbound = deque(numbers[start:] + numbers[:start])
        self._draining: deque[PortPair] = deque()
        self.capacity = len(numbers)
        self.taken = 0

    def take(self, now: float) -> PortPair:
        """Return a pair that nobody uses.

        Raises:
            CapacityError: Every pair is in use, draining, or some other program's.

        """
        pair: PortPair | None
        if self._draining and now - self._draining[0].released_at >= self._linger:
            pair = self._draining.popleft()
        else:
            pair = self._bind_next()
        if pair is None:
            raise CapacityError(self._shortage(now))
        self.taken += 1
        return pair

    def release(self, pair: PortPair, now: float) -> None:
        """Take a pair back; it stays bound, to be drained."""
        pair.released_at = now
        self.taken -= 1
        self._draining.append(pair)

    def close(self) -> None:
        """Unbind every pair that is not in use."""
        while self._draining:
            self._draining.popleft().close()

    def _shortage(self, now: float) -> str:
        told = f"no free RTP port pair on {self.host}: {self.taken} in use"
        if self._draining:
            left = self._draining[0].released_at + self._linger - now
            told += f", {len(self._draining)} resting (the first for {left:.1f} s more)"
        return f"{told}; widen media.ports"

    def _bind_next(self) -> PortPair | None:
        unbound = self._unbound
        for _ in range(len(unbound)):
            number = unbound.popleft()
            if (rtp := self._try(number)) is not None:
                if (rtcp := self._try(number + 1)) is not None:
                    return PortPair(self.host, number, rtp, rtcp)
                rtp.close()
            unbound.append(number)
        return None

    def _try(self, number: int) -> Port | None:
        try:
            return self._bind(self.host, number)
        except OSError:  # another program's
            return None


def _bounds(span: str) -> tuple[int, int]:
    """Return the first even port and the end (exclusive) of "LOW-HIGH"."""
    low, dash, high = span.partition("-")
    try:
        first, last = int(low), int(high)
    except ValueError:
        first, last = -1, -1
    first += first % 2
    if not (dash and 0 < first < last <= 65535):
        raise ConfigError(
            f'media.ports: "{span}" holds no port pair; write "LOW-HIGH", such as "10000-20000"'
        )
    return first, last

"""Addresses to listen on, and those to tell others."""

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias, cast, get_args

from ...errors import ConfigError
from ..flow import Flow, Transport, default_port
from ..ways.locate import Family, family_of

__all__ = ["Address", "Advertiser", "Bind", "is_unspecified"]

Address: TypeAlias = tuple[str, int]

_MOST_REMEMBERED: Final = 1024


@dataclass(frozen=True, slots=True)
class Bind:
    """A transport and the address it listens on, written ``udp:127.0.0.1:5060``."""

    transport: Transport
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Bind":
        """Read ``transport:host:port``; an IPv6 host stands in brackets.

        Raises:
            ConfigError: It is not of that form, or the transport is none we have.

        """
        transport, _, rest = text.partition(":")
        host, _, port = rest.rpartition(":")
        if not host:
            host, port = rest, str(default_port(transport))
        host = host.removeprefix("[").removesuffix("]")
        if transport not in get_args(Transport) or not host or not port.isdecimal():
            raise ConfigError(f"sip.bind: {text!r} is not like 'udp:0.0.0.0:5060'")
        return cls(cast("Transport", transport), host, int(port))


def is_unspecified(host: str) -> bool:
    """Whether ``host`` stands for every address of this machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


class Advertiser:
    """Tells the host and port under which the far end of a flow can reach us.

    ``external_host`` is what the outside world sees of us behind a NAT; peers of
    its family are told it, but neighbours on loopback are not, nor those in ``local_networks``
    unless it lies in one of these itself.  ``secure_host`` is what we are called over TLS:
    some ask for the name in our certificate.
    """

    def __init__(
        self,
        external_host: str | None = None,
        secure_host: str = "",
        local_networks: Iterable[str] = (),
    ) -> None:
        self._secure_host = secure_host
        self._local = [ipaddress.ip_network(each, strict=False) for each in local_networks]
        self._external: dict[Family, str] = {}
        self._learnt: dict[Address, Address] = {}  # of our UDP sockets
        self._remembered: dict[str, str] = {}
        if external_host is not None:
            self._external[family_of(external_host)] = external_host

    def __call__(self, flow: Flow) -> Address:
        """Return host and port for Via and Contact."""
        if flow.is_secure and self._secure_host:
            return self._secure_host, flow.local[1]
        host = self.host_towards(flow.remote[0], flow.local[0])
        learnt = self._learnt.get(flow.local) if flow.transport == "udp" else None
        return learnt if learnt is not None and learnt[0] == host else (host, flow.local[1])

    def learn(self, local: Address, seen: Address) -> None:
        """Take note how the outside world sees one of our UDP sockets."""
        self._learnt[local] = seen
        self._external[family_of(seen[0])] = seen[0]

    def host_towards(self, remote: str, local: str = "0.0.0.0") -> str:
        """Return our address as ``remote`` sees it, for a socket bound to ``local``."""
        external = self._external.get(family_of(remote))
        if external is not None and not self._is_near(remote, external):
            return external
        if not is_unspecified(local):
            return local
        host = self._remembered.get(remote)
        if host is None:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            host = self._remembered[remote] = _source_towards(remote) or local
        return host

    def _is_near(self, remote: str, external: str) -> bool:
        """Whether a neighbour reaches us at our own address, whatever the world sees."""
        if _is_loopback(remote):
            return True
        return self._is_local(remote) and not self._is_local(external)

    def _is_local(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._local)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _source_towards(remote: str) -> str | None:
    """Ask the routing table; nothing is sent."""
    family = socket.AF_INET6 if ":" in remote else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((remote, 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])

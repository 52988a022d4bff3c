"""Proxies that are believed: who asks by them, as they tell it (X-Forwarded-For, RFC 7239)."""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from aiohttp import web

__all__ = ["Proxies"]

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_MOST_HOPS: Final = 16  # the last ones; nobody has more proxies
_NODE: Final = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?|([0-9.]+)(?::\d+)?|([0-9A-Fa-f:.]+)")
_FOR: Final = re.compile(r'(?:^|;)\s*for\s*=\s*("[^"]*"|[^\s;,"]+)\s*(?=;|$)', re.IGNORECASE)


class Proxies:
    """Tells who is behind a proxy.

    Args:
        networks: Addresses and networks of proxies that are believed.

    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = [ipaddress.ip_network(each, strict=False) for each in networks]

    def has(self, address: str) -> bool:
        """Tell whether an address is one of theirs."""
        found = _read(address)
        return found is not None and self._is_ours(found)

    def asker(self, request: web.Request) -> str:
        """Return the address that a request comes from: the last that is none of the proxies'.

        What a proxy tells is believed hop by hop from our end on, as far as it is of proxies.
        Where both headers are there and do not agree, one of them is somebody else's word: the
        proxy's own address is returned.
        """
        peer = request.remote or ""
        if not self.has(peer):
            return peer
        lists = request.headers.getall("X-Forwarded-For", [])
        told = [_last(self._told(peer, _listed(lists)))] if lists else []
        if elements := request.headers.getall("Forwarded", []):
            told.append(_last(self._told(peer, _forwarded(elements))))
        return told[0] if len(set(told)) == 1 else peer

    def _told(self, peer: str, hops: Sequence[str]) -> Iterator[str]:
        """Yield the addresses that are believed, ours first."""
        yield peer
        for hop in reversed(hops[-_MOST_HOPS:]):
            address = _read(hop)
            if address is None:
                return
            yield str(address)
            if not self._is_ours(address):
                return

    def _is_ours(self, address: _Address) -> bool:
        return any(address in network for network in self._networks)


def _read(node: str) -> _Address | None:
    """Read an address, with a port or without; one of IPv4 that is written as IPv6 is of IPv4."""
    found = _NODE.fullmatch(node.strip())
    if found is None:
        return None
    try:
        address = ipaddress.ip_address(found[1] or found[2] or found[3])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _listed(values: Iterable[str]) -> list[str]:
    return ",".join(values).split(",")


def _forwarded(values: Iterable[str]) -> list[str]:
    """Return for whom each element was passed on, empty where it does not say so."""
    found = (_FOR.search(element) for element in ",".join(values).split(","))
    return [one[1].strip('"') if one else "" for one in found]


def _last(addresses: Iterable[str]) -> str:
    *_, last = addresses
    return last

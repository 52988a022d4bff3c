"""Where the next request of a dialog goes, given its next hop and the flow in use."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from ..flow import Flow, default_port
from ..wire.uri import Uri
from .identity import is_named

__all__ = ["Hop", "Way", "flow_of", "flows_towards", "transport_of", "way_towards"]


@dataclass(frozen=True, slots=True)
class Hop:
    """A next hop that is only a name, to be looked up, and the flow in use meanwhile."""

    uri: Uri
    flow: Flow


_REACHED: Final = ("udp", "tcp", "tls")  # by which we open a way to others

Way: TypeAlias = Flow | Hop | Sequence[Flow]
"""Where a request goes: by one flow, to the first of several that answers, or to a name."""


def transport_of(uri: Uri, usual: str = "udp") -> str:
    """Return the transport an address asks for: ``usual`` where it names none.

    What a SIPS URI names is only what lies below TLS (RFC 5630 section 3.1.3,
    RFC 7118 section 5.4).
    """
    named = (uri.params.get("transport") or "").lower()
    if uri.scheme == "sips":
        return "wss" if named.startswith("ws") else "tls"
    if usual == "wss" and named == "ws":
        return "wss"
    return named or usual


def flow_of(way: Way) -> Flow:
    """Return the flow of ``way`` that counts as long as nothing better is known."""
    match way:
        case Flow():
            return way
        case Hop():
            return way.flow
        case _:
            return way[0]


def way_towards(hop: Uri, flow: Flow) -> Flow | Hop:
    """Return the way to ``hop``, keeping to ``flow`` wherever that leads there too.

    A connection is used again rather than a second one opened (RFC 5923).  An
    address from behind the peer's NAT cannot be reached itself: the peer is,
    where it last spoke to us from.  A flow to port 0 is a connection that is gone.
    A browser is reached by its own connection alone (RFC 7118 section 5.2).
    """
    if flow.transport in ("ws", "wss"):
        return flow
    transport = transport_of(hop, flow.transport)
    try:
        address = ipaddress.ip_address(hop.address)
    except ValueError:
        is_reached = hop.host and transport in _REACHED
        return Hop(hop, flow) if is_reached else flow
    if address.is_unspecified:
        return flow
    match transport:
        case "udp" | "tcp" | "tls":
            remote = (str(address), hop.port or default_port(transport))
            # Whoever answers there must be who spoke to us, or have that address in its
            # certificate.
            domain = flow.domain if remote[0] == flow.remote[0] else ""
            way = Flow(transport, flow.local, remote, domain=domain, names=flow.names)
            return _kept(way, flow)
        case _:
            return flow


def flows_towards(hop: Hop, found: Sequence[Flow]) -> list[Flow]:
    """Return the ways to a name that was looked up, the flow in use first if it is one of them.

    A name that leads nowhere, or nowhere but behind the peer's NAT, leaves the flow
    in use; so does a connection whose far end has proven to have that name.
    """
    flow = hop.flow
    is_proven = is_named(hop.uri.address, flow.names) and flow.remote[1] != 0
    if is_proven and transport_of(hop.uri, flow.transport) == flow.transport:
        return [flow]
    flows = [_kept(way, flow) for way in found]
    if flow in flows or not flows:
        flows.insert(0, flow)
    return list(dict.fromkeys(flows))


def _kept(way: Flow, flow: Flow) -> Flow:
    """Return ``flow`` in place of ``way`` where it leads there too, or is the only one to."""
    if (way.transport, way.remote) == (flow.transport, flow.remote):
        return flow
    try:
        address, heard_from = (ipaddress.ip_address(f.remote[0]) for f in (way, flow))
    except ValueError:
        return way
    is_same_host = address == heard_from and way.transport == flow.transport
    is_behind_nat = address.is_private and not heard_from.is_private
    is_reusable = is_same_host and flow.is_reliable and flow.remote[1] != 0
    return flow if is_behind_nat or is_reusable else way

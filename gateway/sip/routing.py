"""Where the next request of a dialog goes, given its next hop and the flow in use."""

import ipaddress

from .flow import Flow, default_port
from .uri import Uri

__all__ = ["flow_towards", "transport_of"]


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


def flow_towards(hop: Uri, flow: Flow) -> Flow:
    """Return the way to ``hop``, keeping to ``flow`` wherever that leads there too.

    A connection is used again rather than a second one opened (RFC 5923).  A hop
    that is only a name, or an address from behind the peer's NAT, cannot be
    reached itself: the peer is, where it last spoke to us from.  A flow to port 0
    is a connection that is gone; then a name is all there is to go by.
    """
    is_gone = flow.is_reliable and flow.remote[1] == 0
    transport = transport_of(hop, flow.transport)
    port = hop.port or default_port(transport)
    if is_gone and not _is_address(hop.address):
        match transport:
            case "tcp" | "tls":
                remote = (hop.address, port)
                domain = hop.address.lower() if transport == "tls" else ""
                return Flow(transport, flow.local, remote, domain=domain, names=flow.names)
            case _:
                return flow
    try:
        address = ipaddress.ip_address(hop.address)
        heard_from = ipaddress.ip_address(flow.remote[0])
    except ValueError:
        return flow
    is_same_host = address == heard_from and transport == flow.transport
    is_behind_nat = address.is_private and not heard_from.is_private
    is_reusable = is_same_host and flow.is_reliable and flow.remote[1] != 0
    if address.is_unspecified or is_behind_nat or is_reusable:
        return flow
    match transport:
        case "udp" | "tcp" | "tls":
            remote = (str(address), port)
        case _:
            return flow
    if transport == flow.transport and remote == flow.remote:
        return flow
    # Whoever answers there must be who spoke to us, or have that address in its certificate.
    domain = flow.domain if address == heard_from else ""
    return Flow(transport, flow.local, remote, domain=domain, names=flow.names)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

"""Where the next request of a dialog goes, given its next hop and the flow in use."""

import ipaddress
from typing import Final

from .flow import Flow
from .uri import Uri

__all__ = ["flow_towards"]

_PORT: Final = 5060


def flow_towards(hop: Uri, flow: Flow) -> Flow:
    """Return the way to ``hop``, keeping to ``flow`` wherever that leads there too.

    A connection is used again rather than a second one opened.  A hop that is
    only a name, or an address from behind the peer's NAT, cannot be reached
    itself: the peer is, where it last spoke to us from.  A flow to port 0 is a
    connection that is gone.
    """
    try:
        address = ipaddress.ip_address(hop.address)
        heard_from = ipaddress.ip_address(flow.remote[0])
    except ValueError:
        return flow
    transport = (hop.params.get("transport") or flow.transport).lower()
    is_same_host = address == heard_from and transport == flow.transport
    is_behind_nat = address.is_private and not heard_from.is_private
    is_reusable = is_same_host and flow.is_reliable and flow.remote[1] != 0
    if address.is_unspecified or is_behind_nat or is_reusable:
        return flow
    match transport:
        case "udp" | "tcp":
            remote = (str(address), hop.port or _PORT)
        case _:
            return flow
    if transport == flow.transport and remote == flow.remote:
        return flow
    return Flow(transport, flow.local, remote)

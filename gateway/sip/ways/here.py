"""What we write of ourselves for the far end of a flow: Via and Contact."""

from collections.abc import Callable

from ...clock import Ids
from ..flow import Flow
from ..wire.headers import BRANCH_COOKIE
from ..wire.message import Request
from ..wire.uri import bracketed

__all__ = ["Here"]


class Here:
    """Our address, as each neighbour sees it."""

    def __init__(self, advertise: Callable[[Flow], tuple[str, int]], ids: Ids) -> None:
        self._advertise = advertise
        self._ids = ids

    def host(self, flow: Flow) -> str:
        """Return our address as the far end of ``flow`` sees it."""
        return self._advertise(flow)[0]

    def contact(self, flow: Flow, scheme: str = "sip", user: str = "") -> str:
        """Return our Contact as the far end of ``flow`` must write it.

        ``scheme`` is that of the address called: who is called by SIPS is found by SIPS
        (RFC 5630 section 5.1.1.1), as long as that is true.
        """
        scheme = scheme if flow.is_secure else "sip"
        named = "ws" if flow.transport == "wss" else flow.transport  # RFC 7118 section 5.4
        transport = "" if named == "udp" else f";transport={named}"
        return f"<{scheme}:{user}{'@' if user else ''}{self._host_port(flow)}{transport}>"

    def via(self, flow: Flow) -> str:
        """Return a Via with a branch that no other request has."""
        branch = BRANCH_COOKIE + self._ids.token()
        transport = flow.transport.upper()
        # TLS alone: whom a connection is used for must be proven (RFC 5923 section 1).
        alias = ";alias" if flow.transport == "tls" else ""
        return f"SIP/2.0/{transport} {self._host_port(flow)};branch={branch};rport{alias}"

    def readdress(self, request: Request, was: Flow, flow: Flow) -> None:
        """Have our Contact, which was written for one flow, say the same for another."""
        old, new = (self.contact(f).removeprefix("<sip:").removesuffix(">") for f in (was, flow))
        contact = request.headers.get("Contact")
        if old != new and contact is not None:
            request.headers.set("Contact", contact.replace(old, new, 1))

    def _host_port(self, flow: Flow) -> str:
        host, port = self._advertise(flow)
        return f"{bracketed(host)}:{port}"

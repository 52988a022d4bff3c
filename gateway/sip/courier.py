"""Carries requests out and brings each response back to whoever awaits it.

Everything above sees only responses: a request nobody answered comes back as
408, one the transport could not carry as 503 (RFC 3261 section 8.1.3.1).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from ..clock import Ids
from .flow import Flow
from .headers import BRANCH_COOKIE
from .message import Headers, Request, Response, response_to
from .timers import Timers
from .transactions import (
    ResponseReceived,
    TransactionLayer,
    TransactionTimedOut,
    TransportFailed,
)

__all__ = ["Courier", "OnResponse"]

OnResponse: TypeAlias = Callable[[Response, float], None]

_LARGEST_DATAGRAM: Final = 1300  # section 18.1.1, path MTU unknown


@dataclass(slots=True)
class _Pending:
    request: Request
    flow: Flow
    on_response: OnResponse
    fallback: Flow | None  # where a request too big for a datagram goes when TCP fails


class Courier:
    """The way from the sessions of one user agent to its transactions."""

    def __init__(
        self,
        layer: TransactionLayer,
        ids: Ids,
        timers: Timers,
        *,
        advertise: Callable[[Flow], tuple[str, int]],
        name: str,
        has_streams: bool = False,
    ) -> None:
        self.ids = ids
        self.timers = timers
        self.name = name
        self._layer = layer
        self._advertise = advertise
        self._has_streams = has_streams
        self._pending: dict[str, _Pending] = {}
        self._leaving: deque[tuple[float, str]] = deque()  # what is to be abandoned, and when

    def contact(self, flow: Flow, scheme: str = "sip") -> str:
        """Return our Contact as the far end of ``flow`` must write it.

        ``scheme`` is that of the address called: who is called by SIPS is found by SIPS
        (RFC 5630 section 5.1.1.1), as long as that is true.
        """
        scheme = scheme if flow.is_secure else "sip"
        host, port = self._host_port(flow)
        named = "ws" if flow.transport == "wss" else flow.transport  # RFC 7118 section 5.4
        transport = "" if named == "udp" else f";transport={named}"
        return f"<{scheme}:{host}:{port}{transport}>"

    def host_towards(self, flow: Flow) -> str:
        """Return our address as the far end of ``flow`` sees it."""
        return self._advertise(flow)[0]

    def send(self, request: Request, flow: Flow, now: float, on_response: OnResponse) -> str:
        """Send a request as a new transaction and return its key."""
        request.headers.set("User-Agent", self.name)
        fallback = None
        if self._is_too_big(request, flow):
            flow, fallback = Flow("tcp", flow.local, flow.remote), flow
        return self._start(request, flow, now, on_response, fallback)

    def cancel(self, key: str, now: float, reason: str = "") -> None:
        """Cancel the INVITE sent under ``key``: same branch, same way (section 9.1)."""
        pending = self._pending.get(key)
        if pending is None:
            return
        invite, headers = pending.request, Headers()
        headers.add("Via", invite.headers.get_all("Via")[0])
        for name in ("Max-Forwards", "Route", "From", "To", "Call-ID"):
            for value in invite.headers.get_all(name):
                headers.add(name, value)
        headers.add("CSeq", f"{invite.cseq.number} CANCEL")
        if reason:
            headers.add("Reason", reason)
        self._layer.send_request(Request("CANCEL", invite.uri, headers), pending.flow, now)

    def abandon(self, key: str) -> None:
        """Wait no more for what comes of the request sent under ``key``."""
        if self._pending.pop(key, None) is not None:
            self._layer.abandon(key)

    def abandon_later(self, key: str, now: float) -> None:
        """Wait 64 × T1 at most for what may still come of the request sent under ``key``."""
        self._leaving.append((now + self.timers.patience, key))

    def acknowledge(self, ack: Request, flow: Flow) -> None:
        """Send the ACK to a 2xx; the same one may be sent again for each repeat."""
        if not ack.headers.get("Via"):
            ack.headers.add_first("Via", self._via(flow))
        self._layer.send_direct(ack, flow)

    def respond(self, key: str, response: Response, now: float) -> None:
        """Answer the request received under ``key``."""
        response.headers.set("Server", self.name)
        self._layer.respond(key, response, now)

    def deliver(
        self, event: ResponseReceived | TransactionTimedOut | TransportFailed, now: float
    ) -> bool:
        """Hand what came of a request to its sender; ``False`` when nobody awaits it."""
        pending = self._pending.get(event.key) if event.key else None
        if pending is None or event.key is None:
            return False
        match event:
            case ResponseReceived(response=response):
                if response.status >= 200:
                    self._forget_soon(event.key, pending.request, response.status, now)
            case TransactionTimedOut():
                del self._pending[event.key]
                response = response_to(pending.request, 408)
            case TransportFailed():
                del self._pending[event.key]
                if pending.fallback is not None:
                    pending.request.headers.remove("Via")
                    flow, on_response = pending.fallback, pending.on_response
                    self._start(pending.request, flow, now, on_response, None)
                    return True
                response = response_to(pending.request, 503)
        pending.on_response(response, now)
        return True

    @property
    def deadline(self) -> float | None:
        """When :meth:`sweep` must next be called, or ``None`` for never."""
        return self._leaving[0][0] if self._leaving else None

    def sweep(self, now: float) -> None:
        """Abandon what has been given its last 64 × T1."""
        while self._leaving and self._leaving[0][0] <= now:
            self.abandon(self._leaving.popleft()[1])

    def _start(
        self,
        request: Request,
        flow: Flow,
        now: float,
        on_response: OnResponse,
        fallback: Flow | None,
    ) -> str:
        request.headers.add_first("Via", self._via(flow))
        key = self._layer.send_request(request, flow, now)
        self._pending[key] = _Pending(request, flow, on_response, fallback)
        return key

    def _forget_soon(self, key: str, request: Request, status: int, now: float) -> None:
        if request.method == "INVITE" and status < 300:
            self.abandon_later(key, now)  # its 2xx may be repeated that long
        else:
            del self._pending[key]

    def _is_too_big(self, request: Request, flow: Flow) -> bool:
        via = 80  # what the Via to come will add
        is_datagram = self._has_streams and flow.transport == "udp"
        return is_datagram and len(bytes(request)) + via > _LARGEST_DATAGRAM

    def _via(self, flow: Flow) -> str:
        host, port = self._host_port(flow)
        branch = BRANCH_COOKIE + self.ids.token()
        # TLS alone: whom a connection is used for must be proven (RFC 5923 section 1).
        alias = ";alias" if flow.transport == "tls" else ""
        return f"SIP/2.0/{flow.transport.upper()} {host}:{port};branch={branch};rport{alias}"

    def _host_port(self, flow: Flow) -> tuple[str, int]:
        host, port = self._advertise(flow)
        return (f"[{host}]" if ":" in host else host), port

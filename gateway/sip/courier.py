"""Carries requests out and brings each response back to whoever awaits it.

Everything above sees only responses: a request nobody answered comes back as
408, one the transport could not carry as 503 (RFC 3261 section 8.1.3.1).  What
is asked for a password is sent again with it, the same way (section 22.2).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ..clock import Ids
from .account import Account, Tries
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
    """A request on its way, through however many transactions that takes."""

    request: Request
    flow: Flow
    on_response: OnResponse
    fallback: Flow | None  # where a request too big for a datagram goes when TCP fails
    account: Account | None
    renumber: Callable[[], int] | None
    handle: str = ""  # the key of its first transaction
    key: str = ""  # of the one that carries it now
    tries: Tries = field(default_factory=Tries)
    is_heard: bool = False  # something came back by that transaction, so it may be cancelled
    is_final: bool = False  # it is not sent again, whatever comes of it
    cancel_reason: str | None = None  # it is to be cancelled as soon as it may be


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
        self._pending: dict[str, _Pending] = {}  # by the key of the transaction
        self._sent: dict[str, _Pending] = {}  # the same, by what their senders call them
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

    def send(
        self,
        request: Request,
        flow: Flow,
        now: float,
        on_response: OnResponse,
        *,
        account: Account | None = None,
        renumber: Callable[[], int] | None = None,
    ) -> str:
        """Send a request and return the name by which it can be cancelled or abandoned.

        With an ``account`` a 401 or 407 is answered: the request itself is given credentials and
        the next CSeq, which ``renumber`` returns, or else the one after its own.
        """
        request.headers.set("User-Agent", self.name)
        fallback = None
        if self._is_too_big(request, flow):
            flow, fallback = Flow("tcp", flow.local, flow.remote), flow
        pending = _Pending(request, flow, on_response, fallback, account, renumber)
        pending.handle = self._start(pending, now)
        self._sent[pending.handle] = pending
        return pending.handle

    def cancel(self, handle: str, now: float, reason: str = "") -> None:
        """Cancel the INVITE sent as ``handle``: same branch, same way (section 9.1).

        One that was sent again meanwhile is cancelled once something is heard of it.
        """
        pending = self._sent.get(handle)
        if pending is None:
            return
        pending.cancel_reason, pending.is_final = reason, True
        if pending.is_heard:
            self._send_cancel(pending, now)

    def send_no_more(self, handle: str) -> None:
        """Take whatever comes of the request sent as ``handle`` for its end."""
        if (pending := self._sent.get(handle)) is not None:
            pending.is_final = True

    def abandon(self, handle: str) -> None:
        """Wait no more for what comes of the request sent as ``handle``."""
        if (pending := self._sent.get(handle)) is not None:
            self._forget(pending)
            self._layer.abandon(pending.key)

    def abandon_later(self, handle: str, now: float) -> None:
        """Wait 64 × T1 at most for what may still come of the request sent as ``handle``."""
        self._leaving.append((now + self.timers.patience, handle))

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
        if pending is None:
            return False
        match event:
            case ResponseReceived(response=response):
                if self._has_answered(pending, response, now):
                    return True
                if response.status < 200:
                    self._hear(pending, now)
                else:
                    self._forget_soon(pending, response.status, now)
            case TransactionTimedOut():
                self._forget(pending)
                response = response_to(pending.request, 408)
            case TransportFailed():
                if pending.fallback is not None and not pending.is_final:
                    pending.flow, pending.fallback = pending.fallback, None
                    self._restart(pending, now)
                    return True
                self._forget(pending)
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

    def _has_answered(self, pending: _Pending, response: Response, now: float) -> bool:
        """Send a request again that was challenged, if that may help (section 22.2)."""
        account, request = pending.account, pending.request
        if account is None or pending.is_final or not account.learn(response, pending.tries):
            return False
        number = pending.renumber() if pending.renumber else request.cseq.number + 1
        request.headers.set("CSeq", f"{number} {request.method}")
        self._restart(pending, now)
        return True

    def _restart(self, pending: _Pending, now: float) -> None:
        """Send a request in a new transaction, which takes the place of its last."""
        self._pending.pop(pending.key, None)
        pending.request.headers.remove("Via")
        pending.is_heard = False
        self._start(pending, now)

    def _hear(self, pending: _Pending, now: float) -> None:
        """Take note of a provisional response, which lets a request be cancelled."""
        is_first, pending.is_heard = not pending.is_heard, True
        if is_first and pending.cancel_reason is not None:
            self._send_cancel(pending, now)

    def _send_cancel(self, pending: _Pending, now: float) -> None:
        invite, headers = pending.request, Headers()
        headers.add("Via", invite.headers.get_all("Via")[0])
        for name in ("Max-Forwards", "Route", "From", "To", "Call-ID"):
            for value in invite.headers.get_all(name):
                headers.add(name, value)
        headers.add("CSeq", f"{invite.cseq.number} CANCEL")
        if pending.cancel_reason:
            headers.add("Reason", pending.cancel_reason)
        self._layer.send_request(Request("CANCEL", invite.uri, headers), pending.flow, now)

    def _start(self, pending: _Pending, now: float) -> str:
        request = pending.request
        if pending.account is not None:
            pending.account.authorize(request, self.ids)
        request.headers.add_first("Via", self._via(pending.flow))
        # A transaction that is over still answers for its request, which may change meanwhile.
        sent = Request(request.method, request.uri, request.headers.copy(), request.body)
        pending.key = self._layer.send_request(sent, pending.flow, now)
        self._pending[pending.key] = pending
        return pending.key

    def _forget_soon(self, pending: _Pending, status: int, now: float) -> None:
        if pending.request.method == "INVITE" and status < 300:
            self.abandon_later(pending.handle, now)  # its 2xx may be repeated that long
        else:
            self._forget(pending)

    def _forget(self, pending: _Pending) -> None:
        self._pending.pop(pending.key, None)
        self._sent.pop(pending.handle, None)

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

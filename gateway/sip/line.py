"""The way to the peer of one call: its dialog, and the flow in use for it."""

from dataclasses import replace

from ..errors import SipError
from .account import Account
from .courier import Courier
from .dialog import Dialog
from .flow import Flow
from .message import Request
from .posted import OnResponse, Posted
from .routing import Hop, way_towards

__all__ = ["Line"]


class Line:
    """Builds and sends the requests of one call.

    ``dialog`` is ``None`` until one stands.  ``scheme`` is that of the address called;
    ``account`` answers a peer that asks for a password.
    """

    def __init__(
        self, courier: Courier, flow: Flow, scheme: str, account: Account | None = None
    ) -> None:
        self.courier = courier
        self._scheme = scheme
        self.flow = flow
        self.account = account
        self.dialog: Dialog | None = None

    def way(self, dialog: Dialog | None = None, flow: Flow | None = None) -> Flow | Hop:
        """Return where the next request goes, of another ``dialog`` and ``flow`` if given."""
        dialog, flow = dialog or self.dialog, flow or self.flow
        return flow if dialog is None else way_towards(dialog.next_hop, flow)

    def contact(self, way: Flow | Hop) -> str:
        """Return our Contact as the far end of ``way`` must write it."""
        return self.courier.contact(way, self._scheme)

    def request(self, method: str, body: bytes = b"", content_type: str = "") -> Request:
        """Return the next request of the dialog, with our Contact where it may change.

        Raises:
            SipError: There is no dialog yet.

        """
        if self.dialog is None:
            raise SipError("the call is not up", status=481)
        request = self.dialog.request(method, body, content_type)
        if method in ("INVITE", "REFER"):
            request.headers.add("Contact", self.contact(self.way()))
        return request

    def send(self, request: Request, now: float, on_response: OnResponse) -> Posted:
        """Send a request."""
        return self.courier.send(
            request,
            self.way(),
            now,
            on_response,
            account=self.account,
            renumber=self.dialog.next_sequence if self.dialog is not None else None,
        )

    def heard_by(self, flow: Flow) -> None:
        """Take note of the way the peer spoke: it may have moved, or opened a connection."""
        if flow.transport == self.flow.transport:
            self.flow = flow

    def lose(self, flow: Flow) -> None:
        """Take note that a connection is gone; the next request goes to the peer's Contact."""
        if self.flow == flow:
            self.flow = replace(flow, remote=(flow.remote[0], 0), id=0)

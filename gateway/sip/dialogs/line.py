"""The way to the peer of one call: its dialog, the flow in use for it, and what it can do."""

from dataclasses import replace

from ...errors import SipError
from ..admission import Policy
from ..flow import Flow
from ..ways.courier import Courier
from ..ways.posted import OnResponse, Posted
from ..ways.routing import Hop, Way, way_towards
from ..wire.message import Request, Response
from .dialog import Dialog
from .screening import add_capabilities

__all__ = ["Line"]


class Line:
    """Builds and sends the requests of one call.

    ``dialog`` is ``None`` until one stands; ``peer_methods`` is what the peer last said to allow.
    ``scheme`` is that of the address called.
    """

    def __init__(self, courier: Courier, flow: Flow, policy: Policy, scheme: str) -> None:
        self.courier = courier
        self._scheme = scheme
        self.flow = flow
        self.policy = policy
        self.dialog: Dialog | None = None
        self.peer_methods: frozenset[str] = frozenset()

    def way(self, dialog: Dialog | None = None, flow: Flow | None = None) -> Flow | Hop:
        """Return where the next request goes, of another ``dialog`` and ``flow`` if given."""
        dialog, flow = dialog or self.dialog, flow or self.flow
        return flow if dialog is None else way_towards(dialog.next_hop, flow)

    def contact(self, way: Way) -> str:
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
        if method in ("INVITE", "UPDATE"):
            self.introduce(request, self.way())
        elif method in ("NOTIFY", "REFER"):
            request.headers.add("Contact", self.contact(self.way()))
        return request

    def introduce(self, message: Request | Response, way: Way | None = None) -> None:
        """Say where we are reached and what we can do."""
        message.headers.set("Contact", self.contact(way or self.flow))
        add_capabilities(message, self.policy)

    def send(
        self,
        request: Request,
        now: float,
        on_response: OnResponse,
        *,
        dialog: Dialog | None = None,
        way: Way | None = None,
    ) -> Posted:
        """Send a request: of another ``dialog`` if given, and by another ``way``."""
        dialog = dialog or self.dialog
        return self.courier.send(
            request,
            way or self.way(dialog),
            now,
            on_response,
            account=self.policy.account,
            renumber=dialog.next_sequence if dialog is not None else None,
        )

    def learn(self, message: Request | Response) -> None:
        """Take note of what the peer says that it allows."""
        if "Allow" in message.headers:
            lines = ",".join(message.headers.get_all("Allow"))
            self.peer_methods = frozenset(method.strip() for method in lines.split(","))

    def refreshed(self, response: Response) -> None:
        """Take in the 2xx to an INVITE or UPDATE within the dialog."""
        self.learn(response)
        if self.dialog is not None:
            self.dialog.refresh(response)

    def heard_by(self, flow: Flow) -> None:
        """Take note of the way the peer spoke: it may have moved, or opened a connection."""
        if flow.transport == self.flow.transport:
            self.flow = flow

    def lose(self, flow: Flow) -> None:
        """Take note that a connection is gone; the next request goes to the peer's Contact."""
        if self.flow == flow:
            self.flow = replace(flow, remote=(flow.remote[0], 0), id=0)

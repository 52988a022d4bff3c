"""A dialog: what two user agents remember of each other (RFC 3261 section 12).

The From and To texts are kept as they came, byte for byte, since a peer may
compare them whole.  A dialog builds the requests sent inside it and judges the
order of those received; who sends, repeats and answers them is not its concern.
"""

import enum
from typing import Final, NamedTuple

from ..wire.headers import NameAddr
from ..wire.message import Headers, Request, Response
from ..wire.uri import Uri

__all__ = ["Dialog", "DialogId", "Order"]

_MAX_FORWARDS: Final = "70"


class DialogId(NamedTuple):
    """What tells one dialog from every other: the Call-ID and both tags."""

    call_id: str
    local_tag: str
    remote_tag: str


class Order(enum.Enum):
    """How a request's CSeq follows the last one received (section 12.2.2)."""

    NEXT = enum.auto()
    REPEATED = enum.auto()
    STALE = enum.auto()


class Dialog:
    """One dialog, seen from our side."""

    def __init__(
        self,
        dialog_id: DialogId,
        *,
        local: str,
        remote: str,
        target: Uri,
        routes: list[str],
        local_sequence: int,
        remote_sequence: int | None,
    ) -> None:
        self.id = dialog_id
        self.local = local
        self.remote = remote
        self.target = target
        self.local_sequence = local_sequence
        self._routes = routes
        self._remote_sequence = remote_sequence

    @classmethod
    def answering(cls, request: Request, local_tag: str, first_sequence: int) -> "Dialog":
        """Return the dialog a received INVITE opens (section 12.1.1).

        ``first_sequence`` numbers the first request we shall send in it.
        """
        return cls(
            DialogId(request.call_id, local_tag, request.from_.tag or ""),
            local=_tagged(request.headers.get("To") or "", local_tag),
            remote=request.headers.get("From") or "",
            target=(request.contacts or [request.from_])[0].uri,  # RFC 2543 asked for no Contact
            routes=request.headers.values("Record-Route"),
            local_sequence=first_sequence - 1,
            remote_sequence=request.cseq.number,
        )

    @classmethod
    def calling(cls, request: Request, response: Response) -> "Dialog":
        """Return the dialog a response to our INVITE opens (section 12.1.2)."""
        contacts = response.contacts
        return cls(
            DialogId(request.call_id, request.from_.tag or "", response.to.tag or ""),
            local=request.headers.get("From") or "",
            remote=response.headers.get("To") or "",
            target=contacts[0].uri if contacts else Uri.parse(request.uri),
            routes=response.headers.values("Record-Route")[::-1],
            local_sequence=request.cseq.number,
            remote_sequence=None,
        )

    @property
    def next_hop(self) -> Uri:
        """The address the next request goes to: the first route, else the target."""
        return _address(self._routes[0]) if self._routes else self.target

    def request(self, method: str, body: bytes = b"", content_type: str = "") -> Request:
        """Return the next request of this dialog, without Via and Contact (section 12.2.1.1)."""
        return self._build(method, self.next_sequence(), body, content_type)

    def next_sequence(self) -> int:
        """Return the CSeq of the next request of ours."""
        self.local_sequence += 1
        return self.local_sequence

    def ack(self, invite: Request, body: bytes = b"", content_type: str = "") -> Request:
        """Return the ACK to a 2xx, its own transaction (section 13.2.2.4)."""
        ack = self._build("ACK", invite.cseq.number, body, content_type)
        for name in ("Authorization", "Proxy-Authorization"):
            for value in invite.headers.get_all(name):
                ack.headers.add(name, value)
        return ack

    def admit(self, request: Request) -> Order:
        """Judge the order of a received request, and remember its number if it is the next."""
        number, last = request.cseq.number, self._remote_sequence
        if last is not None and number <= last:
            return Order.REPEATED if number == last else Order.STALE
        self._remote_sequence = number
        return Order.NEXT

    def confirm(self, response: Response) -> None:
        """Take the route anew from the 2xx that makes a dialog of ours last (13.2.2.4)."""
        self._routes = response.headers.values("Record-Route")[::-1]
        self.refresh(response)

    def refresh(self, message: Request | Response) -> None:
        """Take the peer's new Contact from a target refresh (section 12.2.1.2)."""
        if contacts := message.contacts:
            self.target = contacts[0].uri

    def _build(self, method: str, sequence: int, body: bytes, content_type: str) -> Request:
        target, routes = str(self.target), self._routes
        if routes and not _address(routes[0]).is_loose:  # a strict router: 12.2.1.1
            target, routes = str(_address(routes[0])), [*routes[1:], f"<{self.target}>"]
        headers = Headers()
        headers.add("Max-Forwards", _MAX_FORWARDS)
        for route in routes:
            headers.add("Route", route)
        headers.add("From", self.local)
        headers.add("To", self.remote)
        headers.add("Call-ID", self.id.call_id)
        headers.add("CSeq", f"{sequence} {method}")
        if content_type:
            headers.add("Content-Type", content_type)
        return Request(method, target, headers, body)


def _tagged(to: str, tag: str) -> str:
    return to if not tag else f"{to};tag={tag}"


def _address(route: str) -> Uri:
    return NameAddr.parse(route).uri

"""SIP messages: bytes in, typed values on demand, bytes out; and the answers to them.

Everything about messages can be imported from here.
"""

from ...errors import SipError
from .fields import Headers
from .grammar import split_list
from .headers import NameAddr, Via
from .model import MAX_VIAS, Message, MessageError, Request, Response
from .parser import MAX_BODY, MAX_HEADER_BYTES, MAX_HEADERS, parse, read
from .status import REASONS

__all__ = [
    "MAX_BODY",
    "MAX_HEADERS",
    "MAX_HEADER_BYTES",
    "MAX_VIAS",
    "REASONS",
    "Headers",
    "Message",
    "MessageError",
    "Request",
    "Response",
    "parse",
    "read",
    "response_to",
    "stamp_received",
]


def response_to(
    request: Request, status: int, reason: str | None = None, *, to_tag: str | None = None
) -> Response:
    """Begin the response to a request (RFC 3261, section 8.2.6).

    Via, From, To, Call-ID and CSeq are copied as they stand, as is the record
    of the route when a dialog may come of it.  ``to_tag`` is added to a To
    that has none.
    """
    headers = Headers()
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        for value in request.headers.get_all(name):
            if name == "To" and to_tag is not None and _lacks_tag(value):
                value = f"{value};tag={to_tag}"
            headers.add(name, value)
    if 100 < status < 300:
        for value in request.headers.get_all("Record-Route"):
            headers.add("Record-Route", value)
    if status == 100 and (stamp := request.headers.get("Timestamp")) is not None:
        headers.add("Timestamp", stamp)
    return Response(status, reason, headers)


def _lacks_tag(to: str) -> bool:
    try:
        return NameAddr.parse(to).tag is None
    except SipError:
        return False


def stamp_received(request: Request, remote: tuple[str, int]) -> None:
    """Note in the topmost Via where the request really came from (18.2.1, RFC 3581).

    ``received`` is written when the sender asks for ``rport`` or names itself
    otherwise; whatever it wrote there itself is replaced.  A Via that cannot be
    read is left alone.
    """
    try:
        first, *others = split_list(request.headers.get("Via") or "")
        via = Via.parse(first)
    except SipError:
        return
    host, port = remote
    asked = "rport" in via.params
    if not asked and "received" not in via.params and via.host.strip("[]") == host:
        return
    via.params["received"] = host
    if asked:
        via.params["rport"] = str(port)
    request.headers.set_first("Via", ", ".join([str(via), *others]))

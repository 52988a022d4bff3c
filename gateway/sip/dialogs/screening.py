"""What this user agent can do, and the refusal a request for more than that gets.

The order of the checks is that of RFC 3261 section 8.2: method, addressing,
extensions, body.
"""

from typing import Final

from ...errors import SipError
from ..admission import Policy
from ..wire.headers import BRANCH_COOKIE
from ..wire.message import Request, Response, response_to
from ..wire.multipart import SDP, has_unknown
from .reliable import RELIABLE
from .session_timer import TIMER, timer_refusal

__all__ = ["ALLOW", "add_capabilities", "bad_event", "policy_refusal", "refusal"]

ALLOW: Final = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "PRACK", "UPDATE", "NOTIFY")
_FOR_TRANSFERS: Final = ("REFER", "SUBSCRIBE")  # told to who may use them; judged by the session
_KNOWN: Final = {*ALLOW, *_FOR_TRANSFERS, "REGISTER", "PUBLISH", "MESSAGE"}
_SCHEMES: Final = {"sip", "sips", "tel"}
_SUPPORTED: Final = frozenset({RELIABLE, TIMER, "norefersub"})
_BY_POLICY: Final = frozenset({"replaces"})  # known, and refused later to who may not use it
_BODY_TYPES: Final = {
    "INVITE": (SDP,),
    "PRACK": (SDP,),
    "UPDATE": (SDP,),
    "INFO": ("application/dtmf-relay", "application/dtmf"),
    "NOTIFY": ("message/sipfrag",),
}


def add_capabilities(message: Request | Response, policy: Policy) -> None:
    """Say what we allow and support (section 20.5, 20.37) of who is held to ``policy``."""
    methods, options = list(ALLOW), set(_SUPPORTED)
    if policy.accepts_transfer:
        methods += _FOR_TRANSFERS
        options |= _BY_POLICY
    if policy.prack == "off":
        options.discard(RELIABLE)
    message.headers.set("Allow", ", ".join(methods))
    message.headers.set("Supported", ", ".join(sorted(options)))


def bad_event(request: Request, to_tag: str | None = None) -> Response:
    """Return the answer to news, or a wish for news, of what we know nothing of (RFC 6665)."""
    response = response_to(request, 489, to_tag=to_tag)
    response.headers.add("Allow-Events", "refer")
    return response


def refusal(request: Request, to_tag: str) -> Response | None:
    """Return the answer to a request we cannot serve, or ``None`` when we can.

    ACK and CANCEL are never refused: the one has no answer, the other asks for nothing.
    """
    if request.method in ("ACK", "CANCEL"):
        return None
    try:
        return _refusal(request, to_tag)
    except SipError as error:
        return response_to(request, error.status or 400, str(error), to_tag=to_tag)


def policy_refusal(request: Request, policy: Policy, to_tag: str) -> Response | None:
    """Return the answer to an INVITE that does not fit what its neighbour is held to.

    ``None`` when it does.  Such are provisional responses that must be reliable where we make none
    so, or the other way round (RFC 3262), and a session that would be too short (RFC 4028).
    """
    if policy.prack == "off" and RELIABLE in request.require:
        response = response_to(request, 420, to_tag=to_tag)
        response.headers.add("Unsupported", RELIABLE)
        return response
    if policy.prack == "required" and RELIABLE not in (*request.supported, *request.require):
        response = response_to(request, 421, to_tag=to_tag)
        response.headers.add("Require", RELIABLE)
        return response
    if not policy.accepts_transfer and "replaces" in request.require:
        response = response_to(request, 420, to_tag=to_tag)
        response.headers.add("Unsupported", "replaces")
        return response
    return timer_refusal(request, policy, to_tag)


def _refusal(request: Request, to_tag: str) -> Response | None:
    if request.method not in (*ALLOW, *_FOR_TRANSFERS):
        response = response_to(request, 405 if request.method in _KNOWN else 501, to_tag=to_tag)
        response.headers.add("Allow", ", ".join(ALLOW))
        return response
    if request.uri.partition(":")[0].lower() not in _SCHEMES:
        return response_to(request, 416, to_tag=to_tag)
    if request.method != "INVITE" and "Replaces" in request.headers:
        return response_to(request, 400, "Only an INVITE can replace a call", to_tag=to_tag)
    unknown = [tag for tag in request.require if tag not in _SUPPORTED | _BY_POLICY]
    if unknown:
        response = response_to(request, 420, to_tag=to_tag)
        response.headers.add("Unsupported", ", ".join(unknown))
        return response
    least = 1 if (request.via.branch or "").startswith(BRANCH_COOKIE) else 0  # RFC 2543 needs none
    if request.method in ("INVITE", "UPDATE") and not least <= len(request.contacts) <= 1:
        return response_to(request, 400, "One Contact is required", to_tag=to_tag)
    return _refused_body(request, to_tag)


def _refused_body(request: Request, to_tag: str) -> Response | None:
    accepted = _BODY_TYPES.get(request.method)
    if request.body and accepted is not None:
        encoding = request.headers.get("Content-Encoding") or "identity"
        if encoding.strip().lower() != "identity":
            response = response_to(request, 415, to_tag=to_tag)
            response.headers.add("Accept-Encoding", "identity")
            return response
        if has_unknown(request, accepted):
            response = response_to(request, 415, to_tag=to_tag)
            response.headers.add("Accept", ", ".join(accepted))
            return response
    wanted = [_media_type(value) for value in request.headers.values("Accept")]
    if request.method == "INVITE" and wanted and not {SDP, "application/*", "*/*"} & {*wanted}:
        return response_to(request, 406, to_tag=to_tag)
    return None


def _media_type(value: str | None) -> str:
    return (value or "").partition(";")[0].strip().lower()

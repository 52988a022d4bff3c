"""How a leg begins a description, and a call of its own."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias, TypedDict

from ..clock import Ids, RandomIds
from ..sdp.negotiate import OfferAnswer
from ..sdp.terms import Terms
from ..sip.admission import Policy
from ..sip.dialogs.outgoing import OutgoingSession
from ..sip.dialogs.session_state import RING_LIMIT
from ..sip.flow import Flow
from ..sip.wire.uri import Uri, bracketed
from .exchange import MediaLane
from .signalling import Signalling

__all__ = ["HostTowards", "Placed", "Placing", "describe", "place"]

HostTowards: TypeAlias = Callable[[str], str]
"""Returns where an address is told to send sound."""

Placed: TypeAlias = tuple[OutgoingSession, OfferAnswer]

_UNSPECIFIED: Final = ("0.0.0.0", "::")


class Placing(TypedDict, total=False):
    """How a call is placed.

    Without ``host_towards`` sound is sent to where the lane is bound.  The call goes to
    ``next_hop`` first, if not to its target.
    """

    host_towards: HostTowards | None
    from_uri: Uri | None
    next_hop: Uri | None
    headers: Iterable[tuple[str, str]]
    ring_limit: float
    policy: Policy | None
    ids: Ids | None


def describe(
    lane: MediaLane,
    terms: Terms,
    flows: Sequence[Flow],
    own_host: str,
    *,
    host_towards: HostTowards | None,
    ids: Ids | None,
) -> OfferAnswer:
    """Begin the descriptions of a lane, towards whoever is at the end of one of ``flows``.

    They see us as ``own_host``.
    """
    hosts = {flow.remote[0] for flow in flows}
    if host_towards is not None:
        host = host_towards(flows[0].remote[0])
    else:
        host = own_host if lane.host in _UNSPECIFIED else lane.host
    return OfferAnswer(
        host,
        lane.port,
        terms,
        ids=ids or RandomIds(),
        is_private=all(flow.is_secure for flow in flows),
        peer_host=hosts.pop() if len(hosts) == 1 else "",
        fingerprint=lane.fingerprint,
    )


async def place(
    signalling: Signalling, target: Uri, lane: MediaLane, terms: Terms, how: Placing
) -> Placed:
    """Send an INVITE that offers a lane's sound.

    Raises:
        SipError: There is no way to the target.

    """
    flows = await signalling.resolve(how.get("next_hop") or target)
    own_host = signalling.agent.host_towards(flows[0])
    media = describe(
        lane,
        terms,
        flows,
        own_host,
        host_towards=how.get("host_towards"),
        ids=how.get("ids"),
    )
    session = signalling.agent.invite(
        target,
        flows,
        signalling.now(),
        from_uri=how.get("from_uri") or Uri("sip", "gateway", bracketed(own_host)),
        sdp=media.offer(),
        headers=how.get("headers", ()),
        ring_limit=how.get("ring_limit", RING_LIMIT),
        policy=how.get("policy"),
    )
    return session, media

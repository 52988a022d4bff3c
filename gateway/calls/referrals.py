"""Far ends that ask us to call somebody in their place, and whom we call for them."""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import structlog

from ..config import Settings
from ..errors import GatewayError, SipError
from ..legs.placing import Placing
from ..legs.sip_leg import SipLeg
from ..sdp.terms import Terms
from ..sip.dialogs.session_events import ReferReceived
from ..sip.wire.uri import Uri
from .permits import is_permitted

__all__ = ["Headers", "Referrals", "Way"]

Headers: TypeAlias = tuple[tuple[str, str], ...]


class Way(NamedTuple):
    """How somebody is called."""

    target: Uri
    terms: Terms
    how: Placing


_DECLINED: Final = 603
_UNAVAILABLE: Final = 503
# Parameters of an address that would have its call go elsewhere than its host says.
_ASTRAY: Final = frozenset({"maddr", "ttl", "lr"})


class Referrals:
    """Judges what legs are asked, and has them follow.

    Args:
        settings: With the targets and the patterns of who may be called.
        way: Returns how an address is called with which headers besides.

    """

    def __init__(self, settings: Settings, way: Callable[[Uri, Headers], Way]) -> None:
        self._settings = settings
        self._way = way
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger()

    def begin(self, leg: SipLeg, wish: ReferReceived) -> None:
        """Have a leg call whom its far end wants in its place, where that is allowed."""
        target = wish.target
        if _ASTRAY & target.params.keys() or not is_permitted(target, self._settings):
            self._log.warning(
                "transfer refused: neither a target nor allowed", to=str(target), call=leg.id
            )
            leg.refuse_referral(_DECLINED, "It is not allowed to be called from here")
            return
        try:
            way = self._way(target, _headers(wish))
        except GatewayError as error:
            status = error.status if isinstance(error, SipError) else _UNAVAILABLE
            leg.refuse_referral(status, str(error))
            return
        calling = leg.follow(way.target, way.terms, **way.how)
        task = asyncio.create_task(calling, name="referral")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Give up those that are not yet on their way."""
        for task in self._tasks:
            task.cancel()


def _headers(wish: ReferReceived) -> Headers:
    """Return what the INVITE says of why it comes (RFC 3891, RFC 3892)."""
    headers = []
    if wish.replaces:
        headers += [("Replaces", wish.replaces), ("Require", "replaces")]
    if wish.referred_by:
        headers.append(("Referred-By", wish.referred_by))
    return tuple(headers)

"""The way out: calls that the gateway places, each with a lane of its own."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

from ..config import Settings
from ..legs.events import LegEvent
from ..legs.placing import Placing
from ..legs.signalling import Signalling
from ..legs.sip_leg import SipLeg
from ..media.engine import Lane, MediaEngine
from ..media.events import LaneEvent
from ..media.options import LaneOptions
from ..sdp.terms import Terms
from ..sip.transport.address import Advertiser
from ..sip.uri import Uri
from .facts import Behalf, present
from .referrals import Referrals
from .trunks import Trunks, WayOut

__all__ = ["Outbound", "Placed"]


Headers: TypeAlias = tuple[tuple[str, str], ...]


class Placed(NamedTuple):
    """A call that was sent on its way."""

    leg: SipLeg
    lane: Lane


class Outbound:
    """Places calls by SIP, each by the trunk that its address belongs to."""

    def __init__(
        self,
        settings: Settings,
        trunks: Trunks,
        signalling: Signalling,
        engine: MediaEngine,
        advertise: Advertiser,
    ) -> None:
        self._settings = settings
        self._trunks = trunks
        self._signalling = signalling
        self._engine = engine
        self._advertise = advertise
        self.referrals = Referrals(settings, self._way)

    async def place(
        self,
        target: str,
        options: LaneOptions,
        *,
        on_leg: Callable[[LegEvent], None],
        on_lane: Callable[[LaneEvent], None],
        on_audio: Callable[[bytes], None],
        seconds: float,
        behalf: Behalf | None = None,
    ) -> Placed:
        """Call an address, which may ring for so many seconds, on somebody's behalf.

        Raises:
            SipError: It is no address, or there is no way to it.
            CapacityError: Its trunk takes no more calls, or no port is left for its sound.

        """
        way = self._trunks.way_out(Uri.parse(target))
        terms, how = self._how(way, (), behalf)
        lane = self._engine.open(on_lane, on_audio, options)
        how["ring_limit"] = seconds
        how["host_towards"] = partial(self._advertise.host_towards, local=lane.host)
        try:
            leg = await SipLeg.outgoing(
                self._signalling,
                way.target,
                lane,
                terms,
                on_leg,
                on_refer=self.referrals.begin,
                **how,
            )
        except BaseException:
            lane.close()
            raise
        return Placed(leg, lane)

    def _way(self, uri: Uri, headers: Headers) -> tuple[Terms, Placing]:
        return self._how(self._trunks.way_out(uri), headers, None)

    def _how(self, way: WayOut, headers: Headers, behalf: Behalf | None) -> tuple[Terms, Placing]:
        """Return how an address is called."""
        is_trusted = way.trunk is not None and way.trunk.trusted
        from_uri, told = present(way.caller, behalf, is_trusted=is_trusted)
        how: Placing = {
            "from_uri": from_uri,
            "next_hop": way.next_hop,
            "headers": (*way.headers, *headers, *told),
            "ring_limit": self._settings.dial.seconds,
            "policy": self._trunks.policy(way.trunk),
        }
        return self._trunks.terms(way.trunk), how

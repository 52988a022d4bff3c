"""The way out: calls that the gateway places, each with a lane of its own."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from ..config import Settings
from ..legs.events import LegEvent
from ..legs.placing import Placing
from ..legs.signalling import Signalling
from ..legs.sip_leg import SipLeg
from ..media.engine import Lane, MediaEngine
from ..media.events import LaneEvent
from ..media.options import LaneOptions
from ..sip.transport.address import Advertiser
from ..sip.wire.uri import Uri
from .facts import Behalf, present
from .referrals import Headers, Referrals, Way
from .trunks import Trunks

__all__ = ["Outbound", "Placed"]


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
        way = self._way(Uri.parse(target), (), behalf)
        lane = self._engine.open(on_lane, on_audio, options)
        way.how["ring_limit"] = seconds
        way.how["host_towards"] = partial(self._advertise.host_towards, local=lane.host)
        try:
            leg = await SipLeg.outgoing(
                self._signalling,
                way.target,
                lane,
                way.terms,
                on_leg,
                on_refer=self.referrals.begin,
                **way.how,
            )
        except BaseException:
            lane.close()
            raise
        return Placed(leg, lane)

    def _way(self, uri: Uri, headers: Headers, behalf: Behalf | None = None) -> Way:
        """Return how an address is called, with which headers besides and on whose behalf.

        Raises:
            SipError: It is no address that SIP reaches.
            CapacityError: Its trunk takes no more calls.

        """
        out = self._trunks.way_out(uri)
        is_trusted = out.trunk is not None and out.trunk.trusted
        from_uri, told = present(out.caller, behalf, is_trusted=is_trusted)
        how: Placing = {
            "from_uri": from_uri,
            "next_hop": out.next_hop,
            "headers": (*out.headers, *headers, *told),
            "ring_limit": self._settings.dial.seconds,
            "policy": self._trunks.policy(out.trunk),
        }
        return Way(out.target, self._trunks.terms(out.trunk), how)

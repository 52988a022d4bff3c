"""The way out: calls that the gateway places, each with a lane of its own."""

from collections.abc import Callable
from typing import NamedTuple

from ..legs.events import LegEvent
from ..legs.sip_leg import Signalling, SipLeg
from ..media.engine import Lane, MediaEngine
from ..media.events import LaneEvent
from ..media.options import LaneOptions
from ..sip.transport.address import Advertiser
from ..sip.uri import Uri
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
        trunks: Trunks,
        signalling: Signalling,
        engine: MediaEngine,
        advertise: Advertiser,
    ) -> None:
        self._trunks = trunks
        self._signalling = signalling
        self._engine = engine
        self._advertise = advertise

    async def place(
        self,
        target: str,
        options: LaneOptions,
        *,
        on_leg: Callable[[LegEvent], None],
        on_lane: Callable[[LaneEvent], None],
        on_audio: Callable[[bytes], None],
        seconds: float,
    ) -> Placed:
        """Call an address, which may ring for so many seconds.

        Raises:
            SipError: It is no address, or there is no way to it.
            CapacityError: Its trunk takes no more calls, or no port is left for its sound.

        """
        way = self._trunks.way_out(Uri.parse(target))
        lane = self._engine.open(on_lane, on_audio, options)
        try:
            leg = await SipLeg.outgoing(
                self._signalling,
                way.target,
                lane,
                self._trunks.terms(way.trunk),
                on_leg,
                host_towards=lambda far: self._advertise.host_towards(far, lane.host),
                from_uri=way.caller,
                next_hop=way.next_hop,
                headers=way.headers,
                ring_limit=seconds,
                policy=self._trunks.policy(way.trunk),
            )
        except BaseException:
            lane.close()
            raise
        return Placed(leg, lane)

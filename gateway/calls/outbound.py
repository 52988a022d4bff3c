"""The way out: calls that the gateway places, each with a lane of its own."""

from collections.abc import Callable
from typing import NamedTuple

from ..config import Settings
from ..errors import SipError
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
    """Places calls by SIP, from the address that is configured for them."""

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
            CapacityError: There is no port left for its sound.

        """
        uri = Uri.parse(target)
        trunk = self._trunks.towards(uri)
        if uri.scheme == "sips" and trunk is not None:
            # No trunk is known by SIPS, and some refuse it: encryption is all that is meant.
            uri = uri.replace(scheme="sip", params={**uri.params, "transport": "tls"})
        if uri.scheme not in ("sip", "sips"):
            raise SipError(f"{target} is not reached by SIP as it is spoken here", status=416)
        uri = uri.replace(headers={})  # RFC 3261 section 19.1.1: not in a Request-URI
        caller = self._settings.dial.caller
        lane = self._engine.open(on_lane, on_audio, options)
        try:
            leg = await SipLeg.outgoing(
                self._signalling,
                uri,
                lane,
                self._trunks.terms(trunk),
                on_leg,
                host_towards=lambda far: self._advertise.host_towards(far, lane.host),
                from_uri=Uri.parse(caller) if caller else None,
                ring_limit=seconds,
                policy=self._trunks.policy(trunk),
            )
        except BaseException:
            lane.close()
            raise
        return Placed(leg, lane)

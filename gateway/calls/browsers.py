"""Taking calls in from web pages: who may call now, and what each call is made of."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import structlog

from ..clock import Clock, Ids, monotonic
from ..errors import CapacityError, DialError, GatewayError
from ..legs.web_connection import MakeWay, WebConnection
from ..legs.web_events import WebEvent
from ..legs.webrtc_leg import WebRtcLeg
from ..media.engine import Lane, MediaEngine
from ..media.events import LaneEvent
from ..media.options import LaneOptions
from ..media.ports import PortPool
from ..sdp.browser import BrowserOffer
from ..seldom import Seldom
from .call import Origin
from .lanes import caller_options
from .links import Links, law_of
from .narration import Narration, last_words
from .pace import Paces
from .switchboard import Switchboard

__all__ = ["BrowserReception", "Guest", "WayOf"]

WayOf: TypeAlias = Callable[[Lane], MakeWay]
"""Says how the way is made to whoever a lane is for."""

_NOBODY: Final = "anonymous"
_MOST_OTHERS: Final = 32  # connections that are no calls
_PAUSE: Final = 1.0  # seconds until the log is told of more refusals
_TOO_MANY: Final = 429
_LAST_WAIT: Final = 6.0  # seconds; longer than a goodbye takes


@dataclass(frozen=True, slots=True)
class Guest:
    """Who asks for a connection: under what name, if any, from where, and for how long."""

    name: str = ""
    address: str = ""
    until: float | None = None  # unix seconds: when they may be here no longer
    headers: Mapping[str, str] = field(default_factory=dict)


class BrowserReception:
    """Turns the offers of browsers into calls, and into connections of those who listen in.

    Attributes:
        connections: Those that are not over, by the name that nobody else knows.
        refused: Calls that were not taken.

    """

    def __init__(
        self,
        switchboard: Switchboard,
        links: Links,
        *,
        engine: MediaEngine,
        ports: PortPool | None = None,
        way_of: WayOf,
        ids: Ids,
        clock: Clock = monotonic,
    ) -> None:
        self.connections: dict[str, WebConnection] = {}
        self.refused = 0
        self._switchboard = switchboard
        self._settings = switchboard.settings
        self._links = links
        self._engine = engine
        self._ports = ports
        self._way_of = way_of
        self._ids = ids
        self._clock = clock
        self._paces = Paces(self._settings.webrtc.calls_per_minute)
        self._others: set[str] = set()
        self._goodbyes: set[asyncio.Task[None]] = set()
        self._seldom = Seldom(_PAUSE)
        self._narration = Narration()
        switchboard.registry.audience.add(self._narration)
        self._log = structlog.get_logger()

    @property
    def counters(self) -> dict[str, int]:
        """What there is now, and what was counted since the start."""
        return {"connections": len(self.connections), "refused": self.refused}

    async def take(self, offer: bytes, guest: Guest) -> WebConnection:
        """Make a call of an offer and let it live.

        Raises:
            DialError: Too many calls come from there (429).
            SdpError: The offer cannot be read.
            NegotiationError: Nothing can come of it.
            CapacityError: There is no room for a call.
            RtcError: We have no address that may be told.

        """
        try:
            self._note_call_of(guest)
            return await self._take(offer, guest)
        except GatewayError as error:
            self._tell_refusal(guest, error)
            raise

    async def connect(
        self,
        offer: bytes,
        options: LaneOptions,
        *,
        on_event: Callable[[WebEvent], None],
        on_lane: Callable[[LaneEvent], None],
        on_audio: Callable[[bytes], None],
    ) -> WebConnection:
        """Make a connection that is no call.

        Raises:
            SdpError, NegotiationError, CapacityError, RtcError: As :meth:`take`.

        """
        if len(self._others) >= _MOST_OTHERS or self._switchboard.registry.is_draining:
            raise CapacityError("no room for another connection")
        connection = await self._open(self._read(offer), options, on_lane, on_audio)
        if connection.id in self.connections:
            self._others.add(connection.id)
        connection.listen(on_event)
        return connection

    async def close(self) -> None:
        """End what is left, and wait until every goodbye is said."""
        for connection in tuple(self.connections.values()):
            connection.close("the gateway stops")
        if self._goodbyes:
            await asyncio.wait(self._goodbyes, timeout=_LAST_WAIT)

    async def _take(self, offer: bytes, guest: Guest) -> WebConnection:
        read = self._read(offer)
        plan = self._links.plan(law_of(read.codec.name))
        called = self._settings.webrtc.called
        control = self._switchboard.control.for_call("", called)
        call = self._switchboard.admit(plan)
        try:
            options = caller_options(self._settings, control, plan.lane_audio)
            connection = await self._open(read, options, call.on_lane, call.on_audio)
        except BaseException:
            self._switchboard.dismiss(call)
            raise
        leg = WebRtcLeg(
            self._ids.token(),
            connection,
            call.on_leg,
            caller=guest.name or _NOBODY,
            called=called,
            headers=guest.headers,
            explain=lambda end: last_words(call.record(), end),
        )
        self._narration.follow(call.call_id, connection.send)
        call.attach(leg, connection.lane, Origin(caller=leg.caller, called=called))
        self._switchboard.begin(call)
        return connection

    def _read(self, offer: bytes) -> BrowserOffer:
        return BrowserOffer(offer, tuple(self._settings.webrtc.codecs))

    async def _open(
        self,
        offer: BrowserOffer,
        options: LaneOptions,
        on_lane: Callable[[LaneEvent], None],
        on_audio: Callable[[bytes], None],
    ) -> WebConnection:
        lane = self._engine.open(on_lane, on_audio, options, self._ports)
        connection = WebConnection(
            offer, lane, self._way_of(lane), self._ids, self._forget, self._begin
        )
        try:
            await connection.prepare()
            if self._switchboard.registry.is_draining:
                raise CapacityError("no room for another connection: draining")
        except BaseException:
            connection.close()
            raise
        self.connections[connection.id] = connection
        return connection

    def _begin(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(doing, name="goodbye to a browser")
        self._goodbyes.add(task)
        task.add_done_callback(self._goodbyes.discard)

    def _forget(self, connection: WebConnection) -> None:
        self.connections.pop(connection.id, None)
        self._others.discard(connection.id)

    def _note_call_of(self, guest: Guest) -> None:
        """Count a call of an address.

        Raises:
            DialError: It is one too many.

        """
        if not self._paces.takes(guest.address, self._clock()):
            per_minute = self._settings.webrtc.calls_per_minute
            raise DialError(f"more than {per_minute} calls a minute from here", status=_TOO_MANY)

    def _tell_refusal(self, guest: Guest, error: GatewayError) -> None:
        """Tell the log, but not of each of a flood."""
        self.refused += 1
        more = self._seldom.unsaid(type(error).__name__, self._clock())
        if more is not None:
            self._log.warning("refused", address=guest.address, why=str(error)[:200], more=more)

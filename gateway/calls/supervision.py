"""How people come to supervise a call: by a connection of their own, that is no call."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from ..control.actions import Supervising
from ..errors import DialError
from ..legs.web_connection import WebConnection
from ..legs.web_events import Connected, Disconnected, WebEvent
from ..media.events import LaneEvent
from ..media.options import LaneOptions
from .browsers import Guest
from .call import Call
from .supervisors import seat_of

__all__ = ["Connect", "Supervision"]

_NOT_NOW: Final = 409
_LOOK_SECONDS: Final = 0.5
_LOST_SECONDS: Final = 3.0
"""Without a packet of whoever has the agent's place: the caller is talking to nobody."""
_VANISHED: Final = "nothing comes from them any more"
_EXPIRED: Final = "their token has expired"


class Connect(Protocol):
    """Makes a connection of an offer, as :meth:`BrowserReception.connect` does."""

    async def __call__(
        self,
        offer: bytes,
        options: LaneOptions,
        *,
        on_event: Callable[[WebEvent], None],
        on_lane: Callable[[LaneEvent], None],
        on_audio: Callable[[bytes], None],
    ) -> WebConnection:
        """Return the connection."""
        ...


class Supervision:
    """Has people join calls in progress.

    Args:
        find: Returns a call in progress.
        connect: Makes connections.
        unix_clock: Says when somebody may be there no longer.

    """

    def __init__(
        self,
        find: Callable[[str], Call | None],
        connect: Connect,
        *,
        unix_clock: Callable[[], float] = time.time,
    ) -> None:
        self._find = find
        self._connect = connect
        self._unix_clock = unix_clock

    async def join(
        self, call_id: str, mode: Supervising, offer: bytes, guest: Guest
    ) -> WebConnection:
        """Have somebody join a call; they are there once their connection is up.

        Raises:
            LookupError: There is no such call.
            DialError: They cannot do this there now (409).
            GatewayError: Nothing comes of their offer.

        """
        if (call := self._find(call_id)) is None:
            raise LookupError(call_id)
        if objection := call.supervisors.objection_to_coming(mode, guest.name):
            raise DialError(objection, status=_NOT_NOW)
        return await _Joining(call, mode, guest, self._unix_clock).connect(self._connect, offer)


class _Joining:
    """One connection of somebody to one call, from their offer to its end."""

    def __init__(
        self, call: Call, mode: Supervising, guest: Guest, unix_clock: Callable[[], float]
    ) -> None:
        self._call = call
        self._mode: Supervising = mode
        self._by = guest.name
        self._until = guest.until
        self._unix_clock = unix_clock
        self._seat = ""
        self._connection: WebConnection | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._packets = 0  # that came of them, as they were last counted
        self._heard_at = 0.0
        self._log = structlog.get_logger().bind(call_id=call.call_id, supervisor=guest.name)

    async def connect(self, connect: Connect, offer: bytes) -> WebConnection:
        supervisors = self._call.supervisors
        connection = self._connection = await connect(
            offer,
            supervisors.options,
            on_event=self._on_event,
            on_lane=lambda event: supervisors.on_lane(self._seat, event),
            on_audio=lambda chunk: supervisors.hear(self._seat, chunk),
        )
        self._seat = seat_of(connection.id)
        return connection

    def _on_event(self, event: WebEvent) -> None:
        match event:
            case Connected():
                self._come()
            case Disconnected(reason=reason):
                self._stop_looking()
                self._call.supervisors.lose(self._seat, reason)
            case _:
                pass

    def _come(self) -> None:
        connection = self._connection
        assert connection is not None
        objection = (
            _EXPIRED
            if self._is_expired
            else self._call.supervisors.come(
                self._seat, self._mode, self._by, connection.lane, self._go
            )
        )
        if objection:
            self._log.info("does not supervise", why=objection)
            connection.close(objection)
            return
        self._heard_at = asyncio.get_running_loop().time()
        self._look()

    def _go(self) -> None:
        """They are to go, or the call is over."""
        self._stop_looking()
        if self._connection is not None:
            self._connection.close("no longer supervises the call")

    def _look(self) -> None:
        """See whether somebody may still be there, and is if they have the agent's place.

        The way to them is given up much later: it may come back, and a caller does not wait.
        """
        assert self._connection is not None
        if self._is_expired:
            self._call.supervisors.lose(self._seat, _EXPIRED)
            return
        loop, packets = asyncio.get_running_loop(), self._connection.lane.stats().packets_received
        if packets != self._packets or not self._call.supervisors.has_taken_over(self._seat):
            self._packets, self._heard_at = packets, loop.time()
        if loop.time() - self._heard_at >= _LOST_SECONDS:
            self._call.supervisors.lose(self._seat, _VANISHED)
            return
        self._timer = loop.call_later(_LOOK_SECONDS, self._look)

    @property
    def _is_expired(self) -> bool:
        return self._until is not None and self._until <= self._unix_clock()

    def _stop_looking(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

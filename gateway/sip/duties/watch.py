"""Asking a neighbour again and again whether it lives, by OPTIONS (RFC 3261 section 11)."""

from collections.abc import Callable, Sequence
from typing import Final

from ..credentials.account import Account
from ..flow import Flow
from ..ways.courier import Courier
from ..ways.posted import Posted
from ..wire.message import Headers, Request, Response
from ..wire.multipart import SDP
from ..wire.uri import Uri
from .standing import Changed, DutyEvent, WayDue

__all__ = ["Watch"]

_DEAD: Final = {408: "it does not answer", 503: "it takes no calls (503), or there is no way to it"}


class Watch:
    """One neighbour that is looked after.

    Any final answer shows that it lives, but for 408, which none is, and 503.
    """

    def __init__(
        self,
        server: Uri,
        seconds: float,
        courier: Courier,
        on_event: Callable[[DutyEvent], None],
        *,
        account: Account | None = None,
    ) -> None:
        self.on_event = on_event
        self.is_alive: bool | None = None  # not known yet
        self.why = "not yet asked"
        self._server = server
        self._seconds = seconds
        self._courier = courier
        self._account = account
        self._is_looking = True
        self._is_over = False
        self._posted: Posted | None = None
        self._due_at: float | None = None
        self._events: list[DutyEvent] = [WayDue(server)]

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        return self._due_at

    @property
    def is_over(self) -> bool:
        """Whether it has been ended."""
        return self._is_over

    def events(self) -> list[DutyEvent]:
        """Drain what happened since the last call."""
        events, self._events = self._events, []
        return events

    def go(self, flows: Sequence[Flow], now: float) -> None:
        """Ask by the first of the ways that answers."""
        if not self._is_looking:
            return
        self._is_looking = False
        ids, own = self._courier.ids, self._courier.contact(flows, user="gateway")
        request = Request(
            "OPTIONS",
            str(self._server),
            Headers(
                ("Max-Forwards", "70"),
                ("From", f"{own};tag={ids.token()}"),
                ("To", f"<{self._server}>"),
                ("Call-ID", ids.token(128)),
                ("CSeq", "1 OPTIONS"),
                ("Contact", own),
                ("Accept", SDP),
            ),
        )
        self._posted = self._courier.send(
            request, flows, now, self._on_response, account=self._account
        )

    def no_way(self, why: str, now: float) -> None:
        """Take note that it was not found."""
        if self._is_looking:
            self._is_looking = False
            self._conclude(False, why, now)

    def wake(self, now: float) -> None:
        """Ask again."""
        if self._due_at is None or now < self._due_at:
            return
        self._due_at, self._is_looking = None, True
        self._events.append(WayDue(self._server))

    def lose(self, flow: Flow, now: float) -> None:
        """Go on: a connection that is gone is opened anew for the next question."""

    def move(self, now: float) -> None:
        """Go on: the next question tells of it."""

    def end(self, now: float) -> None:
        """Ask no more."""
        del now
        if self._posted is not None:
            self._courier.abandon(self._posted)
        self._is_over, self._is_looking, self._due_at = True, False, None

    def _on_response(self, response: Response, now: float) -> None:
        if response.status >= 200:
            why = _DEAD.get(response.status, f"{response.status} {response.reason}".strip())
            self._conclude(response.status not in _DEAD, why, now)

    def _conclude(self, is_alive: bool, why: str, now: float) -> None:
        self._due_at = now + self._seconds
        self.why = why
        if is_alive is not self.is_alive:
            self.is_alive = is_alive
            self._events.append(Changed(is_alive, why))

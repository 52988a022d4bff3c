"""The refreshes of a session: an UPDATE where the peer takes it, else a re-INVITE (RFC 4028 10)."""

from ..ways.posted import OnResponse
from ..wire.message import Response
from .line import Line
from .offers import Offers
from .session_timer import SessionTimer

__all__ = ["Refreshes"]


class Refreshes:
    """Sends the refreshes of one session that are ours to send."""

    def __init__(
        self, line: Line, offers: Offers, timer: SessionTimer, on_response: OnResponse
    ) -> None:
        self._line = line
        self._offers = offers
        self._timer = timer
        self._on_response = on_response

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        return self._timer.deadline

    def wake(self, now: float) -> bool:
        """Refresh the session if it is due; return whether it has run out."""
        if self._timer.is_over(now):
            self._timer.stop()
            return True
        if self._timer.take_due(now):
            self._refresh(now)
        return False

    def _refresh(self, now: float) -> None:
        if "UPDATE" in self._line.peer_methods:
            request = self._line.request("UPDATE")
            self._timer.ask(request, now)
            self._line.send(request, now, self._on_answer)
        elif not self._offers.refresh(now):
            self._timer.put_off(now)

    def _on_answer(self, response: Response, now: float) -> None:
        if response.status < 200:
            return
        if response.status < 300:
            self._line.refreshed(response)
            self._timer.agree(response, now)
        elif self._timer.raise_to(response):
            self._refresh(now)
        elif response.status in (405, 501):
            self._line.peer_methods -= {"UPDATE"}
            self._refresh(now)
        else:
            self._timer.refused(response, now, self._offers.pause_after(response))
        self._on_response(response, now)

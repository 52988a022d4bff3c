"""A blind transfer we asked for: one REFER and the news of it (RFC 3515, RFC 7647, RFC 4488)."""

import re
from typing import Final

from .message import Request, Response
from .session_events import ReferEnded, ReferProgress

__all__ = ["Transfer"]

_SIPFRAG: Final = re.compile(rb"\s*SIP/2\.0 ([1-6]\d\d)\b", re.IGNORECASE)
_PATIENCE: Final = 180.0  # seconds without news: as long as a phone may ring


class Transfer:
    """One REFER, from its sending until its outcome is known."""

    def __init__(self, refer: Request, now: float) -> None:
        self.is_pending = True
        self._sequence = str(refer.cseq.number)
        self._expires_at = now + _PATIENCE

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called."""
        return self._expires_at if self.is_pending else None

    def receive_response(self, response: Response) -> ReferProgress | ReferEnded | None:
        """Take in the answer to the REFER itself."""
        if response.status < 200 or not self.is_pending:
            return None
        has_news = (response.headers.get("Refer-Sub") or "").strip().lower() != "false"
        if response.status < 300 and has_news:
            return ReferProgress(response.status)
        return self._end(response.status)

    def is_about(self, notify: Request) -> bool:
        """Whether a NOTIFY brings news of this transfer."""
        event, *params = (notify.headers.get("Event") or "").replace(" ", "").split(";")
        about = next((p[3:] for p in params if p.lower().startswith("id=")), None)
        return self.is_pending and event.lower() == "refer" and about in (None, self._sequence)

    def receive_notify(self, notify: Request, now: float) -> ReferProgress | ReferEnded | None:
        """Take in news."""
        self._expires_at = now + _PATIENCE
        match = _SIPFRAG.match(notify.body)
        status = int(match[1]) if match else None
        if status is not None and status >= 200:
            return self._end(status)
        state = (notify.headers.get("Subscription-State") or "").partition(";")[0]
        if state.strip().lower() == "terminated":
            return self._end(408)  # the peer will tell no more, and told no outcome
        return None if status is None else ReferProgress(status)

    def wake(self, now: float) -> ReferEnded | None:
        """Give up a transfer of which nothing is heard."""
        if self.is_pending and now >= self._expires_at:
            return self._end(408)
        return None

    def _end(self, status: int) -> ReferEnded:
        self.is_pending = False
        return ReferEnded(status)

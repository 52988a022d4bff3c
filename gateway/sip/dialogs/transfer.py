"""A blind transfer we ask for: one REFER and the news of it (RFC 3515, RFC 7647, RFC 4488)."""

import re
from collections.abc import Callable
from typing import Final

from ..ways.posted import OnResponse
from ..wire.message import Request, Response, response_to
from ..wire.uri import Uri
from .line import Line
from .screening import bad_event
from .session_events import ReferEnded, ReferProgress

__all__ = ["Transfer"]

_SIPFRAG: Final = re.compile(rb"\s*SIP/2\.0 ([1-6]\d\d)\b", re.IGNORECASE)
_PATIENCE: Final = 180.0  # seconds without news: as long as a phone may ring


class Transfer:
    """The transfers of one call, one at a time."""

    def __init__(
        self,
        line: Line,
        tell: Callable[[ReferProgress | ReferEnded], None],
        on_response: OnResponse,
    ) -> None:
        self._line = line
        self._tell = tell
        self._on_response = on_response
        self._refer: Request | None = None  # the latest
        self._has_given_up = False  # one was begun while another was under way
        self._expires_at: float | None = None

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called."""
        return self._expires_at

    def start(self, target: Uri, referred_by: Uri, now: float) -> None:
        """Ask the peer to call ``target``; of one that is under way nothing more is told.

        Raises:
            SipError: There is no dialog.

        """
        request = self._line.request("REFER")
        request.headers.add("Refer-To", f"<{target}>")
        request.headers.add("Referred-By", f"<{referred_by}>")
        self._has_given_up = self._has_given_up or self._expires_at is not None
        self._refer = request
        self._expires_at = now + _PATIENCE

        def on_response(response: Response, now: float) -> None:
            if request is self._refer:
                self._receive_response(response)
            self._on_response(response, now)

        self._line.send(request, now, on_response)

    def receive(self, key: str, notify: Request, now: float) -> None:
        """Take in a NOTIFY: news of the transfer, or of nothing we asked for."""
        event, *params = (notify.headers.get("Event") or "").replace(" ", "").split(";")
        about = next((p[3:] for p in params if p.lower().startswith("id=")), None)
        # News without a name is of the first REFER of a dialog (RFC 3515, section 2.4.6), or of the
        # only one; many forget the name.
        if event.lower() != "refer":
            self._line.courier.respond(key, bad_event(notify), now)
            return
        sequence = str(self._refer.cseq.number) if self._refer is not None else ""
        is_ours = about == sequence or (about is None and not self._has_given_up)
        is_known = is_ours and self._expires_at is not None
        self._line.courier.respond(key, response_to(notify, 200 if is_known else 481), now)
        if is_known:
            self._expires_at = now + _PATIENCE
            self._receive_news(notify)

    def wake(self, now: float) -> None:
        """Give up a transfer of which nothing is heard."""
        if self._expires_at is not None and now >= self._expires_at:
            self._end(408)

    def _receive_response(self, response: Response) -> None:
        if response.status < 200 or self._expires_at is None:
            return
        has_news = (response.headers.get("Refer-Sub") or "").strip().lower() != "false"
        if response.status < 300 and has_news:
            self._tell(ReferProgress(response.status))
        else:
            self._end(response.status)

    def _receive_news(self, notify: Request) -> None:
        match = _SIPFRAG.match(notify.body)
        status = int(match[1]) if match else None
        state = (notify.headers.get("Subscription-State") or "").partition(";")[0]
        if status is not None and status >= 200:
            self._end(status)
        elif state.strip().lower() == "terminated":
            self._end(408)  # the peer will tell no more, and told no outcome
        elif status is not None:
            self._tell(ReferProgress(status))

    def _end(self, status: int) -> None:
        self._expires_at = None
        self._tell(ReferEnded(status))

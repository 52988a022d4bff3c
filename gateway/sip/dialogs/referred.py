"""The peer asks us to call somebody else: one REFER and our news of it.

RFC 3515, with the limits of RFC 7647, without a subscription where none is wanted (RFC 4488),
on whose behalf (RFC 3892), and as events go (RFC 6665).
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from ...errors import SipError
from ..deadline import earliest
from ..wire.headers import NameAddr
from ..wire.message import REASONS, Request, Response, response_to
from .line import Line
from .replaces import Replaces
from .screening import bad_event
from .session_events import ReferReceived

__all__ = ["Referred"]

_SCHEMES: Final = ("sip", "sips", "tel")
_LIFE: Final = 180  # seconds of a subscription: as long as a phone may ring
_GRACE: Final = 5.0  # seconds the peer has to hang up once its call is in other hands
_LONGEST: Final = 1024  # characters of a Refer-To
_ACTIVE: Final = "active"
_NO_MORE: Final = "terminated;reason=noresource"
_TIMED_OUT: Final = "terminated;reason=timeout"
# Answers to news that end a subscription (RFC 6665, section 4.2.2).
_GONE: Final = frozenset({404, 405, 408, 410, 416, *range(480, 486), 489, 501, 604})


class Referred:
    """The REFERs of one call, one at a time.

    The owner is told by ``ReferReceived`` and says :meth:`accept` or :meth:`refuse`, then
    :meth:`report` until that is final.  It may report on when the call is over.
    """

    def __init__(
        self,
        line: Line,
        tell: Callable[[ReferReceived], None],
        on_change: Callable[[], None],
        *,
        is_welcome: bool,
    ) -> None:
        self._line = line
        self._tell = tell
        self._on_change = on_change
        self._is_welcome = is_welcome
        self._asked: tuple[str, Request] | None = None  # and not yet answered
        self._is_open = False  # accepted, and not yet decided
        self._is_told = False  # there is a subscription
        self._count = 0
        self._event = "refer"  # with a name where there was one before
        self._status = 100  # last reported
        self._news = ""  # the Subscription-State that is to be told next
        self._is_busy = False  # what was told is not yet answered
        self._expires_at: float | None = None
        self._leaves_at: float | None = None

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called."""
        return earliest(self._expires_at, self._leaves_at)

    def receive(self, key: str, request: Request, now: float) -> None:
        """Take in a REFER; answer for itself one that the owner need not see."""
        try:
            event = self._read(request)
        except SipError as error:
            self._respond(key, request, error.status, str(error), now)
            return
        self._asked = (key, request)
        self._tell(event)

    def accept(self, now: float) -> None:
        """Say that it will be tried."""
        if self._asked is None:
            return
        (key, request), self._asked = self._asked, None
        self._count += 1
        self._is_open, self._status = True, 100
        self._event = "refer" if self._count == 1 else f"refer;id={request.cseq.number}"
        wish = (request.headers.get("Refer-Sub") or "").partition(";")[0].strip().lower()
        self._is_told = wish != "false"
        response = response_to(request, 202)
        response.headers.set("Contact", self._line.contact(self._line.flow))
        if not self._is_told:
            response.headers.set("Refer-Sub", "false")
        self._line.courier.respond(key, response, now)
        self._expires_at = now + _LIFE if self._is_told else None
        self._notify(now)
        self._on_change()

    def refuse(self, status: int, words: str, now: float) -> None:
        """Say that it will not be done."""
        if self._asked is not None:
            (key, request), self._asked = self._asked, None
            self._respond(key, request, status, words, now)

    def report(self, status: int, now: float) -> None:
        """Tell how far it has come; a final status ends the matter."""
        if not self._is_open or status == self._status:
            return
        is_told, self._status, self._is_open = self._is_told, status, status < 200
        if self._is_open:
            self._notify(now)
        else:
            self._finish(_NO_MORE, now)
        if 200 <= status < 300:
            self._leaves_at = now + (_GRACE if is_told else 0.0)
        self._on_change()

    def subscribe(self, key: str, request: Request, now: float) -> None:
        """Take in a SUBSCRIBE: to the news of a REFER, longer or no more (RFC 3515, 2.4.4)."""
        event = (request.headers.get("Event") or "").lower().replace(" ", "")
        if event.partition(";")[0] != "refer":
            self._line.courier.respond(key, bad_event(request), now)
        elif not self._is_told or event not in (self._event, "refer"):
            self._respond(key, request, 481, None, now)
        else:
            asked = request.expires
            life = _LIFE if asked is None else min(asked, _LIFE)
            response = response_to(request, 200)
            response.headers.set("Contact", self._line.contact(self._line.flow))
            response.headers.set("Expires", str(life))
            self._line.courier.respond(key, response, now)
            self._expires_at = now + life
            if life:
                self._notify(now)
            else:
                self._finish(_TIMED_OUT, now)
            self._on_change()

    def wake(self, now: float) -> bool:
        """Run what is due; returns whether the peer, who should have hung up, has not."""
        if self._expires_at is not None and now >= self._expires_at:
            self._finish(_TIMED_OUT, now)
        is_left = self._leaves_at is not None and now >= self._leaves_at
        if is_left:
            self._leaves_at = None
        return is_left

    def _read(self, request: Request) -> ReferReceived:
        if not self._is_welcome:
            raise SipError("Transfers are not accepted from here", status=403)
        if self._asked is not None or self._is_open:
            raise SipError("A transfer is under way", status=491)
        values = request.headers.values("Refer-To")
        if len(values) != 1 or len(values[0]) > _LONGEST:
            raise SipError("One Refer-To is required")
        target = NameAddr.parse(values[0]).uri
        if target.scheme not in _SCHEMES:
            raise SipError("Nobody can be called by such an address", status=416)
        if (target.params.get("method") or "INVITE").upper() != "INVITE":
            raise SipError("Only an INVITE may be asked for", status=403)
        headers = {name.lower(): unquote(value) for name, value in target.headers.items()}
        replaces = headers.get("replaces", "")
        if replaces:
            Replaces.parse(replaces)
        by = request.headers.get("Referred-By") or headers.get("referred-by", "")
        params = {name: value for name, value in target.params.items() if name != "method"}
        plain = target.replace(params=params, headers={})
        return ReferReceived(plain, replaces, _referrer(by))

    def _finish(self, state: str, now: float) -> None:
        """End the subscription with a last word."""
        self._notify(now, state)
        self._is_told, self._expires_at = False, None

    def _notify(self, now: float, state: str = _ACTIVE) -> None:
        """Tell how far it has come, once what was told before is answered."""
        if self._is_told:
            self._news = state
            self._send_news(now)

    def _send_news(self, now: float) -> None:
        if self._is_busy or not self._news:
            return
        state, self._news = self._news, ""
        if state == _ACTIVE:
            state += f";expires={round((self._expires_at or now) - now)}"
        body = f"SIP/2.0 {self._status} {REASONS.get(self._status, 'Unknown')}\r\n"
        request = self._line.request("NOTIFY", body.encode(), "message/sipfrag;version=2.0")
        request.headers.set("Event", self._event)
        request.headers.set("Subscription-State", state)
        self._is_busy = True
        self._line.send(request, now, self._on_response)

    def _on_response(self, response: Response, now: float) -> None:
        """Go on, unless nobody listens; the call does in any case (RFC 5057, section 5.2)."""
        if response.status < 200:
            return
        self._is_busy = False
        if response.status in _GONE:
            self._is_told, self._expires_at, self._news = False, None, ""
        self._send_news(now)
        self._on_change()

    def _respond(
        self, key: str, request: Request, status: int, words: str | None, now: float
    ) -> None:
        self._line.courier.respond(key, response_to(request, status, words), now)


def _referrer(text: str) -> str:
    """Return who asks, as it is told on; what cannot be read is left out."""
    try:
        address = NameAddr.parse(text)
    except SipError:
        return ""
    return f"<{address.uri}>" if len(text) <= _LONGEST else ""

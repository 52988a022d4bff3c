"""How long a call lives that nobody refreshes, and who refreshes it (RFC 4028).

The two sides agree on it anew with each 2xx to an INVITE or UPDATE.  A side that knows no such
timer is refreshed by us, and never runs out by itself.
"""

from typing import Final, NamedTuple

from ...errors import SipError
from ..admission import Policy
from ..deadline import earliest
from ..wire.grammar import parse_number, parse_params
from ..wire.message import Message, Request, Response, response_to

__all__ = ["TIMER", "SessionTimer", "timer_refusal"]

TIMER: Final = "timer"
_SHORTEST: Final = 90  # section 4: no Min-SE is below it
_LONGEST: Final = 86_400  # seconds; who wants more than a day is not followed
_MOST_RAISES: Final = 3  # that one request makes for a 422
_SOON: Final = 2.0  # seconds until a refresh is tried again that could not be sent


class _Asked(NamedTuple):
    seconds: int
    refresher: str  # "uac", "uas", or empty


class SessionTimer:
    """The timer of one session."""

    def __init__(self, policy: Policy) -> None:
        self.seconds = 0  # agreed; 0: the call is not limited
        self.is_ours = False  # the refreshes are ours to send
        self._policy = policy
        self._least = max(policy.min_se, _SHORTEST)  # the peer may have asked for more
        self._raises = 0
        self._asked_at = 0.0
        self._asked = 0  # seconds; 0: for no limit
        self._refresh_at: float | None = None
        self._expires_at: float | None = None

    @property
    def deadline(self) -> float | None:
        """When something is next to be done, or ``None`` for never."""
        return earliest(self._refresh_at, self._expires_at)

    def ask(self, request: Request, now: float) -> None:
        """Say in an INVITE or UPDATE of ours how long the session shall live (section 7)."""
        self._asked_at = now
        self._asked = seconds = self._wanted
        if not seconds:
            return
        for name in ("Session-Expires", "Min-SE"):
            request.headers.remove(name)
        role = {True: ";refresher=uac", False: ";refresher=uas"}[self.is_ours]
        request.headers.add("Session-Expires", f"{seconds}{role if self.seconds else ''}")
        if self._least > _SHORTEST:
            request.headers.add("Min-SE", str(self._least))

    def agree(self, response: Response, now: float) -> None:
        """Take in a 2xx to a request of ours; it may shorten what we asked for (section 7.2)."""
        asked = _read(response)
        # The peer counts from when a refresh came, though its answer to us may have been lost.
        since = self._asked_at if self.seconds else now
        if asked is not None:
            seconds = max(min(asked.seconds, self._asked or asked.seconds), _SHORTEST)
            self._start(seconds, asked.refresher != "uas", now, since=since)
        else:
            self._start(self._wanted, True, now, since=since, is_shared=False)

    def answer(self, request: Request, response: Response, now: float) -> None:
        """Say in a 2xx of ours how long the session lives, and who refreshes it (section 9).

        That is never longer than was asked for, which the section forbids.  What is too short for
        us is therefore left out where no 422 could help, as the caller knows no timer and a proxy
        asked: nobody limits the call then, and we refresh it as often as we would ourselves.
        """
        asked = _read(request)
        limit, shortest = self._policy.session_expires, _min_se(request)
        wanted = asked.seconds if asked is not None else limit or self.seconds
        if wanted < max(self._policy.min_se, _SHORTEST) or shortest > _LONGEST:
            self._start(limit or self.seconds, True, now, is_shared=False)
            return
        seconds = max(min(wanted, limit or _LONGEST), self._least, shortest)
        if asked is not None:
            seconds = min(seconds, asked.seconds)
        is_shared = TIMER in request.supported or TIMER in request.require
        refresher = asked.refresher if asked is not None else ""
        if not is_shared or refresher == "uas":
            is_ours = True
        else:
            is_ours = self.is_ours and self.seconds > 0 and refresher != "uac"
        response.headers.set(
            "Session-Expires", f"{seconds};refresher={'uas' if is_ours else 'uac'}"
        )
        if not is_ours:
            response.headers.add("Require", TIMER)
        self._start(seconds, is_ours, now, is_shared=is_shared)

    def raise_to(self, refusal: Response) -> bool:
        """Ask for more from now on, as a 422 wants it; ``False`` where that is no more (7.4).

        Nor is one that wants more than a day followed, or the fourth for one request.
        """
        least = _min_se(refusal)
        is_more = max(self._least, self._wanted) < least <= _LONGEST
        if refusal.status != 422 or not is_more or self._raises >= _MOST_RAISES:
            self._raises = 0
            return False
        self._raises += 1
        self._least = least
        return True

    def take_due(self, now: float) -> bool:
        """Return, once, whether a refresh is to be sent."""
        if self._refresh_at is None or now < self._refresh_at:
            return False
        self._refresh_at = None
        return True

    def is_over(self, now: float) -> bool:
        """Whether the session has run out."""
        return self._expires_at is not None and now >= self._expires_at

    def put_off(self, now: float) -> None:
        """Send the refresh a little later: it would meet something that is under way."""
        self._refresh_at = now + _SOON

    def refused(self, response: Response, now: float, wait: float | None = None) -> None:
        """Take note that a refresh was refused: who refuses still knows the call.

        It is sent again after ``wait``, or when the peer says, or else after a quarter of the time.
        """
        after = response.retry_after
        if wait is None:
            wait = self.seconds / 4 if after is None else max(after, _SOON)
        self._refresh_at = now + min(wait, self.seconds / 2)
        is_heard = response.status != 503 or after is not None  # else our own transport may say so
        if is_heard and self._expires_at is not None:
            self._expires_at = now + self.seconds

    def stop(self) -> None:
        """Watch no more: the call is over."""
        self._refresh_at = self._expires_at = None

    @property
    def _wanted(self) -> int:
        seconds = self.seconds or self._policy.session_expires
        return max(seconds, self._least) if seconds else 0

    def _start(
        self,
        seconds: int,
        is_ours: bool,
        now: float,
        *,
        since: float | None = None,
        is_shared: bool = True,
    ) -> None:
        self.seconds, self.is_ours, self._raises = seconds, is_ours, 0
        self.stop()
        if not seconds:
            return
        if is_ours:
            self._refresh_at = (now if since is None else since) + seconds / 2
        if is_shared:
            self._expires_at = now + seconds - (0 if is_ours else min(32, seconds / 3))


def timer_refusal(request: Request, policy: Policy, to_tag: str | None = None) -> Response | None:
    """Return the 422 to a request for a session too short, or ``None`` when it is long enough."""
    asked = _read(request)
    least = max(policy.min_se, _SHORTEST)
    if asked is None or asked.seconds >= least or TIMER not in request.supported:
        return None
    response = response_to(request, 422, to_tag=to_tag)
    response.headers.add("Min-SE", str(least))
    return response


def _read(message: Message) -> _Asked | None:
    value, _, params = (message.headers.get("Session-Expires") or "").partition(";")
    seconds = parse_number(value.strip())
    if seconds is None:
        return None
    try:
        refresher = parse_params(f";{params}").get("refresher") or "" if params else ""
    except SipError:
        refresher = ""
    return _Asked(seconds, refresher.lower())


def _min_se(message: Message) -> int:
    return parse_number((message.headers.get("Min-SE") or "").partition(";")[0].strip()) or 0

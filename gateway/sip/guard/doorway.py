"""What becomes of a stranger's message: let in by its merits, or turned away in one breath.

Nothing is kept of who is turned away: no transaction, so no answer that is repeated until
somebody acknowledges it (RFC 3261 section 8.2.7 has such stateless servers).  At most one small
answer goes back for each message that came, whatever address it claims to come from, and it
tells no more than that it was refused.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from ...errors import SipError
from ..admission import Verdict
from ..flow import Flow
from ..transactions.layer import TransactionLayer
from ..wire.message import MessageError, Request, Response, response_to, stamp_received
from .guard import Guard

__all__ = ["Doorway", "Judge"]

Judge: TypeAlias = Callable[[Request, Flow], Verdict]

_ESSENTIAL: Final = ("Via", "From", "To", "Call-ID", "CSeq")
# What is held against whoever gets such an answer.  Being busy is our affair, and a 401 asks:
# whoever has the password needs one for each request, and may send several at once.
_GROUNDS: Final = {
    400: "malformed",
    403: "of no trunk",
    404: "no such user",
}
_LARGEST_ANSWER: Final = 1300  # bytes
_HERE: Final = ("127.0.0.1", "::1")
_MOST_GAIN: Final = 3  # times as long as what came; whoever forges an address gains no more


class Doorway:
    """Stands between the wire and the transactions.

    Args:
        guard: Whom to ask who is a stranger; without one there are none.
        layer: The transactions; what belongs to one of them may pass.
        accepts: Judges a request from outside any call.
        belongs: Tells whether a request belongs to a call that is up.
        secret: Makes our tags in such answers unknown to others, and the same for each copy.
        name: What we call ourselves to strangers on this machine; no other is told.

    """

    def __init__(
        self,
        guard: Guard | None,
        layer: TransactionLayer,
        accepts: Judge,
        belongs: Callable[[Request], bool],
        *,
        secret: str,
        name: str,
    ) -> None:
        self._guard = guard
        self._layer = layer
        self._accepts = accepts
        self._belongs = belongs
        self._secret = secret.encode()
        self._name = name
        self._judged: tuple[Request, Verdict] | None = None

    def admits(self, data: bytes, flow: Flow, now: float) -> bool:
        """Decide whether a message, yet unread, is to be read."""
        return self._guard is None or self._guard.admits(data, flow, now)

    def spoke_to(self, flow: Flow, now: float) -> None:
        """Take note that we sent a request there."""
        if self._guard is not None:
            self._guard.vouch(flow, now)

    def verdict_of(self, request: Request, flow: Flow) -> Verdict:
        """Return what was or is now decided of a request from outside any call."""
        judged, self._judged = self._judged, None
        if judged is not None and judged[0] is request:
            return judged[1]
        return self._accepts(request, flow)

    def refused(self, flow: Flow, why: str, now: float) -> None:
        """Take note that somebody's request was refused, and why."""
        if self._guard is not None:
            self._guard.refused(flow, why, now)

    def turns_away(self, request: Request, flow: Flow, now: float, *, size: int) -> bool:
        """Deal with a stranger's request of ``size`` bytes, unless it may come in."""
        guard = self._guard
        if guard is None or not guard.is_stranger(flow, now) or self._layer.is_known(request):
            return False
        if self._belongs(request):
            guard.vouch(flow, now)
            return False
        if request.method == "ACK":
            guard.stats.strangers_unanswered += 1
        elif request.to.tag is not None:
            self._answer(request, Verdict(481, why="no such call"), flow, now, size)
        else:
            verdict = self._judge(request, flow)
            if verdict.lets_in:
                self._judged = request, verdict
                guard.vouch(flow, now)
                return False
            self._answer(request, verdict, flow, now, size)
        return True

    def turns_away_malformed(
        self, error: MessageError, flow: Flow, now: float, *, size: int
    ) -> bool:
        """Deal with what a stranger sent that cannot be read."""
        guard, request = self._guard, error.answerable
        if guard is None or not guard.is_stranger(flow, now):
            return False
        if request is not None and all(name in request.headers for name in _ESSENTIAL):
            self._answer(request, Verdict(error.status, why="malformed"), flow, now, size)
        else:
            guard.refused(flow, "malformed", now)
            guard.stats.strangers_unanswered += 1
        return True

    def _judge(self, request: Request, flow: Flow) -> Verdict:
        """Have a request judged of which nothing but its frame has been looked at yet."""
        try:
            return self._accepts(request, flow)
        except SipError as error:
            return Verdict(error.status or 400)

    def _answer(
        self, request: Request, verdict: Verdict, flow: Flow, now: float, size: int
    ) -> None:
        """Say no, with as many challenges as there is room for: one is enough."""
        guard = self._guard
        assert guard is not None
        if why := verdict.why or _GROUNDS.get(verdict.status, ""):
            guard.refused(flow, why, now)
        stamp_received(request, flow.remote)
        most = min(_LARGEST_ANSWER, _MOST_GAIN * size)
        headers = list(verdict.headers)
        if flow.remote[0] in _HERE:
            headers.insert(0, ("Server", self._name))
        answer = self._refusal(request, verdict.status, headers)
        while len(headers) > 1 and len(bytes(answer)) > most:
            headers.pop()
            answer = self._refusal(request, verdict.status, headers)
        if guard.is_stealthy or len(bytes(answer)) > most:
            guard.stats.strangers_unanswered += 1
            return
        guard.stats.strangers_answered += 1
        self._layer.send_direct(answer, flow)

    def _refusal(
        self, request: Request, status: int, headers: Iterable[tuple[str, str]]
    ) -> Response:
        answer = response_to(request, status, to_tag=self._tag_for(request))
        for name, value in headers:
            answer.headers.add(name, value)
        return answer

    def _tag_for(self, request: Request) -> str:
        parts = (request.headers.get(name) or "" for name in ("Via", "From", "Call-ID", "CSeq"))
        text = "\n".join(parts).encode("utf-8", "surrogateescape")
        return hashlib.blake2s(text, key=self._secret[:32], digest_size=8).hexdigest()

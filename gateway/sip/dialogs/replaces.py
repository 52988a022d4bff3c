"""Whose place a new call asks to take (RFC 3891)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from ...errors import SipError
from ..wire.grammar import parse_params
from ..wire.message import Request
from .session_state import SessionState

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Predecessors", "Replaces"]

_MOST_REMEMBERED: Final = 4096
_EARLY: Final = (SessionState.CALLING, SessionState.EARLY)


@dataclass(frozen=True, slots=True)
class Replaces:
    """One Replaces header: a dialog, its tags as whoever receives the header knows them."""

    call_id: str
    to_tag: str  # the receiver's own
    from_tag: str
    is_early_only: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``call-id;to-tag=…;from-tag=…``, with ``early-only`` where that is meant.

        Raises:
            SipError: It names no dialog.

        """
        call_id, semicolon, rest = text.strip().partition(";")
        params = parse_params(semicolon + rest)
        to_tag, from_tag = params.get("to-tag"), params.get("from-tag")
        if not call_id or not to_tag or not from_tag:
            raise SipError("Replaces names no dialog")
        return cls(call_id, to_tag, from_tag, "early-only" in params)

    @classmethod
    def of(cls, request: Request) -> Self:
        """Read the one Replaces of a request.

        Raises:
            SipError: There are several, or a Join as well, or it cannot be read.

        """
        values = request.headers.values("Replaces")
        if len(values) != 1 or "Join" in request.headers:
            raise SipError("One Replaces is required, and no Join")
        return cls.parse(values[0])


class Predecessors:
    """Finds the call whose place is asked for.

    Of calls that are over the last 4,096 are remembered, to be told from those that never were.
    """

    def __init__(self, sessions: Mapping[tuple[str, str], "Session"]) -> None:
        self._sessions = sessions
        self._over: dict[tuple[str, str], None] = {}

    def note_end(self, session: "Session") -> None:
        """Remember a call that is over."""
        self._over[session.call_id, session.local_tag] = None
        if len(self._over) > _MOST_REMEMBERED:
            del self._over[next(iter(self._over))]

    def find(self, replaces: Replaces) -> "Session":
        """Return the call whose place may be taken (section 3).

        Raises:
            SipError: There is none (481), it is over (603), it is answered and only an early
                one was meant (486).

        """
        name = replaces.call_id, replaces.to_tag
        session = self._sessions.get(name)
        if session is None or not session.has_peer(replaces.from_tag):
            raise SipError("no such call", status=603 if name in self._over else 481)
        if not session.is_live:
            raise SipError("the call is over", status=603)
        if session.state in _EARLY and not session.is_ours:
            raise SipError("the call still rings here", status=481)
        if session.state not in _EARLY and replaces.is_early_only:
            raise SipError("the call is answered", status=486)
        return session

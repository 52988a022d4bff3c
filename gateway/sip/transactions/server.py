"""The server side: a request from one neighbour and its answer (RFC 3261 17.2, RFC 6026)."""

from typing import ClassVar, Final

from ..wire.message import response_to
from ..wire.model import Request, Response
from .machine import Action, Input, Phase, State, Table, Transaction
from .timers import Timers

__all__ = ["INVITE_SERVER", "NON_INVITE_SERVER", "InviteServer", "NonInviteServer"]

# Figure 7 of RFC 3261 with the Accepted state of RFC 6026: a 2xx is repeated by
# the dialog, not here, and a copy of the INVITE after it is absorbed.
INVITE_SERVER: Final[Table] = {
    (State.PROCEEDING, Input.REQUEST): (State.PROCEEDING, Action.SEND),
    (State.PROCEEDING, Input.RESEND): (State.PROCEEDING, Action.SEND),
    (State.PROCEEDING, Input.PROVISIONAL): (State.PROCEEDING, Action.SEND),
    (State.PROCEEDING, Input.SUCCESS): (State.ACCEPTED, Action.SEND),
    (State.PROCEEDING, Input.REFUSAL): (State.COMPLETED, Action.SEND),
    (State.ACCEPTED, Input.SUCCESS): (State.ACCEPTED, Action.SEND),
    (State.ACCEPTED, Input.ACK): (State.ACCEPTED, Action.PASS),
    (State.ACCEPTED, Input.EXPIRE): (State.TERMINATED, Action.NONE),
    (State.COMPLETED, Input.REQUEST): (State.COMPLETED, Action.SEND),
    (State.COMPLETED, Input.RESEND): (State.COMPLETED, Action.SEND),
    (State.COMPLETED, Input.ACK): (State.CONFIRMED, Action.NONE),
    (State.COMPLETED, Input.EXPIRE): (State.TERMINATED, Action.GIVE_UP),
    (State.CONFIRMED, Input.EXPIRE): (State.TERMINATED, Action.NONE),
}

# Figure 8.
NON_INVITE_SERVER: Final[Table] = {
    (State.TRYING, Input.PROVISIONAL): (State.PROCEEDING, Action.SEND),
    (State.TRYING, Input.SUCCESS): (State.COMPLETED, Action.SEND),
    (State.TRYING, Input.REFUSAL): (State.COMPLETED, Action.SEND),
    (State.TRYING, Input.EXPIRE): (State.TERMINATED, Action.NONE),
    (State.PROCEEDING, Input.REQUEST): (State.PROCEEDING, Action.SEND),
    (State.PROCEEDING, Input.PROVISIONAL): (State.PROCEEDING, Action.SEND),
    (State.PROCEEDING, Input.SUCCESS): (State.COMPLETED, Action.SEND),
    (State.PROCEEDING, Input.REFUSAL): (State.COMPLETED, Action.SEND),
    (State.PROCEEDING, Input.EXPIRE): (State.TERMINATED, Action.NONE),
    (State.COMPLETED, Input.REQUEST): (State.COMPLETED, Action.SEND),
    (State.COMPLETED, Input.EXPIRE): (State.TERMINATED, Action.NONE),
}


class _Server(Transaction):
    """A request that came in; its latest response is kept for every copy of it."""

    def __init__(self, request: Request, *, now: float, timers: Timers, reliable: bool) -> None:
        super().__init__(request, now=now, timers=timers, reliable=reliable)
        self._wire = b""

    def receive(self, request: Request, now: float) -> None:
        """Take in a copy of the request, or the ACK that belongs to it."""
        self._take(Input.ACK if request.method == "ACK" else Input.REQUEST, now, request)

    def respond(self, response: Response, now: float) -> None:
        """Send a response; one that comes too late for its kind is not sent."""
        kinds = {1: Input.PROVISIONAL, 2: Input.SUCCESS}
        what = kinds.get(response.status // 100, Input.REFUSAL)
        if (self.state, what) in self.TABLE:
            self._wire = bytes(response)
            self._take(what, now)

    def _copy(self) -> bytes:
        return self._wire


class InviteServer(_Server):
    """An INVITE; says 100 Trying by itself when its user is slow."""

    TABLE: ClassVar = INVITE_SERVER
    FIRST: ClassVar = State.PROCEEDING
    PHASES: ClassVar = {
        State.PROCEEDING: Phase(is_open=True),
        State.ACCEPTED: Phase(expire="patience"),  # timer L
        State.COMPLETED: Phase(resend="t1", cap="t2", expire="patience"),  # timers G and H
        State.CONFIRMED: Phase(expire="t4", lingers=True),  # timer I
    }

    def __init__(self, request: Request, *, now: float, timers: Timers, reliable: bool) -> None:
        super().__init__(request, now=now, timers=timers, reliable=reliable)
        self._resend_at = now + timers.trying

    def respond(self, response: Response, now: float) -> None:
        """Send a response; one that comes too late for its kind is not sent."""
        if self.state is State.PROCEEDING:
            self._resend_at = None  # no 100 is needed any more
        super().respond(response, now)

    def _rearm(self, now: float) -> None:
        if self.state is State.PROCEEDING:
            self._resend_at = None  # the 100 goes out once
        else:
            super()._rearm(now)

    def _copy(self) -> bytes:
        if not self._wire:
            self._wire = bytes(response_to(self.request, 100))
        return self._wire


class NonInviteServer(_Server):
    """Any other request; a final response is kept for as long as copies may come."""

    TABLE: ClassVar = NON_INVITE_SERVER
    FIRST: ClassVar = State.TRYING
    PHASES: ClassVar = {
        State.TRYING: Phase(expire="patience"),  # the sender has given up by then
        State.PROCEEDING: Phase(),
        State.COMPLETED: Phase(expire="patience", lingers=True),  # timer J
    }

"""The client side: a request on its way to one neighbour (RFC 3261 section 17.1, RFC 6026)."""

from typing import ClassVar, Final

from ..wire.fields import Headers
from ..wire.model import Message, Request, Response
from .machine import Action, Input, Phase, State, Table, Transaction
from .timers import Timers

__all__ = ["INVITE_CLIENT", "NON_INVITE_CLIENT", "InviteClient", "NonInviteClient"]

# Figure 5 of RFC 3261 with the Accepted state of RFC 6026.
INVITE_CLIENT: Final[Table] = {
    (State.CALLING, Input.RESEND): (State.CALLING, Action.SEND),
    (State.CALLING, Input.EXPIRE): (State.TERMINATED, Action.GIVE_UP),
    (State.CALLING, Input.PROVISIONAL): (State.PROCEEDING, Action.PASS),
    (State.CALLING, Input.SUCCESS): (State.ACCEPTED, Action.PASS),
    (State.CALLING, Input.REFUSAL): (State.COMPLETED, Action.ACKNOWLEDGE | Action.PASS),
    (State.PROCEEDING, Input.PROVISIONAL): (State.PROCEEDING, Action.PASS),
    (State.PROCEEDING, Input.SUCCESS): (State.ACCEPTED, Action.PASS),
    (State.PROCEEDING, Input.REFUSAL): (State.COMPLETED, Action.ACKNOWLEDGE | Action.PASS),
    # Each 2xx goes up: a copy wants its ACK again, one from another fork wants a BYE.
    (State.ACCEPTED, Input.SUCCESS): (State.ACCEPTED, Action.PASS),
    (State.ACCEPTED, Input.EXPIRE): (State.TERMINATED, Action.NONE),
    (State.COMPLETED, Input.REFUSAL): (State.COMPLETED, Action.ACKNOWLEDGE),
    (State.COMPLETED, Input.EXPIRE): (State.TERMINATED, Action.NONE),
}

# Figure 6.
NON_INVITE_CLIENT: Final[Table] = {
    (State.TRYING, Input.RESEND): (State.TRYING, Action.SEND),
    (State.TRYING, Input.EXPIRE): (State.TERMINATED, Action.GIVE_UP),
    (State.TRYING, Input.PROVISIONAL): (State.PROCEEDING, Action.PASS),
    (State.TRYING, Input.SUCCESS): (State.COMPLETED, Action.PASS),
    (State.TRYING, Input.REFUSAL): (State.COMPLETED, Action.PASS),
    (State.PROCEEDING, Input.RESEND): (State.PROCEEDING, Action.SEND),
    (State.PROCEEDING, Input.EXPIRE): (State.TERMINATED, Action.GIVE_UP),
    (State.PROCEEDING, Input.PROVISIONAL): (State.PROCEEDING, Action.PASS),
    (State.PROCEEDING, Input.SUCCESS): (State.COMPLETED, Action.PASS),
    (State.PROCEEDING, Input.REFUSAL): (State.COMPLETED, Action.PASS),
    (State.COMPLETED, Input.EXPIRE): (State.TERMINATED, Action.NONE),
}


class _Client(Transaction):
    """A request that is sent at once, and repeated until something comes back."""

    def __init__(self, request: Request, *, now: float, timers: Timers, reliable: bool) -> None:
        super().__init__(request, now=now, timers=timers, reliable=reliable)
        self._wire = bytes(request)
        self._sends.append(self._wire)

    def receive(self, response: Response, now: float) -> None:
        """Take in a response from the network."""
        kinds = {1: Input.PROVISIONAL, 2: Input.SUCCESS}
        self._take(kinds.get(response.status // 100, Input.REFUSAL), now, response)

    def _copy(self) -> bytes:
        return self._wire


class InviteClient(_Client):
    """An INVITE, until its final response; acknowledges refusals by itself."""

    TABLE: ClassVar = INVITE_CLIENT
    FIRST: ClassVar = State.CALLING
    PHASES: ClassVar = {
        State.CALLING: Phase(resend="t1", expire="patience"),  # timers A and B
        State.PROCEEDING: Phase(is_open=True),
        State.ACCEPTED: Phase(expire="patience"),  # timer M
        State.COMPLETED: Phase(expire="patience", lingers=True),  # timer D
    }

    def _acknowledge(self, response: Message) -> bytes:
        """Build the ACK to a refusal: the same hop as the INVITE (section 17.1.1.3)."""
        headers, sent = Headers(), self.request.headers
        headers.add("Via", sent.values("Via")[0])
        for name in ("Max-Forwards", "Route", "From", "Call-ID"):
            for value in sent.get_all(name):
                headers.add(name, value)
        headers.add("To", response.headers.get("To") or sent.get("To") or "")
        headers.add("CSeq", f"{self.request.cseq.number} ACK")
        return bytes(Request("ACK", self.request.uri, headers))


class NonInviteClient(_Client):
    """Any other request, until its final response."""

    TABLE: ClassVar = NON_INVITE_CLIENT
    FIRST: ClassVar = State.TRYING
    PHASES: ClassVar = {
        State.TRYING: Phase(resend="t1", cap="t2", expire="patience"),  # timers E and F
        State.PROCEEDING: Phase(resend="t2", cap="t2"),  # timer F runs on
        State.COMPLETED: Phase(expire="t4", lingers=True),  # timer K
    }

"""Our call while it rings, perhaps in several places at once (RFC 3261 12.1.2, RFC 3262 4).

Each place that answers provisionally has a dialog of its own, told apart by its tag.  Where it
sends sound before it answers, the last to describe any is heard: that is how a proxy that tries
one place after the other is followed.
"""

from dataclasses import dataclass
from typing import Final

from ..wire.grammar import parse_number
from ..wire.message import Request, Response
from ..wire.multipart import SDP, description
from .dialog import Dialog
from .invite_out import OutgoingInvite
from .line import Line
from .reliable import RELIABLE

__all__ = ["EarlyDialogs", "Fork"]

_MOST: Final = 32


@dataclass(slots=True)
class Fork:
    """One place where our call rings."""

    dialog: Dialog
    sequence: int | None = None  # of its last reliable response
    sdp: bytes | None = None  # what it last described
    prack: Request | None = None  # waits for our answer to its offer
    our_answer: bytes = b""  # to it


class EarlyDialogs:
    """The dialogs of one INVITE of ours before it is answered; those beyond 32 are ignored."""

    def __init__(self, line: Line) -> None:
        self.ignored = 0
        self._line = line
        self._forks: dict[str, Fork] = {}
        self._asking: Fork | None = None

    def with_tag(self, tag: str) -> Dialog | None:
        """Return the dialog with the one who goes by ``tag``."""
        fork = self._forks.get(tag)
        return fork.dialog if fork is not None else None

    def receive(self, invite: OutgoingInvite, response: Response, now: float) -> bool:
        """Take in a 1xx, and acknowledge one that is reliable; ``False`` when it is no news."""
        tag = response.to.tag
        if not tag:
            return True
        fork = self._forks.get(tag)
        if fork is None:
            if len(self._forks) >= _MOST:
                self.ignored += 1
                return False
            fork = self._forks[tag] = Fork(Dialog.calling(invite.request, response))
        sequence = parse_number(response.headers.get("RSeq") or "")
        is_reliable = RELIABLE in response.require and sequence is not None
        if is_reliable:
            if fork.sequence is not None and sequence != fork.sequence + 1:
                return False  # a copy, or one that came before its turn
            fork.sequence = sequence
        fork.sdp = description(response) or fork.sdp
        if is_reliable:
            self._acknowledge(fork, invite, response, now)
        return True

    def answer(self, invite: OutgoingInvite, sdp: bytes, now: float) -> bool:
        """Answer the offer of a reliable response; ``False`` when there is none."""
        fork = self._asking
        if fork is None or fork.prack is None:
            return False
        prack, fork.prack, self._asking = fork.prack, None, None
        if sdp:
            prack.headers.add("Content-Type", SDP)
            prack.body = sdp
            fork.our_answer = sdp
            invite.is_settled = True
        self._send(fork, prack, now)
        return True

    def confirm(self, invite: Request, response: Response) -> Fork:
        """Return what there is to know of the one who answered, as the answer has it (13.2.2.4)."""
        fork = self._forks.pop(response.to.tag or "", None)
        if fork is None:
            fork = Fork(Dialog.calling(invite, response))
        else:
            fork.dialog.confirm(response)
        fork.sdp = description(response) or fork.sdp
        return fork

    def clear(self) -> None:
        """Forget all of them."""
        self._forks.clear()
        self._asking = None

    def _acknowledge(
        self, fork: Fork, invite: OutgoingInvite, response: Response, now: float
    ) -> None:
        prack = fork.dialog.request("PRACK")
        prack.headers.add("RAck", f"{fork.sequence} {response.headers.get('CSeq')}")
        is_offer = not invite.request.body and not fork.our_answer
        if description(response) is None or not is_offer:
            invite.is_settled = invite.is_settled or fork.sdp is not None
            self._send(fork, prack, now)
        else:
            fork.prack = prack
            self._asking = fork

    def _send(self, fork: Fork, prack: Request, now: float) -> None:
        self._line.send(prack, now, _ignore, dialog=fork.dialog)


def _ignore(response: Response, now: float) -> None:
    """Take no notice: what becomes of the INVITE decides about the call."""

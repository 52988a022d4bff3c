"""What a call can ask of a leg, whatever it is made of."""

from collections.abc import Mapping
from typing import Protocol

__all__ = ["Leg"]


class Leg(Protocol):
    """One human side of a call.

    Nothing here fails: what can no longer be done is not done, and what
    becomes of the rest is told by events.
    """

    @property
    def kind(self) -> str:
        """What it is made of: ``sip``, ``webrtc``, or ``hosted``."""
        ...

    @property
    def id(self) -> str:
        """What the leg is known by on the wire."""
        ...

    @property
    def caller(self) -> str:
        """Who calls: a number or a name, else the whole address."""
        ...

    @property
    def called(self) -> str:
        """Who was called."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """What the signalling said of the call, by header name as it was written."""
        ...

    def ring(self) -> None:
        """Let the caller hear that it rings."""
        ...

    def answer(self) -> None:
        """Take the call; ``LegAnswered`` follows."""
        ...

    def reject(self, status: int, reason: str = "") -> None:
        """Do not take the call; ``LegEnded`` follows."""
        ...

    def redirect(self, target: str) -> None:
        """Send a call not yet answered to ``target`` instead (302); ``LegEnded`` follows."""
        ...

    def hang_up(self, reason: str = "", q850: int = 16) -> None:
        """End the call, however far it has come, for a cause of Q.850; ``LegEnded`` follows."""
        ...

    def hold_end(self, seconds: float) -> None:
        """Have a far end that hangs up wait for :meth:`let_go`, at most for so long."""
        ...

    def let_go(self) -> None:
        """Tell a far end that has hung up that we know of it: all of the call is kept."""
        ...

    def transfer(self, target: str, replaces: str = "") -> None:
        """Ask the far end to call ``target`` instead; ``TransferEnded`` follows.

        With ``replaces`` its call takes the place of the one this names (RFC 3891).
        """
        ...

    def hold(self) -> None:
        """Put the far end on hold."""
        ...

    def resume(self) -> None:
        """Take the far end back."""
        ...

    def send_dtmf(self, digits: str) -> None:
        """Press keys for the far end to hear."""
        ...

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

    def hang_up(self, reason: str = "") -> None:
        """End the call, however far it has come; ``LegEnded`` follows."""
        ...

    def transfer(self, target: str) -> None:
        """Ask the far end to call ``target`` instead; ``TransferEnded`` follows."""
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

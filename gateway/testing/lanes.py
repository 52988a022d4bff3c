"""A lane that makes no sound: it takes down what a leg asks of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ..sdp.negotiate import Negotiated

__all__ = ["NotedLane"]


@dataclass
class NotedLane:
    """Stands in the place of a media lane.

    Attributes:
        host: where its sound would be sent, with ``port``.
        fingerprint: of its certificate; empty where it has none.
        agreed: what was negotiated, each time.
        holds: whether it was to be silent, each time.
        digits: the keys that it was to send.
        ssrc: what its sound would be sent under.
        cname: what its reports would call it.
        is_closed: it was told to.
        refuse: says to the leg that the other side is not who it should be, and why.

    """

    host: str = "192.0.2.2"
    port: int = 40000
    fingerprint: str = ""
    agreed: list[Negotiated] = field(default_factory=list)
    holds: list[bool] = field(default_factory=list)
    digits: list[str] = field(default_factory=list)
    ssrc: int = 0x1234
    cname: str = "4e8a1f2c"
    is_closed: bool = False
    refuse: Callable[[str], None] = field(default=lambda why: None)

    def configure(self, negotiated: Negotiated, on_refused: Callable[[str], None]) -> None:
        """Go on as was negotiated."""
        self.agreed.append(negotiated)
        self.refuse = on_refused

    def hold(self, is_on: bool) -> None:
        """Be silent, or no longer."""
        self.holds.append(is_on)

    def send_digits(self, digits: str) -> None:
        """Send keys."""
        self.digits.append(digits)

    def close(self) -> None:
        """Be gone."""
        self.is_closed = True

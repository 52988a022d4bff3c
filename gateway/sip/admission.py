"""What is decided of a request from outside any call, and what its call is held to."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .credentials.account import Account

__all__ = ["Policy", "Verdict"]

Prack: TypeAlias = Literal["off", "supported", "required"]


@dataclass(frozen=True, slots=True)
class Policy:
    """How the calls of one neighbour are spoken.

    Attributes:
        session_expires: seconds after which a call nobody refreshes is over (RFC 4028); 0 asks
            for no such limit.
        min_se: the shortest such time that we agree to.
        prack: whether provisional responses are made reliable (RFC 3262).
        accepts_transfer: whether the neighbour may send us elsewhere, or put one call in the
            place of another (RFC 3515, RFC 3891).
        trunk: the neighbour's name; empty for one that has none.
        account: who we are where the neighbour asks for a password.

    """

    session_expires: int = 0
    min_se: int = 90
    prack: Prack = "supported"
    accepts_transfer: bool = False
    trunk: str = ""
    account: Account | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a request.

    Attributes:
        status: 200 lets it in; otherwise what it is refused with.
        headers: what the refusal says besides, such as a challenge.
        policy: what a call that it opens is held to.
        why: what the log says of a refusal, now and then, where the status does not say it all.

    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    policy: Policy = Policy()
    why: str = ""

    @property
    def lets_in(self) -> bool:
        """Whether the request may come in."""
        return self.status < 300

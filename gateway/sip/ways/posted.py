"""A request on its way: the target it has come to, those it tried before, those that are left."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ..credentials.account import Account, Tries
from ..flow import Flow
from ..wire.message import Request, Response
from ..wire.uri import bracketed

__all__ = ["Attempt", "OnResponse", "Posted", "unheard"]

_TIMEOUT: Final = 408

OnResponse: TypeAlias = Callable[[Response, float], None]


@dataclass(slots=True, eq=False)
class Attempt:
    """One transaction of a request, with one target."""

    posted: "Posted"
    key: str
    request: Request  # as it went out: its Via names the branch
    flow: Flow
    fallback: Flow | None = None  # where a request too big for a datagram goes when TCP fails
    refusals: int = 0  # datagrams that nobody took
    is_heard: bool = False  # a 1xx came
    has_progress: bool = False  # a 1xx other than 100 came: somebody has been reached
    is_unwanted: bool = False  # to be cancelled, at once or with its first 1xx
    is_cancelled: bool = False

    @property
    def is_current(self) -> bool:
        """Whether no other target has been turned to since, nor has taken the call."""
        return self.posted.current is self

    @property
    def may_turn(self) -> bool:
        """Whether the request may go elsewhere, and there is an elsewhere."""
        is_free = not (self.has_progress or self.is_unwanted or self.posted.is_over)
        return is_free and (self.fallback is not None or bool(self.posted.left))


@dataclass(slots=True, eq=False)
class Posted:
    """What the sender of a request holds, whichever target it goes to."""

    request: Request  # without Via; its Contact is written for ``flow``
    flow: Flow  # to the target heard last, or else tried last
    on_response: OnResponse
    account: Account | None = None
    renumber: Callable[[], int] | None = None
    tries: Tries = field(default_factory=Tries)
    left: deque[Flow] = field(default_factory=deque)
    attempts: dict[str, Attempt] = field(default_factory=dict)  # those open, by their keys
    current: Attempt | None = None
    cancel_reason: str = ""
    is_answered: bool = False  # an INVITE has its first 2xx
    is_unheard: bool = False  # no answer came: what was told in place of one is ours
    is_final: bool = False  # it is not sent again, whatever comes of it
    is_over: bool = False  # nobody waits for what comes of it

    def stay(self) -> None:
        """Turn to no further target, and answer no challenge."""
        self.is_final = True
        self.left.clear()
        for attempt in self.attempts.values():
            attempt.fallback = None


def unheard(status: int, flow: Flow) -> str:
    """Say in words that no answer came, for whatever reason ``status`` stands for."""
    if status == _TIMEOUT:
        return "it does not answer"
    host, port = flow.remote
    return f"no answer: nobody listens at {flow.transport}:{bracketed(host)}:{port}"

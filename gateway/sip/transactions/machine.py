"""What the four SIP transactions share: states, a table, two timers (RFC 3261 section 17).

Each machine is a table ``(state, input) -> (next state, actions)``; an input
with no row is absorbed.  Each state has a *phase*: how its message is repeated
and when it ends.  Nothing here owns a socket or a clock: the owner says what
arrived and what time it is, drains what to send and what happened, and sleeps
until :attr:`Transaction.deadline`.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from ..wire.model import Message, Request
from .timers import Timers

__all__ = [
    "Action",
    "Input",
    "Outcome",
    "Passed",
    "Phase",
    "State",
    "Table",
    "TimedOut",
    "Transaction",
]


class State(enum.Enum):
    """Where a transaction stands, in the words of the RFC."""

    CALLING = enum.auto()
    TRYING = enum.auto()
    PROCEEDING = enum.auto()
    ACCEPTED = enum.auto()  # RFC 6026: answered, still absorbing copies
    COMPLETED = enum.auto()
    CONFIRMED = enum.auto()
    TERMINATED = enum.auto()


class Input(enum.Enum):
    """What can befall a transaction; 1xx, 2xx and more come in for a client, go out of a server."""

    PROVISIONAL = enum.auto()
    SUCCESS = enum.auto()
    REFUSAL = enum.auto()
    REQUEST = enum.auto()  # a copy of the request that began a server transaction
    ACK = enum.auto()
    RESEND = enum.auto()  # the timer between copies: A, E, G; or the one for 100 Trying
    EXPIRE = enum.auto()  # the timer that ends a state: B, D, F, H, I, J, K, L, M


class Action(enum.Flag):
    """What a transition does besides moving on."""

    NONE = 0
    PASS = enum.auto()  # tell the user of the transaction
    SEND = enum.auto()  # send the request, or the latest response, once more
    ACKNOWLEDGE = enum.auto()
    GIVE_UP = enum.auto()  # tell the user that nobody answered


@dataclass(frozen=True, slots=True)
class Phase:
    """The timers of one state; fields name base times of :class:`~.timers.Timers`."""

    resend: str = ""  # first wait before a copy goes out
    cap: str = ""  # longest wait between copies; waits double up to it
    expire: str = ""  # when the state ends; empty leaves the running timer alone
    lingers: bool = False  # only there for copies, which reliable transports do not make
    is_open: bool = False  # no timer at all: ends when its user says so


@dataclass(slots=True)
class Passed:
    """A message that the user of the transaction must see."""

    message: Message


@dataclass(slots=True)
class TimedOut:
    """Nobody answered in time (timers B, F and H)."""


Outcome: TypeAlias = Passed | TimedOut
Table: TypeAlias = Mapping[tuple[State, Input], tuple[State, Action]]


class Transaction:
    """One request and what is said about it, on one hop."""

    TABLE: ClassVar[Table]
    PHASES: ClassVar[Mapping[State, Phase]]
    FIRST: ClassVar[State]

    def __init__(self, request: Request, *, now: float, timers: Timers, reliable: bool) -> None:
        self.request = request
        self.state = self.FIRST
        self._timers = timers
        self._reliable = reliable
        self._interval = 0.0
        self._resend_at: float | None = None
        self._expires_at: float | None = None
        self._sends: list[bytes] = []
        self._outcomes: list[Outcome] = []
        self._enter(now)

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        if self._resend_at is None or self._expires_at is None:
            return self._expires_at if self._resend_at is None else self._resend_at
        return min(self._resend_at, self._expires_at)

    def wake(self, now: float) -> None:
        """Run whatever timers are due at ``now``."""
        if self._expires_at is not None and now >= self._expires_at:
            self._take(Input.EXPIRE, now)
        elif self._resend_at is not None and now >= self._resend_at:
            self._rearm(now)
            self._take(Input.RESEND, now)

    def stop_repeating(self) -> None:
        """Send no further copy in this state."""
        self._resend_at = None

    def end(self) -> None:
        """Stop at once, because the transport failed or the user has gone."""
        self.state = State.TERMINATED
        self._resend_at = self._expires_at = None

    def data_to_send(self) -> list[bytes]:
        """Drain the messages waiting to go out."""
        sends, self._sends = self._sends, []
        return sends

    def events(self) -> list[Outcome]:
        """Drain what happened since the last call."""
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def _take(self, what: Input, now: float, message: Message | None = None) -> None:
        """Make the transition that the table has for ``what``, if it has one."""
        row = self.TABLE.get((self.state, what))
        if row is None:
            return
        before = self.state
        self.state, actions = row
        if self.state is not before:
            self._enter(now)
        if Action.SEND in actions:
            self._sends.append(self._copy())
        if message is not None and Action.ACKNOWLEDGE in actions:
            self._sends.append(self._acknowledge(message))
        if message is not None and Action.PASS in actions:
            self._outcomes.append(Passed(message))
        if Action.GIVE_UP in actions:
            self._outcomes.append(TimedOut())

    def _enter(self, now: float) -> None:
        """Set the timers of the state just reached."""
        if self.state is State.TERMINATED:
            self.end()
            return
        phase = self.PHASES[self.state]
        self._interval = self._time(phase.resend) or 0.0
        repeats = phase.resend and not self._reliable
        self._resend_at = now + self._interval if repeats else None
        if phase.is_open:
            self._expires_at = None
        elif phase.lingers and self._reliable:
            self.end()
        elif phase.expire:
            self._expires_at = now + (self._time(phase.expire) or 0.0)

    def _rearm(self, now: float) -> None:
        cap = self._time(self.PHASES[self.state].cap)
        self._interval = self._interval * 2 if cap is None else min(self._interval * 2, cap)
        self._resend_at = now + self._interval

    def _time(self, name: str) -> float | None:
        return float(getattr(self._timers, name)) if name else None

    def _copy(self) -> bytes:
        """Return the message that this transaction repeats."""
        raise NotImplementedError

    def _acknowledge(self, response: Message) -> bytes:
        raise NotImplementedError

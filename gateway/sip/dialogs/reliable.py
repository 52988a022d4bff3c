"""Provisional responses that are known to arrive: the side that sends them (RFC 3262 section 3).

One at a time: the next goes out when the last is acknowledged by PRACK.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from ...clock import Ids
from ..transactions.repeat import Repeater
from ..transactions.timers import Timers
from ..wire.grammar import parse_number
from ..wire.message import Request, Response

__all__ = ["RELIABLE", "ReliableResponses"]

RELIABLE: Final = "100rel"
_MOST_WAITING: Final = 8


class ReliableResponses:
    """The reliable responses to one INVITE; of more than 8 that wait the newest are dropped."""

    def __init__(
        self,
        timers: Timers,
        ids: Ids,
        build: Callable[[int, bytes | None], Response],
        send: Callable[[Response, float], None],
    ) -> None:
        self.dropped = 0
        self._timers = timers
        self._build = build
        self._send = send
        self._sequence = ids.number(2**31 - 1)
        self._current: Response | None = None  # sent, and not acknowledged
        self._repeater: Repeater | None = None
        self._waiting: deque[tuple[int, bytes | None]] = deque()

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        return self._repeater.deadline if self._repeater is not None else None

    @property
    def holds_description(self) -> bool:
        """Whether a description is on its way of which we do not know that it came."""
        return self._current is not None and bool(self._current.body)

    @property
    def is_given_up(self) -> bool:
        """Whether the PRACK never came."""
        return self._repeater is not None and self._repeater.is_expired

    def add(self, status: int, sdp: bytes | None, now: float) -> None:
        """Send a response as soon as those before it are acknowledged."""
        if len(self._waiting) >= _MOST_WAITING:
            self.dropped += 1
            return
        self._waiting.append((status, sdp))
        self.send_next(now)

    def send_next(self, now: float) -> None:
        """Send the next of those that wait, if it may go."""
        if self._current is not None or not self._waiting:
            return
        self._sequence += 1
        response = self._build(*self._waiting.popleft())
        response.headers.add("Require", RELIABLE)
        response.headers.add("RSeq", str(self._sequence))
        self._current = response
        self._repeater = Repeater(self._timers, now, longest=self._timers.patience)
        self._send(response, now)

    def acknowledge(self, prack: Request) -> Response | None:
        """Return the response that a PRACK is for, or ``None`` where it is for none of ours."""
        if self._current is None:
            return None
        sequence, number, method = [*(prack.headers.get("RAck") or "").split(), "", "", ""][:3]
        asked = self._current.cseq
        if parse_number(sequence) != self._sequence or parse_number(number) != asked.number:
            return None
        if method != asked.method:
            return None
        acknowledged, self._current, self._repeater = self._current, None, None
        return acknowledged

    def forget_waiting(self) -> None:
        """Send none of those that wait: a final response takes their place."""
        self._waiting.clear()

    def stop(self) -> None:
        """Repeat no more: the final response is out; a PRACK on its way is still known."""
        self._waiting.clear()
        self._repeater = None

    def wake(self, now: float) -> None:
        """Repeat the response that is not acknowledged, or give its PRACK up."""
        if self._repeater is not None and self._current is not None and self._repeater.wake(now):
            self._send(self._current, now)

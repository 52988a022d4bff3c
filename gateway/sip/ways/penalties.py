"""Which targets failed lately, so that the next request tries the others first."""

from collections.abc import Iterable
from typing import Final, TypeAlias

from ..flow import Flow
from ..wire.message import Response

__all__ = ["Penalties"]

_SECONDS: Final = 30.0  # for silence, or a connection that fails
_LONGEST: Final = 300.0  # seconds, whatever a Retry-After asks for
_MOST: Final = 256  # targets; the one that has waited longest is let off for a new one

_Target: TypeAlias = tuple[str, tuple[str, int]]


class Penalties:
    """The targets of a user agent that are tried last for a while.

    A target in here is never left out: where all of them are, their order is the
    one they came in.
    """

    def __init__(self) -> None:
        self._until: dict[_Target, float] = {}  # in the order of being put here

    def __len__(self) -> int:
        return len(self._until)

    def add(self, flow: Flow, now: float) -> None:
        """Put off a target that did not answer, or could not be reached."""
        self._put(flow, now + _SECONDS)

    def refused(self, flow: Flow, response: Response, now: float) -> None:
        """Leave a target alone for as long as its 503 asks (RFC 3261 section 21.5.4).

        One without Retry-After is like a 500: it says nothing of the requests to come.
        """
        if seconds := response.retry_after:
            self._put(flow, now + min(seconds, _LONGEST))

    def lift(self, flow: Flow) -> None:
        """Let a target off that has answered."""
        if self._until:
            self._until.pop(_target(flow), None)

    def holds(self, flow: Flow, now: float) -> bool:
        """Whether a target is to be tried last."""
        return self._until.get(_target(flow), now) > now

    def ordered(self, flows: Iterable[Flow], now: float) -> list[Flow]:
        """Return the ways with those to the targets in here last."""
        if not self._until:
            return list(flows)
        return sorted(flows, key=lambda flow: self.holds(flow, now))

    def _put(self, flow: Flow, until: float) -> None:
        target = _target(flow)
        self._until.pop(target, None)
        if len(self._until) >= _MOST:
            del self._until[next(iter(self._until))]
        self._until[target] = until


def _target(flow: Flow) -> _Target:
    return flow.transport, flow.remote

"""One alarm each for many owners, found by the time it is due."""

import heapq
import itertools
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

__all__ = ["Alarms"]

_Owner = TypeVar("_Owner", bound=Hashable)


class Alarms(Generic[_Owner]):
    """Says whose alarm is next; an owner's new alarm takes the place of its old one."""

    def __init__(self) -> None:
        self._times: dict[_Owner, float] = {}
        self._heap: list[tuple[float, int, _Owner]] = []  # with alarms since moved or dropped
        self._count = itertools.count()

    @property
    def deadline(self) -> float | None:
        """When the next alarm is due, or ``None`` for never."""
        heap = self._heap
        while heap and self._times.get(heap[0][2]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def set(self, owner: _Owner, at: float | None) -> None:
        """Give an owner its alarm; ``None`` takes it away."""
        if at is None:
            self._times.pop(owner, None)
        elif at != self._times.get(owner):
            self._times[owner] = at
            heapq.heappush(self._heap, (at, next(self._count), owner))

    def due(self, now: float) -> Iterator[_Owner]:
        """Take out, one by one, the owners whose alarm is due."""
        while (at := self.deadline) is not None and at <= now:
            owner = heapq.heappop(self._heap)[2]
            del self._times[owner]
            yield owner

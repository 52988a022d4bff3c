"""Notices a request that reaches us twice by different ways (RFC 3261 section 8.2.2.2)."""

from collections import deque
from typing import Final, TypeAlias

from ..wire.message import Request
from .timers import Timers

__all__ = ["MergeWatch"]

_Name: TypeAlias = tuple[str, str | None, int, str]
_MOST: Final = 16_384


class MergeWatch:
    """Remembers the requests that opened something, for as long as a copy may come.

    Of more than 16,384 of them within that time the oldest are forgotten early.
    """

    def __init__(self, timers: Timers) -> None:
        self._patience = timers.patience
        self._seen: dict[_Name, float] = {}
        self._order: deque[_Name] = deque()

    def is_merged(self, request: Request, now: float) -> bool:
        """Whether this request, new to its transaction, has come by another way before."""
        while self._order and (self._seen[self._order[0]] <= now or len(self._order) > _MOST):
            del self._seen[self._order.popleft()]
        name = (request.call_id, request.from_.tag, request.cseq.number, request.method)
        if name in self._seen:
            return True
        self._seen[name] = now + self._patience
        self._order.append(name)
        return False

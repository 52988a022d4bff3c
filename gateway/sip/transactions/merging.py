"""Notices a request that reaches us twice by different ways (RFC 3261 section 8.2.2.2)."""

from collections.abc import Callable
from typing import Final, TypeAlias

from ..wire.message import Request

__all__ = ["MergeWatch"]

_Name: TypeAlias = tuple[str, str | None, int, str]
_FEW: Final = 1024


class MergeWatch:
    """Remembers the requests that opened something, for as long as their transactions go on.

    One that was refused, and its refusal acknowledged, goes on no longer: it may come again by
    another way, for whoever sent it turned to us as its next target (RFC 3263 section 4.3).

    Args:
        is_ongoing: Whether the transaction of this key goes on.

    """

    def __init__(self, is_ongoing: Callable[[str], bool]) -> None:
        self._is_ongoing = is_ongoing
        self._seen: dict[_Name, str] = {}  # the keys of their transactions
        self._enough = _FEW  # with so many, those that are over are forgotten

    def __len__(self) -> int:
        return len(self._seen)

    def is_merged(self, key: str, request: Request) -> bool:
        """Whether this request, new to its transaction, has come by another way before."""
        name = (request.call_id, request.from_.tag, request.cseq.number, request.method)
        if name in self._seen and self._is_ongoing(self._seen[name]):
            return True
        if len(self._seen) >= self._enough:
            self._seen = {n: k for n, k in self._seen.items() if self._is_ongoing(k)}
            self._enough = max(_FEW, 2 * len(self._seen))
        self._seen[name] = key
        return False

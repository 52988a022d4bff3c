"""What was made with effort is kept for whoever asks next, and made once for all who ask."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from weakref import WeakValueDictionary

__all__ = ["Made", "Shelf"]

_SHARE: Final = 10  # of the time, a part at most goes into making one thing anew

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Made(Generic[_T]):
    """Something that was made.

    Attributes:
        value: it.
        size: how much room it takes, in bytes.
        lasts: it would always be made like this; else it grows old.

    """

    value: _T
    size: int
    lasts: bool


class Shelf(Generic[_T]):
    """Keeps things by their names; the one that was not asked for the longest goes first.

    Args:
        most_bytes: Room for all; what takes more than half of it is not kept.
        rest: Seconds after which what grows old is made anew, when somebody asks; ten times as
            long as it takes to make, where that is longer.

    """

    def __init__(self, most_bytes: int, *, rest: float = 0.0) -> None:
        self._most_bytes = most_bytes
        self._rest = rest
        self._kept: OrderedDict[str, tuple[Made[_T], float]] = OrderedDict()
        self._bytes = 0
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def get(self, name: str, make: Callable[[], Awaitable[Made[_T] | None]]) -> _T | None:
        """Return what is kept, or is made now; ``None`` where there is nothing to make it of."""
        turn = self._turns.setdefault(name, asyncio.Lock())
        async with turn:
            clock = asyncio.get_running_loop().time
            known = self._kept.get(name)
            if known is not None and clock() < known[1]:
                self._kept.move_to_end(name)
                return known[0].value
            began = clock()
            made = await make()
            self._drop(name)
            if made is None:
                return None
            rest = max(self._rest, _SHARE * (clock() - began))
            self._keep(name, made, math.inf if made.lasts else clock() + rest)
            return made.value

    def _keep(self, name: str, made: Made[_T], until: float) -> None:
        if 2 * made.size > self._most_bytes:
            return
        self._kept[name] = made, until
        self._bytes += made.size
        while self._bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, name: str) -> None:
        known = self._kept.pop(name, None)
        if known is not None:
            self._bytes -= known[0].size

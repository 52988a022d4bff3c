"""An event loop on which nothing takes any time: when all wait, its clock leaps to the next timer.

Example:
    ::

        assert run(patient()) == "an hour later"  # returns at once

"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["VirtualLoop", "run"]

_T = TypeVar("_T")


class _Leap(selectors.SelectSelector):
    """Never waits; what would have been waited is added to ``now``, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready at once, or let the time pass.

        Raises:
            RuntimeError: Nothing is ready and no timer is set: everybody waits for ever.

        """
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everybody waits, and nothing will ever happen")
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose ``time()`` begins at 0 and moves only while all of its tasks wait."""

    def __init__(self) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        """Return the virtual now, in seconds."""
        return self._leap.now


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine, and all it starts, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)

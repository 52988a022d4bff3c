"""Threads for functions that block, so few that they cannot crowd out the gateway."""

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["Threads"]

_T = TypeVar("_T")


class Threads:
    """Runs functions in at most ``most`` threads at a time; others wait for their turn.

    A thread cannot be stopped: where nobody waits for its function any more, it keeps its place
    until that returns.  It keeps nobody from leaving the program.
    """

    def __init__(self, most: int) -> None:
        self._places = asyncio.Semaphore(most)

    async def run(self, function: Callable[[], _T]) -> _T:
        """Return what ``function`` returns, or raise what it raises.

        Raises:
            RuntimeError: It tried to end the program, or there can be no more threads.

        """
        await self._places.acquire()
        loop = asyncio.get_running_loop()
        outcome: concurrent.futures.Future[_T] = concurrent.futures.Future()
        outcome.set_running_or_notify_cancel()

        def work() -> None:
            try:
                outcome.set_result(function())
            except BaseException as error:
                outcome.set_exception(_passable(error))
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(self._places.release)

        try:
            threading.Thread(target=work, name="entry", daemon=True).start()
        except RuntimeError:
            self._places.release()
            raise
        return await asyncio.wrap_future(outcome)


def _passable(error: BaseException) -> Exception:
    """Return an exception that does no harm on an event loop."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(f"it raised {type(error).__name__}")

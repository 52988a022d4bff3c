"""Answers that were not completed: whether they are asked for again, and how often."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from ..realtime.events import ErrorDetail, ResponseInfo
from .actions import Request, Respond, Say
from .asks import Ask, Asks
from .context import Context
from .states import CallState
from .unfinished import incomplete_remark

__all__ = ["Setbacks"]

_MOST_FAILURES: Final = 3
_FIRST_PAUSE: Final = 1.0  # seconds; doubled for each failure that follows
_COME_BACK: Final = re.compile(r"try again in (\d{1,6}(?:\.\d{1,6})?) ?(ms|s)\b")


class Setbacks:
    """Counts what went wrong since an answer was last completed, and has it made good."""

    def __init__(
        self, context: Context, asks: Asks, on_failure: Callable[[ErrorDetail], None]
    ) -> None:
        self._context = context
        self._asks = asks
        self._on_failure = on_failure
        self._failures = 0
        self._is_finishing = False  # an answer left incomplete is being rounded off

    def forget(self) -> None:
        """An answer was completed: all is well."""
        self._failures = 0
        self._is_finishing = False

    def fail(self, request: Say | Respond, error: ErrorDetail) -> None:
        """Ask again after a pause; too often, or in vain, it is a failure of the service."""
        reason = error.message or error.code or "the response failed"
        self._failures += 1
        if self._failures > _MOST_FAILURES or self._context.classify(error) == "terminal":
            self._asks.put_owed(request)  # from the next session, if there is one
            self._on_failure(error)
            return
        pause = max(_FIRST_PAUSE * 2 ** (self._failures - 1), self._told_pause(error))
        self._context.log(f"trying again in {pause:g} s: {reason}")
        self._asks.put_owed(request, not_before=self._context.now + pause)

    def _told_pause(self, error: ErrorDetail) -> float:
        """Return for how long the service wants to be left alone; 0 where a caller cannot wait."""
        told = _COME_BACK.search(error.message or "")
        if told is None:
            return 0.0
        seconds = float(told[1]) * (0.001 if told[2] == "ms" else 1.0)
        return seconds if seconds <= self._context.settings.realtime.reconnect_seconds else 0.0

    def round_off(
        self, response: ResponseInfo, begun: Ask | None, *, is_reserved: bool
    ) -> Sequence[Request]:
        """Have an answer that was left incomplete brought to an end, once.

        Args:
            response: That answer.
            begun: The ask of ours that it answers.
            is_reserved: Whether somebody else has the next word.

        """
        self._context.log(f"response {response.id} is incomplete: {response.reason}")
        is_talk = self._context.state is CallState.TALKING and not is_reserved
        if self._is_finishing or not is_talk or (begun and isinstance(begun.request, Say)):
            return ()
        self._is_finishing = True
        return incomplete_remark(response.reason or "")

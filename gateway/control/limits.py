"""How much one call may take: time, tokens, money.

Before the end the caller is told, where ``call.wind_down`` says what; then comes a goodbye.
"""

from collections.abc import Callable, Sequence
from typing import Final

from .actions import HangUp, Request, Say
from .context import Context
from .events import CallStarted, Event
from .renewal import Renewal
from .states import CallState
from .usage import Usage

__all__ = ["Limits"]

_RESERVE: Final = 15.0  # s; before a session's end that is the call's, to say goodbye in


class Limits:
    """Winds a call down that reached one of its limits, and ends it with a goodbye."""

    def __init__(
        self,
        context: Context,
        usage: Usage,
        renewal: Renewal,
        say_goodbye: Callable[[str], None],
    ) -> None:
        self._context = context
        self._usage = usage
        self._renewal = renewal
        self._say_goodbye = say_goodbye
        self._winds_down_at: float | None = None
        self._ends_at: float | None = None
        self._cause = "time limit"
        self._is_used_up = False  # tokens or money
        self._is_over = False

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        times = (self._winds_down_at, self._ends_at, self._session_ends_at)
        return min((time for time in times if time is not None), default=None)

    @property
    def _session_ends_at(self) -> float | None:
        """When to say goodbye where the call ends with its session; ``None`` where it does not."""
        ends_at = self._renewal.ends_at
        if ends_at is None or self._renewal.is_possible or self._is_over:
            return None
        return ends_at - _RESERVE

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in the call's beginning, or that something was used."""
        call = self._context.settings.call
        if isinstance(event, CallStarted):
            self._ends_at = self._context.now + call.max_seconds
            if call.wind_down:
                notice = min(call.wind_down_seconds, call.max_seconds / 2)
                self._winds_down_at = self._ends_at - notice
        elif 0 < call.max_tokens <= self._usage.total_tokens:
            return self._use_up("token limit")
        elif 0 < call.max_cost <= self._usage.cost:
            return self._use_up("cost limit")
        return ()

    def wake(self) -> Sequence[Request]:
        """Tell the caller, or end the call, as is due."""
        now, session_ends_at = self._context.now, self._session_ends_at
        if session_ends_at is not None and now >= session_ends_at:
            self._finish("session limit")
        elif self._ends_at is not None and now >= self._ends_at:
            self._finish(self._cause)
        elif self._winds_down_at is not None and now >= self._winds_down_at:
            self._winds_down_at = None
            return self._notice()
        return ()

    def _finish(self, cause: str) -> None:
        self._is_over = True
        self._winds_down_at = self._ends_at = None
        self._say_goodbye(cause)

    def _notice(self) -> Sequence[Request]:
        """Return what tells the caller that the end is near."""
        text = self._context.settings.call.wind_down
        return (Say(text),) if text and self._context.state is CallState.TALKING else ()

    def _use_up(self, cause: str) -> Sequence[Request]:
        """Begin to wind down, once; the answer being heard is not cut for it."""
        if self._is_used_up or self._is_over:
            return ()
        self._is_used_up = True
        self._context.log(f"the call has reached its {cause}")
        call, notice = self._context.settings.call, self._notice()
        self._winds_down_at = None
        if notice and call.wind_down_seconds > 0:
            ends_at = self._context.now + call.wind_down_seconds
            if self._ends_at is None or ends_at < self._ends_at:
                self._ends_at, self._cause = ends_at, cause
            return notice
        self._is_over, self._ends_at = True, None
        return (*notice, Say(call.goodbye), HangUp(cause))

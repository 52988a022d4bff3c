"""How much one call may take: time, tokens, money.

Before the end the caller is told, where ``call.wind_down`` says what; then comes a goodbye.
Tokens and money are the agent's: from a line that joins caller and callee it drops out.
"""

from collections.abc import Callable, Sequence
from typing import Final

from .actions import HangUp, Request, Say
from .context import Context
from .events import CallStarted, Event
from .service import Service
from .states import CallState
from .usage import Usage

__all__ = ["Limits"]

_MOSTLY: Final = 0.9  # of tokens or money
_RESERVE: Final = 15.0  # s; before a session's end that is the call's, to say goodbye in


class Limits:
    """Winds a call down that reached one of its limits, and ends it with a goodbye."""

    def __init__(
        self,
        context: Context,
        usage: Usage,
        service: Service,
        say_goodbye: Callable[[str], None],
    ) -> None:
        self._context = context
        self._usage = usage
        self._service = service
        self._renewal = service.renewal
        self._say_goodbye = say_goodbye
        self._winds_down_at: float | None = None
        self._ends_at: float | None = None
        self._is_told = False  # that the end is near
        self._is_over = False
        self._began_at = 0.0

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        times = (
            self._winds_down_at,
            self._ends_at,
            self._session_notice_at,
            self._session_ends_at,
        )
        return min((time for time in times if time is not None), default=None)

    @property
    def _session_ends_at(self) -> float | None:
        """When to say goodbye where the call ends with its session; ``None`` where it does not."""
        ends_at = self._renewal.ends_at
        if ends_at is None or self._renewal.is_possible or self._is_over:
            return None
        return ends_at - _RESERVE

    @property
    def _session_notice_at(self) -> float | None:
        """When to tell the caller of that end, at the earliest when half of the time is over."""
        ends_at, call = self._session_ends_at, self._context.settings.call
        if ends_at is None or not call.wind_down or self._is_told:
            return None
        return ends_at - min(call.wind_down_seconds, (ends_at - self._began_at) / 2)

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in the call's beginning, or that something was used."""
        call = self._context.settings.call
        if isinstance(event, CallStarted):
            self._began_at = self._context.now
            self._ends_at = self._began_at + call.max_seconds
            if call.wind_down:
                notice = min(call.wind_down_seconds, call.max_seconds / 2)
                self._winds_down_at = self._ends_at - notice
            return ()
        return self._count("token limit", self._usage.total_tokens, call.max_tokens) or self._count(
            "cost limit", self._usage.cost, call.max_cost
        )

    def wake(self) -> Sequence[Request]:
        """Tell the caller, or end the call, as is due."""
        now, session_ends_at = self._context.now, self._session_ends_at
        if session_ends_at is not None and now >= session_ends_at:
            self._finish("session limit")
        elif self._ends_at is not None and now >= self._ends_at:
            self._finish("time limit")
        elif self._session_notice_at is not None and now >= self._session_notice_at:
            notice = self._notice()
            self._is_told = True
            return notice
        elif self._winds_down_at is not None and now >= self._winds_down_at:
            self._winds_down_at = None
            return self._notice()
        return ()

    def _finish(self, cause: str) -> None:
        self._is_over = True
        self._winds_down_at = self._ends_at = None
        self._say_goodbye(cause)

    def _notice(self) -> Sequence[Request]:
        """Return what tells the caller, once, that the end is near."""
        text = self._context.settings.call.wind_down
        if self._is_told or not text or self._context.state is not CallState.TALKING:
            return ()
        self._is_told = True
        self._winds_down_at = None
        return (Say(text),)

    def _count(self, cause: str, used: float, most: float) -> Sequence[Request]:
        """Tell the caller once most of it is used, and say goodbye once all of it is.

        The answer being heard is not cut for either; after the goodbye none is asked for.
        """
        if self._is_over or most <= 0 or used < _MOSTLY * most:
            return ()
        is_joined = self._context.is_joined
        if used < most:
            return () if is_joined else self._notice()
        if is_joined:  # it is the agent's limit: the two may talk on
            self._service.lose(f"the call has reached its {cause}")
            return ()
        self._context.log(f"the call has reached its {cause}")
        self._is_over = True
        self._winds_down_at = self._ends_at = None
        return (self._context.settings.goodbye, HangUp(cause))

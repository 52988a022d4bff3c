"""The times that rules wait for, counted from the answer."""

from collections.abc import Sequence

from .actions import Request
from .context import Context
from .events import Event, LegAnswered, TimerElapsed
from .flow_plans import CheckedRule

__all__ = ["Timers"]

_CLOSE = 1e-6  # seconds; times of a clock are added and subtracted


class Timers:
    """Makes ``timer.elapsed`` happen, once for each number of seconds that a rule names."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._answered_at: float | None = None
        self._elapsed: set[float] = set()
        self._rules: tuple[CheckedRule, ...] = ()
        self._seconds: frozenset[float] = frozenset()

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        if self._answered_at is None:
            return None
        waiting = self._wanted() - self._elapsed
        return self._answered_at + min(waiting) if waiting else None

    def handle(self, event: Event) -> Sequence[Request]:
        """Begin to count at the answer."""
        if isinstance(event, LegAnswered) and self._answered_at is None:
            self._answered_at = self._context.now
        return ()

    def wake(self) -> Sequence[Request]:
        """Tell of the times that have come."""
        if self._answered_at is not None:
            passed = self._context.now - self._answered_at
            for seconds in sorted(self._wanted() - self._elapsed):
                if seconds <= passed + _CLOSE:
                    self._elapsed.add(seconds)
                    self._context.derive(TimerElapsed(seconds))
        return ()

    def _wanted(self) -> frozenset[float]:
        """Return the seconds that the present rules name."""
        rules = self._context.settings.rules
        if rules is not self._rules:
            named = (rule.after_seconds for rule in rules)
            self._rules, self._seconds = rules, frozenset(each for each in named if each)
        return self._seconds

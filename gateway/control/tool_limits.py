"""How much a model may ask for: a bad prompt, or a caller's, must not run up a bill."""

from collections import Counter, deque

from .context import Context

__all__ = ["ToolLimits"]

_MINUTE = 60.0


class ToolLimits:
    """Counts the function calls of one call."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._uses: Counter[str] = Counter()
        self._latest: deque[float] = deque()

    def objection(self, name: str) -> str:
        """Say why this one is too much, or return nothing and count it."""
        settings, now = self._context.settings, self._context.now
        while self._latest and now - self._latest[0] >= _MINUTE:
            self._latest.popleft()
        if self._uses.total() >= settings.limits.tool_calls:
            return f"no more than {settings.limits.tool_calls} functions may be used in a call"
        if len(self._latest) >= settings.limits.tool_calls_per_minute:
            per_minute = settings.limits.tool_calls_per_minute
            return f"no more than {per_minute} functions may be used in a minute; wait"
        custom = settings.tools.get(name)
        if custom is not None and self._uses[name] >= custom.most:
            return f"{name} may be used {custom.most} times in a call, and was"
        self._uses[name] += 1
        self._latest.append(now)
        return ""

"""Rate limits as the service announces them, counted honestly."""

from ...realtime.events import RateLimit

__all__ = ["RateWindow"]

_WINDOW = 60.0


class RateWindow:
    """Requests and tokens used within the running minute."""

    def __init__(self, requests: int = 1000, tokens: int = 1_000_000) -> None:
        self._most = {"requests": requests, "tokens": tokens}
        self._used = {"requests": 0, "tokens": 0}
        self._began: float | None = None

    def wait(self, now: float) -> float:
        """Return the seconds until a response may be given; 0 where one may at once."""
        if self._began is None or all(self._used[name] < most for name, most in self._most.items()):
            return 0.0
        return max(0.0, self._began + _WINDOW - now)

    def count(self, tokens: int, now: float) -> list[RateLimit]:
        """Count one response; return what is left."""
        if self._began is None or now - self._began >= _WINDOW:
            self._began = now
            self._used = {"requests": 0, "tokens": 0}
        self._used["requests"] += 1
        self._used["tokens"] += tokens
        reset = _WINDOW - (now - self._began)
        return [
            RateLimit(
                name=name,
                limit=most,
                remaining=max(0, most - self._used[name]),
                reset_seconds=round(reset, 3),
            )
            for name, most in self._most.items()
        ]

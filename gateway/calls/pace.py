"""How many calls a second one neighbour may begin."""

__all__ = ["Pace"]


class Pace:
    """Lets so many through a second, and as many at once; time is an argument."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._most = max(1.0, per_second)
        self._left = self._most
        self._at = 0.0

    def takes(self, now: float) -> bool:
        """Count one more, if there is room for it."""
        self._left = min(self._most, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

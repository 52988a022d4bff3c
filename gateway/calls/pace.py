"""How many calls a second one neighbour may begin, and how many of anything."""

__all__ = ["Pace"]


class Pace:
    """Lets so many through a second, and as many at once; time is an argument.

    ``at_once`` says how many at once where that is another number.
    """

    def __init__(self, per_second: float, at_once: float = 0.0) -> None:
        self._per_second = per_second
        self._most = max(1.0, at_once or per_second)
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

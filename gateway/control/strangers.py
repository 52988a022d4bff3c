"""Events that nobody here knows: each name is logged once, as names may be endless."""

from typing import Final

from .context import Context

__all__ = ["Strangers"]

_MOST: Final = 32
_LONGEST_NAME: Final = 80  # characters in a log line


class Strangers:
    """The names of unknown events that were logged."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._names: set[str] = set()

    def note(self, name: str) -> None:
        """Log an event, the first of its name."""
        if name not in self._names and len(self._names) < _MOST:
            self._names.add(name)
            self._context.log(f"event {name[:_LONGEST_NAME]!r} is not known here")

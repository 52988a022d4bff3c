"""Cuts text that comes in pieces into sentences, each as soon as it is whole."""

import re
from typing import Final

from .phrases import words_of

__all__ = ["Sentences"]

_END: Final = re.compile(r"(?<=[.!?…])[\"'”’)]*\s+|\n+")
_MARKS: Final = re.compile(r"[*_#`]+")  # of Markdown: nothing to be spoken
_LONGEST: Final = 300  # characters without an end are spoken to the last blank before this


class Sentences:
    """One text; feed it as it comes, and end it with :meth:`rest`."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> list[str]:
        """Take in more; return the sentences that are whole by now."""
        *whole, self._held = _END.split(self._held + text)
        while len(self._held) > _LONGEST:
            cut = self._held.rfind(" ", 0, _LONGEST)
            cut = cut if cut > 0 else _LONGEST
            whole.append(self._held[:cut])
            self._held = self._held[cut:]
        return _spoken(whole)

    def rest(self) -> list[str]:
        """Return what is left at the end."""
        held, self._held = self._held, ""
        return _spoken([held])


def _spoken(texts: list[str]) -> list[str]:
    cleaned = (_MARKS.sub("", text).strip() for text in texts)
    return [text for text in cleaned if words_of(text)]

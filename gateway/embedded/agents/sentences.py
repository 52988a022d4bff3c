"""Cuts text that comes in pieces into sentences, each as soon as it is whole."""

import re
from typing import Final

from ..speech.phrases import words_of

__all__ = ["Sentences"]

_END: Final = re.compile(r"[.!?…][\"'”’)*_`]*\s+|\n+")
_MARKS: Final = re.compile(r"[*_#`]+")  # of Markdown: nothing to be spoken
_LONGEST: Final = 300  # characters; what is longer is cut at the last blank before this


class Sentences:
    """One text; feed it as it comes, and end it with :meth:`rest`."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> list[str]:
        """Take in more; return the sentences that are whole by now."""
        held, start = self._held + text, 0
        whole: list[str] = []
        for end in _END.finditer(held):
            whole += _cut(held[start : end.end()])
            start = end.end()
        *parts, self._held = _cut(held[start:])
        return _spoken(whole + parts)

    def rest(self) -> list[str]:
        """Return what is left at the end."""
        held, self._held = self._held, ""
        return _spoken([held])


def _cut(text: str) -> list[str]:
    """Return a text in parts that are not too long; the last one may grow."""
    parts = []
    while len(text) > _LONGEST:
        at = text.rfind(" ", 0, _LONGEST)
        at = at if at > 0 else _LONGEST
        parts.append(text[:at])
        text = text[at:]
    return [*parts, text]


def _spoken(texts: list[str]) -> list[str]:
    cleaned = (_MARKS.sub("", text).strip() for text in texts)
    return [text for text in cleaned if words_of(text)]

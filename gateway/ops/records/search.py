"""What is asked of the calls, as SQL: every word of it is a value, none is part of the text."""

import base64
import binascii
from typing import Any, Final

from ..archive import CallQuery
from .database import Row

__all__ = ["CursorError", "cursor_after", "page_size", "search"]

_MOST: Final = 500  # calls of a page
_MOST_WORDS: Final = 16  # of one search
_INDEXED: Final = 3  # letters, from which on the index of words knows them
_PAST_ALL: Final = "\U0010ffff"  # follows every letter that a number or a name has


class CursorError(ValueError):
    """A cursor is not one of ours."""


class _Conditions:
    """Conditions that all must hold, each with the values that it names."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self.values: list[Any] = []

    def add(self, text: str, *values: Any) -> None:
        """Add one; its ``%`` are places for ``values``, in their order."""
        for value in values:
            self.values.append(value)
            text = text.replace("%", f"${len(self.values)}", 1)
        self._texts.append(text)

    def __str__(self) -> str:
        return f"WHERE {' AND '.join(self._texts)}" if self._texts else ""


def search(query: CallQuery, *, has_index_of_words: bool) -> tuple[str, Row]:
    """Return the question for a page of calls and one more, and its values.

    It gives their records, recordings, starts and names.

    Raises:
        CursorError: The cursor is not one of ours.

    """
    found = _Conditions()
    if query.trunk:
        found.add("trunk = %", query.trunk)
    if query.ended_by:
        found.add("ended_by = %", query.ended_by)
    for column, number in (("caller", query.caller), ("called", query.called)):
        if number:
            found.add(f"{column} >= % AND {column} < %", number, number + _PAST_ALL)
    if query.since is not None:
        found.add("started_at >= %", float(query.since))
    if query.until is not None:
        found.add("started_at < %", float(query.until))
    if query.cursor:
        found.add("(started_at, call_id) < (%, %)", *_position(query.cursor))
    for word in query.q.casefold().replace("\0", " ").split()[:_MOST_WORDS]:
        if has_index_of_words and len(word) >= _INDEXED:
            phrase = '"' + word.replace('"', '""') + '"'
            rows = "SELECT rowid FROM call_words WHERE call_words MATCH %"
            found.add(f"number IN ({rows})", phrase)
        else:
            found.add("words LIKE % ESCAPE '!'", f"%{_escaped(word)}%")
    sql = f"""SELECT record, recording, started_at, call_id FROM calls {found}
        ORDER BY started_at DESC, call_id DESC LIMIT {page_size(query) + 1}"""
    return sql, found.values


def page_size(query: CallQuery) -> int:
    """Return how many calls a page has."""
    return max(1, min(query.limit, _MOST))


def cursor_after(started_at: float, call_id: str) -> str:
    """Return where the page after this call begins, whatever is added meanwhile."""
    return base64.urlsafe_b64encode(f"{started_at!r} {call_id}".encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[float, str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
        started_at, _, call_id = text.partition(" ")
        if not text.isprintable():
            raise ValueError("odd characters")
        return float(started_at), call_id
    except (binascii.Error, ValueError) as error:
        raise CursorError(f"{cursor[:80]!r} is no cursor; use the `next` of a page") from error


def _escaped(word: str) -> str:
    return word.replace("!", "!!").replace("%", "!%").replace("_", "!_")

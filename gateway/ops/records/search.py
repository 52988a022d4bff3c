"""What is asked of the calls, as SQL: every word of it is a value, none is part of the text."""

from typing import Any, Final

from ..archive import CallQuery, position_of
from .database import Row

__all__ = ["page_size", "search"]

_MOST: Final = 500  # calls of a page
_MOST_WORDS: Final = 16  # of one search
_INDEXED: Final = 3  # letters, from which on the index of words knows them
_PAST_ALL: Final = "\U0010ffff"  # follows every letter that a number or a name has


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
        found.add("(started_at, call_id) < (%, %)", *position_of(query.cursor))
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


def _escaped(word: str) -> str:
    return word.replace("!", "!!").replace("%", "!%").replace("_", "!_")

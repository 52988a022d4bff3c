"""What is never written: numbers, keys, what was said, or what happened.

Plain data goes in and plain data comes out, so that whatever a record is made of is looked
through: each text by itself, wherever it stands.  What is left out leaves ``•``.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...config.records import Redaction

__all__ = ["Redactor", "mask_number"]

_HIDDEN: Final = "•"
_SHOWN_FIRST: Final = 3  # of a number that begins with +: the country's, or a part of it
_SHOWN_LAST: Final = 2
_SHORTEST: Final = 7  # digits of what is taken for a number wherever it stands
_NUMBER: Final = re.compile(r"(?<![\w.-])\+?\d(?:[ ()/.-]{0,2}\d){6,}(?!\w)")
_SAID: Final = frozenset({"transcript", "text", "delta", "instructions", "arguments", "output"})
_PRESSED: Final = frozenset({"key", "keys", "digits"})
_KEYS_TOLD: Final = re.compile(r"\[([\w .-]+) [0-9*#A-Da-d•]+\]")
_KEYS_IN_JSON: Final = re.compile(r'("(?:digits|keys|number)": ?)"[^"]*"')
_ONLY_KEYS: Final = re.compile(r"[0-9*#A-D]+")
_DTMF: Final = "input_audio_buffer.dtmf_event_received"


def mask_number(text: str) -> str:
    """Return a number with its country and last two digits alone; of a name nothing is left.

    >>> mask_number("+4930123456")
    '+49••••••56'
    """
    digits = sum(letter.isdigit() for letter in text)
    if digits < _SHORTEST:
        return _HIDDEN if text else ""
    first = _SHOWN_FIRST if text.startswith("+") else 0
    hidden = max(1, len(text) - first - _SHOWN_LAST)
    return text[:first] + _HIDDEN * hidden + text[-_SHOWN_LAST:]


@dataclass(frozen=True, slots=True)
class Redactor:
    """Leaves out of a call what is not to be written."""

    what: Collection[Redaction] = ()

    def record(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return the short part of a call."""
        if "numbers" not in self.what:
            return dict(record)
        parties = {name: mask_number(str(record.get(name) or "")) for name in ("caller", "called")}
        told = {name: value for name, value in record.items() if name not in _UNSPOKEN}
        return {**record, **_through(told, self._numbers_hidden(record)), **parties}

    def items(
        self, items: Sequence[Mapping[str, Any]], record: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Return what was said in a call of this (unredacted) record."""
        if "transcript" in self.what:
            return []
        return [self._text_hidden(item, record) for item in items]

    def entries(
        self, entries: Sequence[Mapping[str, Any]], record: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Return what happened in a call of this (unredacted) record."""
        if "timeline" in self.what:
            return []
        rows = [self._text_hidden(entry, record) for entry in entries]
        if "keys" in self.what:
            rows = [_without_key(row) for row in rows]
        if "transcript" in self.what:
            rows = [{**row, "detail": _without_words(row.get("detail"))} for row in rows]
        return rows

    def _text_hidden(self, row: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
        shown: dict[str, Any] = dict(row)
        if "keys" in self.what:
            shown = _through(shown, _keys_hidden)
        if "numbers" in self.what:
            shown = _through(shown, self._numbers_hidden(record))
        return shown

    def _numbers_hidden(self, record: Mapping[str, Any]) -> Callable[[str], str]:
        parties = [str(record.get(name) or "") for name in ("caller", "called")]
        known = {party: mask_number(party) for party in parties if len(party) > 2}

        def hide(text: str) -> str:
            for party, masked in known.items():
                text = text.replace(party, masked)
            return _NUMBER.sub(lambda found: mask_number(found[0]), text)

        return hide


_UNSPOKEN: Final = frozenset({"call_id", "recording"})


def _through(value: Any, change: Callable[[str], str]) -> Any:
    """Return plain data with every text of it changed, but for names."""
    match value:
        case str():
            return change(value)
        case Mapping():
            return {name: _through(one, change) for name, one in value.items()}
        case list() | tuple():
            return [_through(one, change) for one in value]
        case _:
            return value


def _keys_hidden(text: str) -> str:
    text = _KEYS_TOLD.sub(rf"[\1 {_HIDDEN}]", text)
    return _KEYS_IN_JSON.sub(rf'\1"{_HIDDEN}"', text)


def _without_key(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry of the timeline without the keys that it tells of."""
    detail = _without_pressed(entry.get("detail"))
    if entry.get("name") == _DTMF and isinstance(detail, dict):
        detail = {**detail, "event": _HIDDEN}
    return {**entry, "detail": detail}


def _without_pressed(value: Any, *, is_variables: bool = False) -> Any:
    if isinstance(value, list):
        return [_without_pressed(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _HIDDEN
        if (name in _PRESSED and isinstance(one, str) and one)
        or (is_variables and isinstance(one, str) and _ONLY_KEYS.fullmatch(one))
        else _without_pressed(one, is_variables=name in ("variables", "values"))
        for name, one in value.items()
    }


def _without_words(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_words(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _HIDDEN if name in _SAID and isinstance(one, str) and one else _without_words(one)
        for name, one in value.items()
    }

"""What is never written: numbers, keys, what was said, or what happened.

Plain data goes in and plain data comes out.  What is left out leaves ``•``, or an empty
structure.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...config.records import Redaction
from .disclosure import Hiding, sift

__all__ = ["Redactor", "mask_number"]

_HIDDEN: Final = "•"
_SHOWN_FIRST: Final = 3  # of a number that begins with +: the country's, or a part of it
_SHOWN_LAST: Final = 2
_PARTIES: Final = ("caller", "caller_name", "called")
_SHORTEST: Final = 7  # digits of what is taken for a number wherever it stands
_BETWEEN: Final = r"""(?:\\+[nrt]|_|[^\w"{}\[\]:;@<>=&?!|\\•])"""  # two digits of one number
_NUMBER: Final = re.compile(rf"\+?\d(?:{_BETWEEN}{{0,4}}\d){{6,}}")
_ESCAPE: Final = re.compile(r"\\+u((?!d[89a-f])[0-9a-f]{4})|%([0-7][0-9a-f])", re.IGNORECASE)
_KEYS: Final = re.compile(r"(?<!\w)[\d*#A-D]+(?!\w)|[\d*#]+")
_GIVEN: Final = frozenset({"call_id", "recording"})  # names that the gateway gave


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
        hiding = _Numbers.of(record)
        parties = {name: mask_number(str(record.get(name) or "")) for name in _PARTIES}
        texts = {
            name: hiding.name(value)
            for name, value in record.items()
            if isinstance(value, str) and name not in _GIVEN
        }
        return {**record, **texts, **parties}

    def items(
        self, items: Sequence[Mapping[str, Any]], record: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Return what was said in a call of this (unredacted) record."""
        if "transcript" in self.what:
            return []
        hidings = self._hidings(record)
        return [_sifted(item, hidings) for item in items]

    def entries(
        self, entries: Sequence[Mapping[str, Any]], record: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Return what happened in a call of this (unredacted) record."""
        if "timeline" in self.what:
            return []
        hidings = self._hidings(record)
        return [_entry(entry, hidings) for entry in entries]

    def _hidings(self, record: Mapping[str, Any]) -> Sequence[Hiding]:
        """Return all that hides something of a call, made once for the whole of it."""
        hidings: list[Hiding] = []
        if "transcript" in self.what:
            hidings.append(_Words())
        if "keys" in self.what:
            hidings.append(_Keys())
        if "numbers" in self.what:
            hidings.append(_Numbers.of(record))
        return hidings


def _entry(entry: Mapping[str, Any], hidings: Sequence[Hiding]) -> dict[str, Any]:
    if not hidings:
        return dict(entry)
    named = _sifted({"name": entry["name"]}, hidings)
    if by := str(entry.get("by") or ""):
        for hiding in hidings:
            by = hiding.name(by)
        named["by"] = by
    return {**entry, **named, "detail": _sifted(entry.get("detail") or {}, hidings)}


def _sifted(fields: Mapping[str, Any], hidings: Sequence[Hiding]) -> dict[str, Any]:
    shown = dict(fields)
    for hiding in hidings:
        shown = sift(shown, hiding)
    return shown


class _Words:
    """Hides all that anything said may stand in."""

    def text(self, text: str, *, is_piece: bool) -> str:
        del is_piece
        return _HIDDEN if text else ""

    def name(self, text: str) -> str:
        return text

    def number(self, value: float) -> object:
        del value
        return _HIDDEN

    def structure(self, value: Any) -> Any:
        return {} if isinstance(value, Mapping) else []


class _Keys:
    """Hides every digit, and whatever else may be a key."""

    def text(self, text: str, *, is_piece: bool) -> str:
        del is_piece
        return _without_keys(text)

    def name(self, text: str) -> str:
        return text

    def number(self, value: float) -> object:
        del value
        return _HIDDEN

    def structure(self, value: Any) -> Any:
        return _through(value, self)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Hides the middle of numbers; ``known`` are those of the parties, masked."""

    known: Mapping[str, str]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "_Numbers":
        parties = [str(record.get(name) or "") for name in _PARTIES]
        return cls({party: mask_number(party) for party in parties if len(party) > 2})

    def text(self, text: str, *, is_piece: bool) -> str:
        return _without_keys(text) if is_piece else self.name(text)

    def name(self, text: str) -> str:
        plain = masked = _read(text)
        for party, shown in self.known.items():
            masked = masked.replace(party, shown)
        masked = _NUMBER.sub(lambda found: mask_number(found[0]), masked)
        return masked if masked != plain else text

    def number(self, value: float) -> object:
        text = str(value)
        is_one = sum(letter.isdigit() for letter in text) >= _SHORTEST or text in self.known
        return mask_number(text) if is_one else value

    def structure(self, value: Any) -> Any:
        return _through(value, self)


def _through(value: Any, hiding: Hiding) -> Any:
    """Return what is left of plain data of which nothing is known."""
    match value:
        case None | bool():
            return value
        case str():
            return hiding.text(value, is_piece=False)
        case Mapping():
            return {
                hiding.text(str(name), is_piece=False): _through(one, hiding)
                for name, one in value.items()
            }
        case list() | tuple():
            return [_through(one, hiding) for one in value]
        case _:
            return hiding.number(value)


def _without_keys(text: str) -> str:
    plain = _read(text)
    masked = _KEYS.sub(_HIDDEN, plain)
    return masked if masked != plain else text


def _read(text: str) -> str:
    """Return a text with the escapes of JSON and of addresses read."""
    return _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), text)

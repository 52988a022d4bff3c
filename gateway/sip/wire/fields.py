"""The header fields of a message: in order, verbatim, found by any spelling of their name."""

from collections.abc import Iterator
from typing import Any, Final

from ...errors import SipError
from .grammar import is_token, split_list

__all__ = ["Headers", "header_key"]

_COMPACT: Final = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}

# Spellings met in nearly every message, so that most names cost one look-up.
_COMMON: Final = (
    "Accept Allow Allow-Events Authorization Call-ID Contact Content-Length Content-Type CSeq "
    "Date Diversion Event Expires From Max-Forwards Min-SE Organization P-Asserted-Identity "
    "Privacy Proxy-Authorization Reason Record-Route Refer-To Referred-By Remote-Party-ID "
    "Replaces Require Retry-After Route Server Session-Expires Subject Subscription-State "
    "Supported Timestamp To Unsupported User-Agent Via Warning WWW-Authenticate"
)
_KEYS: Final = {
    **_COMPACT,
    **{name.upper(): key for name, key in _COMPACT.items()},
    **{name: name.lower() for name in _COMMON.split()},
    **{name.lower(): name.lower() for name in _COMMON.split()},
}


def header_key(name: str) -> str:
    """Return the one spelling by which a header is filed: long form, lower case."""
    return _KEYS.get(name) or _KEYS.get(lower := name.lower(), lower)


class Headers:
    """An ordered list of header fields; values stay as they are, only unfolded.

    ``typed`` caches what messages have read out of the values; a change to a
    header drops what was read from it.
    """

    __slots__ = ("_index", "_lines", "typed")

    def __init__(self, *lines: tuple[str, str]) -> None:
        self._lines: list[tuple[str, str, str]] = []  # key, name as written, value
        self._index: dict[str, list[str]] = {}
        self.typed: dict[str, Any] = {}
        for name, value in lines:
            self.add(name, value)

    def read_lines(self, lines: list[str]) -> list[str]:
        """Take in unfolded lines off the wire; return those that are not ``name: value``."""
        index, broken = self._index, []
        for line in lines:
            name, colon, value = line.partition(":")
            key = _KEYS.get(name)
            if key is None:
                name = name.rstrip(" \t")
                key = header_key(name)
                if not is_token(name):
                    colon = ""
            if not colon:
                broken.append(line)
                continue
            value = value.strip(" \t")
            self._lines.append((key, name, value))
            if key in index:
                index[key].append(value)
            else:
                index[key] = [value]
        return broken

    def get(self, name: str) -> str | None:
        """Return the first value of ``name``, or ``None``."""
        values = self._index.get(header_key(name))
        return values[0] if values else None

    def get_all(self, name: str) -> list[str]:
        """Return the values of ``name``, one per line."""
        return list(self._index.get(header_key(name), ()))

    def values(self, name: str) -> list[str]:
        """Return the elements of ``name`` from all its lines, split at commas.

        Raises:
            SipError: Quotes or brackets are not balanced.

        """
        lines = self._index.get(header_key(name))
        if not lines:
            return []
        return [part for line in lines for part in split_list(line)]

    def add(self, name: str, value: str) -> None:
        """Append a line."""
        line = _line(name, value)
        self._lines.append(line)
        self._index.setdefault(line[0], []).append(line[2])
        self.typed.pop(line[0], None)

    def add_first(self, name: str, value: str) -> None:
        """Put a line before all others."""
        line = _line(name, value)
        self._lines.insert(0, line)
        self._index.setdefault(line[0], []).insert(0, line[2])
        self.typed.pop(line[0], None)

    def set(self, name: str, value: str) -> None:
        """Give ``name`` this value alone, where its first line stood or else at the end."""
        line = _line(name, value)
        if line[0] not in self._index:
            self.add(name, value)
            return
        place = next(i for i, (key, _, _) in enumerate(self._lines) if key == line[0])
        self.remove(name)
        self._lines.insert(place, line)
        self._index[line[0]] = [line[2]]

    def set_first(self, name: str, value: str) -> None:
        """Change the first line of ``name`` and leave its others."""
        line = _line(name, value)
        place = next(i for i, (key, _, _) in enumerate(self._lines) if key == line[0])
        self._lines[place] = (line[0], self._lines[place][1], line[2])
        self._index[line[0]][0] = line[2]
        self.typed.pop(line[0], None)

    def remove(self, name: str) -> None:
        """Drop every line of ``name``."""
        key = header_key(name)
        if self._index.pop(key, None) is not None:
            self._lines = [line for line in self._lines if line[0] != key]
        self.typed.pop(key, None)

    def items(self) -> Iterator[tuple[str, str]]:
        """Go through the lines in order, names as they were written."""
        return ((name, value) for _, name, value in self._lines)

    def lines(self, *, without: str) -> list[str]:
        """Write every line but those of one header, named by its key."""
        return [f"{name}: {value}" for key, name, value in self._lines if key != without]

    def copy(self) -> "Headers":
        """Return a list that can be changed without changing this one."""
        other = Headers()
        other._lines = self._lines.copy()
        other._index = {key: values.copy() for key, values in self._index.items()}
        return other

    def __contains__(self, name: str) -> bool:
        return header_key(name) in self._index

    def __len__(self) -> int:
        return len(self._lines)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return [(k, v) for k, _, v in self._lines] == [(k, v) for k, _, v in other._lines]

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Headers({', '.join(repr(item) for item in self.items())})"


def _line(name: str, value: str) -> tuple[str, str, str]:
    if "\n" in value or "\r" in value or not is_token(name):
        raise SipError(f"{name!r} would break out of its line", status=500)
    if not value.isascii():
        try:
            value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise SipError(f"{name!r} cannot be written as UTF-8", status=500) from error
    return header_key(name), name, value

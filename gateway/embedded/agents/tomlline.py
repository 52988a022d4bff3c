"""Where in a TOML text a key stands, so that an error can name the line."""

import re
from collections.abc import Sequence
from typing import Final

__all__ = ["line_of"]

_PART: Final = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_NAME: Final = rf"{_PART}(?:\s*\.\s*{_PART})*"
_TABLE: Final = re.compile(rf"\s*\[\[?\s*({_NAME})\s*\]\]?")
_KEY: Final = re.compile(rf"\s*({_NAME})\s*=")
_QUOTES: Final = re.compile('"""|' + "'''")


def line_of(text: str, path: Sequence[str]) -> int:
    """Return the 1-based line of the key ``path``, or of the nearest table or key around it."""
    best, depth = 1, 0
    table: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    quoted = False
    for number, line in enumerate(text.splitlines(), 1):
        was_quoted, quoted = quoted, quoted ^ (len(_QUOTES.findall(line)) % 2 == 1)
        if was_quoted:
            continue
        if heading := _TABLE.match(line):
            table, key = _split(heading[1]), ()
        elif entry := _KEY.match(line):
            key = _split(entry[1])
        here = table + key
        shared = _shared(here, path)
        if shared == len(here) < len(path) and key and _mentions(line, path[shared]):
            shared += 1  # the key stands inside an inline table
        if shared > depth:
            best, depth = number, shared
    return best


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"' ") for part in re.findall(_PART, dotted))


def _shared(here: Sequence[str], path: Sequence[str]) -> int:
    """Return how many leading parts agree; 0 unless one is the start of the other."""
    count = 0
    for ours, theirs in zip(here, path, strict=False):
        if ours != theirs:
            break
        count += 1
    return count


def _mentions(line: str, part: str) -> bool:
    return re.search(rf"(?<![\w-])[\"']?{re.escape(part)}[\"']?\s*=", line) is not None

"""Finds the line of a TOML file on which a setting was written.

The standard reader keeps no positions.  This one follows table headers and keys only, which
is all that is needed to point a finger: a setting inside a multi-line value is reported at
the line where that value begins.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

__all__ = ["Path", "line_of"]

Path: TypeAlias = tuple[str | int, ...]

_HEADER: Final = re.compile(r"\s*(\[\[?)([^\[\]]+)\]\]?\s*(?:#.*)?$")
_KEY: Final = re.compile(
    r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*="
)


def line_of(text: str, path: Sequence[str | int]) -> int:
    """Return the line, from 1, of the setting at ``path`` or of its nearest written parent."""
    wanted = tuple(path)
    best, line = 0, 1
    for number, written in _positions(text):
        shared = _common(written, wanted)
        if shared == len(written) and shared > best:
            best, line = shared, number
    return line


def _common(written: Path, wanted: Path) -> int:
    for index, (ours, theirs) in enumerate(zip(written, wanted, strict=False)):
        if ours != theirs:
            return index
    return min(len(written), len(wanted))


def _positions(text: str) -> Iterator[tuple[int, Path]]:
    """Yield the line and full path of each header and key."""
    table: Path = ()
    counts: dict[Path, int] = {}
    statement = ""
    for number, line in enumerate(text.splitlines(), 1):
        if statement:  # within a value of several lines
            statement += "\n" + line
            statement = "" if _is_whole(statement) else statement
        elif header := _HEADER.match(line):
            table = _place(_split(header[2]), counts, is_array=header[1] == "[[")
            yield number, table
        elif key := _KEY.match(line):
            yield number, table + _split(key[1])
            statement = "" if _is_whole(line) else line


def _place(names: Path, counts: dict[Path, int], *, is_array: bool) -> Path:
    """Return the path of a header, with the index of each array of tables in it."""
    path: Path = ()
    for depth, name in enumerate(names):
        path += (name,)
        if is_array and depth == len(names) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path += (counts[path],)
    return path


def _split(dotted: str) -> Path:
    keys: list[str | int] = []
    node: Any = tomllib.loads(f"{dotted} = 0")
    while isinstance(node, dict):
        ((key, node),) = node.items()
        keys.append(key)
    return tuple(keys)


def _is_whole(statement: str) -> bool:
    try:
        tomllib.loads(statement)
    except tomllib.TOMLDecodeError:
        return False
    return True

"""Long data, made into JSON and read a piece at a time.

A call into a codec keeps the interpreter until it returns, and the event loop and the media
clock wait for it.  What takes many short ones instead can be done on a thread beside them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from .records.packing import to_json

__all__ = ["PIECE", "json_of", "pieces", "read_rows"]

PIECE: Final = 256
"""Rows that are taken at once."""

_T = TypeVar("_T")


def pieces(rows: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield all rows in order, so many at a time that none of it takes long."""
    for start in range(0, len(rows), PIECE):
        yield rows[start : start + PIECE]


def read_rows(rows: Sequence[Any], kind: type[_T]) -> list[_T]:
    """Return plain data as rows of this kind.

    Raises:
        msgspec.ValidationError: It is something else.

    """
    return [row for piece in pieces(rows) for row in msgspec.convert(list(piece), list[kind])]  # type: ignore[valid-type]


def json_of(fields: Mapping[str, Any]) -> bytes:
    """Return an object whose lists may be long as JSON."""
    told = (to_json(name) + b":" + _value(value) for name, value in fields.items())
    return b"{" + b",".join(told) + b"}"


def _value(value: Any) -> bytes:
    if not isinstance(value, list):
        return to_json(value)
    return b"[" + b",".join(to_json(piece)[1:-1] for piece in pieces(value)) + b"]"

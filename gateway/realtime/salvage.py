"""Reading an event whose name is known though a part of it is not as published.

What it does: no event loses its effect over a detail.  How: the part that does not fit is
written as it should have been (a whole number as ``12.0``, a code as a number, arguments as
an object in place of its text), or else left out, so that its default stands.  Where nothing
says which part of an answer an event is about, it is the first: most have no other.  An event
without something that it cannot do without stays unread.
"""

import math
import re
from typing import Any, Final, TypeVar

import msgspec

__all__ = ["salvage"]

_T = TypeVar("_T")

_MOST_MENDS: Final = 16
_LONGEST_NUMBER: Final = 18  # digits
_COMPLAINT: Final = re.compile(r"(?:Expected `(?P<wanted>[^`]*)`)?.* - at `\$(?P<path>.+)`")
_LACKING: Final = re.compile(r"Object missing required field `(?P<name>(?:output|content)_index)`")
_STEP: Final = re.compile(r"\.(?P<name>\w+)|\[(?P<index>\d+)\]")


def salvage(message: dict[str, Any], kind: type[_T]) -> _T:
    """Return the event that a message was meant to be; ``message`` itself may be changed.

    Raises:
        msgspec.ValidationError: It lacks what such an event cannot do without.

    """
    first: msgspec.ValidationError | None = None
    for _ in range(_MOST_MENDS):
        try:
            return msgspec.convert(message, kind)
        except msgspec.ValidationError as error:
            first = first or error
            if not _mend(message, str(error)):
                break
    raise first or msgspec.ValidationError("it cannot be mended")


def _mend(message: dict[str, Any], complaint: str) -> bool:
    """Mend what is complained of, or leave it out; says whether there was anything to be done."""
    lacking = _LACKING.fullmatch(complaint)
    if lacking is not None:
        message[lacking["name"]] = 0
        return True
    found = _COMPLAINT.fullmatch(complaint)
    if found is None:
        return False
    steps: list[str | int] = [
        int(index) if index else name for name, index in _STEP.findall(found["path"])
    ]
    holder: Any = message
    try:
        for step in steps[:-1]:
            holder = holder[step]
        value = holder[steps[-1]]
    except (LookupError, TypeError):
        return False  # something is missing, or has no place of its own
    better = _as_wanted(value, (found["wanted"] or "").split(" | "))
    if better is None:
        del holder[steps[-1]]
    else:
        holder[steps[-1]] = better
    return True


def _as_wanted(value: object, wanted: list[str]) -> str | int | None:
    """Return a value as one of the wanted types, ``None`` where it cannot be that."""
    match value:
        case bool() | None:
            return None
        case float() if "int" in wanted and math.isfinite(value):
            return int(value)
        case str() if "int" in wanted and len(value) <= _LONGEST_NUMBER and value.isdecimal():
            return int(value)
        case int() | float() | list() | dict() if "str" in wanted:
            return msgspec.json.encode(value).decode()
        case _:
            return None

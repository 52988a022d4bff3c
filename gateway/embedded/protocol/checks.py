"""What a client may put into a session, a response or an item, said as small checks.

A check takes a value and its path, and returns the value or refuses it in the
words the service itself uses.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from ...errors import GatewayError

__all__ = [
    "Check",
    "Refused",
    "anything",
    "choice",
    "either",
    "flag",
    "integer",
    "list_of",
    "number",
    "optional",
    "record",
    "text",
    "unknown",
    "variant",
]

Check: TypeAlias = Callable[[Any, str], Any]

_ARTICLES: Final = {"array": "an", "integer": "an", "object": "an"}


class Refused(GatewayError):
    """A command cannot be obeyed; holds the fields of the ``error`` it is answered with."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


def unknown(path: str) -> Refused:
    """Return the refusal of a field that does not exist."""
    return Refused("unknown_parameter", f"Unknown parameter: '{path}'.", path)


def anything(value: Any, path: str) -> Any:
    """Accept whatever comes."""
    del path
    return value


def text(value: Any, path: str) -> str:
    """Accept a string."""
    if not isinstance(value, str):
        raise _wrong_type(path, "string", value)
    return value


def flag(value: Any, path: str) -> bool:
    """Accept true or false."""
    if not isinstance(value, bool):
        raise _wrong_type(path, "boolean", value)
    return value


def number(low: float, high: float) -> Check:
    """Accept a number from ``low`` to ``high``."""

    def check(value: Any, path: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong_type(path, "number", value)
        if not low <= value <= high:
            raise _out_of_range(path, value, low, high)
        return value

    return check


def integer(low: int, high: int) -> Check:
    """Accept a whole number from ``low`` to ``high``."""

    def check(value: Any, path: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong_type(path, "integer", value)
        if not low <= value <= high:
            raise _out_of_range(path, value, low, high)
        return value

    return check


def choice(*values: Any) -> Check:
    """Accept one of ``values``."""

    def check(value: Any, path: str) -> Any:
        if not any(value == each and type(value) is type(each) for each in values):
            supported = ", ".join(f"'{each}'" for each in values)
            told = f"Invalid value: '{value}'. Supported values are: {supported}."
            raise Refused("invalid_value", told, path)
        return value

    return check


def optional(inner: Check) -> Check:
    """Accept null, or what ``inner`` accepts."""

    def check(value: Any, path: str) -> Any:
        return None if value is None else inner(value, path)

    return check


def either(*inner: Check) -> Check:
    """Accept what one of the checks accepts; the last one's refusal is told."""

    def check(value: Any, path: str) -> Any:
        for each in inner[:-1]:
            try:
                return each(value, path)
            except Refused:
                continue
        return inner[-1](value, path)

    return check


def list_of(inner: Check, most: int = 1000) -> Check:
    """Accept an array of at most ``most`` values that ``inner`` accepts."""

    def check(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise _wrong_type(path, "array", value)
        if len(value) > most:
            told = f"Invalid '{path}': expected at most {most} elements, got {len(value)}."
            raise Refused("array_above_max_length", told, path)
        return [inner(each, f"{path}[{index}]") for index, each in enumerate(value)]

    return check


def record(fields: Mapping[str, Check], required: tuple[str, ...] = ()) -> Check:
    """Accept an object of these fields and no others."""

    def check(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _wrong_type(path, "object", value)
        for name in required:
            if name not in value:
                where = f"{path}.{name}"
                told = f"Missing required parameter: '{where}'."
                raise Refused("missing_required_parameter", told, where)
        for name in value:
            if name not in fields:
                raise unknown(f"{path}.{name}")
        return {name: fields[name](each, f"{path}.{name}") for name, each in value.items()}

    return check


def variant(kinds: Mapping[str, Check]) -> Check:
    """Accept an object whose ``type`` says which of the checks it must pass."""
    kind_check = choice(*kinds)

    def check(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _wrong_type(path, "object", value)
        if "type" not in value:
            where = f"{path}.type"
            told = f"Missing required parameter: '{where}'."
            raise Refused("missing_required_parameter", told, where)
        kind = kind_check(value["type"], f"{path}.type")
        checked: dict[str, Any] = kinds[kind](value, path)
        return checked

    return check


def _wrong_type(path: str, expected: str, value: Any) -> Refused:
    got = _json_type(value)
    told = (
        f"Invalid type for '{path}': expected {_ARTICLES.get(expected, 'a')} {expected},"
        f" but got {_ARTICLES.get(got, 'a')} {got} instead."
    )
    return Refused("invalid_type", told, path)


def _json_type(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return "null" if value is None else names.get(type(value), "object")


def _out_of_range(path: str, value: float, low: float, high: float) -> Refused:
    told = f"Invalid '{path}': {value} is not between {low} and {high}."
    return Refused("invalid_value", told, path)

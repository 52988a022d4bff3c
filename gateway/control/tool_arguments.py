"""What a model wrote as a function's arguments, held against the function's JSON schema."""

import json
from collections.abc import Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import SchemaError, best_match

__all__ = ["check_schema", "read_arguments"]

_LONGEST: Final = 200  # characters of an explanation


def check_schema(schema: Mapping[str, Any]) -> str:
    """Say what is wrong with a schema, or return nothing."""
    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        return error.message[:_LONGEST]
    return "" if schema.get("type") == "object" else 'its type must be "object"'


def read_arguments(text: str, schema: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the arguments, and what is wrong with them; nothing is, where that is empty."""
    try:
        arguments = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}, "the arguments are not JSON"
    if not isinstance(arguments, dict):
        return {}, "the arguments are no JSON object"
    fault: ValidationError | None = best_match(
        Draft202012Validator(dict(schema)).iter_errors(arguments)
    )
    if fault is None:
        return arguments, ""
    where = ".".join(str(part) for part in fault.absolute_path)
    return {}, f"{where}: {fault.message}"[:_LONGEST] if where else fault.message[:_LONGEST]

"""JSON schemas of the shapes that requests and answers have, by msgspec, with their docstrings."""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

__all__ = ["Schemas"]

_PLACE: Final = "#/components/schemas/"
_ATTRIBUTES: Final = re.compile(r"\n\s*Attributes:\n")
_ATTRIBUTE: Final = re.compile(r"\s*(\w+): (.*)")


class Schemas:
    """The schemas of some shapes, each struct once under its name.

    Attributes:
        components: of structs, by name.

    """

    def __init__(self, shapes: Sequence[Any]) -> None:
        distinct = list(dict.fromkeys(shapes))
        told, components = msgspec.json.schema_components(distinct, ref_template=_PLACE + "{name}")
        names = {name: name.lstrip("_") for name in components}
        if len(set(names.values())) < len(names):
            raise ValueError(f"two shapes have one name: {sorted(names)}")
        self._schemas = {
            shape: _renamed(schema, names) for shape, schema in zip(distinct, told, strict=True)
        }
        self.components: dict[str, Any] = {
            names[name]: _explained(_renamed(schema, names)) for name, schema in components.items()
        }

    def of(self, shape: Any) -> dict[str, Any]:
        """Return the schema of one of the shapes."""
        schema: dict[str, Any] = self._schemas[shape]
        return schema

    @staticmethod
    def fields_of(shape: type[msgspec.Struct]) -> dict[str, dict[str, Any]]:
        """Return the schema of each field of a struct."""
        whole = msgspec.json.schema(shape)
        (schema,) = whole["$defs"].values()
        fields: dict[str, dict[str, Any]] = _explained(schema)["properties"]
        return fields


def _renamed(schema: Any, names: dict[str, str]) -> Any:
    """Return a schema that refers to others by their new names."""
    if isinstance(schema, list):
        return [_renamed(one, names) for one in schema]
    if not isinstance(schema, dict):
        if isinstance(schema, str) and schema.startswith(_PLACE):
            return _PLACE + names[schema.removeprefix(_PLACE)]
        return schema
    return {
        key: value.lstrip("_")
        if key == "title" and isinstance(value, str)
        else _renamed(value, names)
        for key, value in schema.items()
    }


def _explained(schema: dict[str, Any]) -> dict[str, Any]:
    """Have each property say what its struct's docstring says of it."""
    description, *attributes = _ATTRIBUTES.split(schema.get("description", ""), maxsplit=1)
    if attributes:
        schema["description"] = description
    properties, latest = schema.get("properties", {}), ""
    for line in attributes[0].splitlines() if attributes else ():
        told = _ATTRIBUTE.fullmatch(line)
        if told is not None and told[1] in properties:
            latest = told[1]
            properties[latest]["description"] = told[2]
        elif latest and line.strip():
            properties[latest]["description"] += f" {line.strip()}"
    return schema

"""The functions offered to the model: those switched on that can do something, and custom ones."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from .settings import ControlSettings

__all__ = ["tool_definitions"]

Properties = Mapping[str, Any]


def tool_definitions(settings: ControlSettings) -> list[dict[str, Any]]:
    """Return the functions that a session offers, as its ``tools`` takes them."""
    offered = []
    for name, (description, properties_of) in _BUILT_IN.items():
        properties = properties_of(settings)
        if name in settings.call.tools and properties is not None:
            offered.append(_definition(name, description, properties))
    for name, tool in settings.tools.items():
        offered.append(
            {
                "type": "function",
                "name": name,
                "description": tool.description,
                "parameters": dict(tool.parameters),
            }
        )
    return offered


def _targets(settings: ControlSettings) -> Properties | None:
    if not settings.targets:
        return None
    told = [f"{name}: {one.description}" for name, one in settings.targets.items()]
    described = (
        {"description": "; ".join(told)}
        if any(one.description for one in settings.targets.values())
        else {}
    )
    return {"target": {"type": "string", "enum": sorted(settings.targets), **described}}


def _collects(settings: ControlSettings) -> Properties | None:
    names = sorted(settings.collects)
    return {"name": {"type": "string", "enum": names}} if names else None


def _menus(settings: ControlSettings) -> Properties | None:
    names = sorted(settings.menus)
    return {"menu": {"type": "string", "enum": names}} if names else None


def _nothing(settings: ControlSettings) -> Properties:
    del settings
    return {}


def _digits(settings: ControlSettings) -> Properties:
    del settings
    return {"digits": {"type": "string", "pattern": "^[0-9*#A-D]{1,32}$"}}


def _variable(settings: ControlSettings) -> Properties:
    del settings
    return {
        "name": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,31}$"},
        "value": {"type": "string", "maxLength": 500},
    }


_BUILT_IN: Final[Mapping[str, tuple[str, Callable[[ControlSettings], Properties | None]]]] = {
    "transfer_call": (
        "Transfer the caller to somebody else. Say so before calling this.",
        _targets,
    ),
    "hang_up": (
        "End the call when the caller wants nothing more. Say goodbye before calling this.",
        _nothing,
    ),
    "send_dtmf": ("Press keys towards the caller's side.", _digits),
    "collect_digits": (
        "Have the caller enter a number by keys; the result is what they entered.",
        _collects,
    ),
    "hold_call": ("Put the caller on hold.", _nothing),
    "resume_call": ("Take the caller back from hold.", _nothing),
    "open_menu": ("Give the caller a keypad menu, which is spoken to them.", _menus),
    "set_variable": ("Remember something about this call under a name.", _variable),
}


def _definition(name: str, description: str, properties: Properties) -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "description": description,
        "parameters": {
            "type": "object",
            "properties": dict(properties),
            "required": list(properties),
            "additionalProperties": False,
        },
    }

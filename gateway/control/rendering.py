"""Puts the call's variables into the texts of what is asked for, as it is carried out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .actions import (
    Log,
    Request,
    Respond,
    Say,
    SendDtmf,
    SendText,
    SetVariables,
    Transfer,
    UpdateSession,
    Whisper,
)
from .variables import Variables

__all__ = ["rendered"]


def rendered(request: Request, variables: Variables) -> Request:
    """Return a request with the variables that its texts name; what is spoken has digits apart."""
    match request:
        case Say(text=text):
            return replace(request, text=variables.render(text, is_spoken=True))
        case SendText(text=text) | Whisper(text=text) | Log(text=text):
            return replace(request, text=variables.render(text))
        case Respond(instructions=str(text)):
            return replace(request, instructions=variables.render(text))
        case SendDtmf(digits=digits):
            return replace(request, digits=variables.render(digits))
        case SetVariables(values=values):
            return SetVariables({name: variables.render(text) for name, text in values.items()})
        case Transfer(whisper=str(text)):
            return replace(request, whisper=variables.render(text, is_spoken=True))
        case UpdateSession(fields=fields):
            return UpdateSession(_in_tree(fields, variables))
        case _:
            return request


def _in_tree(tree: Mapping[str, Any], variables: Variables) -> dict[str, Any]:
    """Return nested tables with all their texts rendered."""
    return {name: _in_value(value, variables) for name, value in tree.items()}


def _in_value(value: Any, variables: Variables) -> Any:
    match value:
        case str():
            return variables.render(value)
        case Mapping():
            return _in_tree(value, variables)
        case list():
            return [_in_value(each, variables) for each in value]
        case _:
            return value

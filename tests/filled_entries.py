"""Entries of a timeline of every kind, with a text wherever one can stand in them."""

import dataclasses
import types
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from gateway.control.actions import Request, SendCommand
from gateway.control.events import OWN_EVENTS
from gateway.control.sealed import Sealed
from gateway.control.timeline import Decision, Timeline
from gateway.realtime.commands import CLIENT_EVENTS
from gateway.realtime.events import SERVER_EVENTS

__all__ = ["filled", "filled_entry", "leaves"]


def filled(kind: Any, text: str, loose: str) -> Any:
    """Return a value of a type with ``text`` in every text; what may be anything is ``loose``."""
    if kind is Any:
        return (
            text if loose == "text" else {text: text, "text": [text, {"type": text, "n": [text]}]}
        )
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return args[0]
    if origin in (Union, types.UnionType):
        meant = [arg for arg in args if arg is not type(None)]
        return filled(meant[-1] if loose == "text" else meant[0], text, loose)
    if origin in (list, tuple):
        return origin([filled(args[0], text, loose)])
    if origin in (dict, Mapping) or kind is dict:
        inner = filled(args[1], text, loose) if args else text
        return {text: inner, "text": inner, "name": inner, "instructions": inner}
    if isinstance(kind, type) and (
        dataclasses.is_dataclass(kind) or issubclass(kind, msgspec.Struct)
    ):
        return _structure(kind, text, loose)
    return {str: text, bytes: b"", bool: True, int: 7, float: 7.5, Sealed: Sealed()}[kind]


def filled_entry(kind: str, text: str, loose: str) -> dict[str, Any]:
    """Return an entry of this name, as it is kept."""
    timeline = Timeline()
    requests = {cls.__name__: cls for cls in get_args(Request)}
    if kind in CLIENT_EVENTS:
        timeline.add_action(0.0, SendCommand(filled(CLIENT_EVENTS[kind], text, loose)))
    elif kind in requests:
        timeline.add_action(0.0, filled(requests[kind], text, loose))
    elif kind in OWN_EVENTS:
        timeline.add_event(0.0, filled(OWN_EVENTS[kind], text, loose))
    elif kind in SERVER_EVENTS:
        timeline.add_event(0.0, filled(SERVER_EVENTS[kind], text, loose))
    else:
        timeline.add_decision(0.0, Decision(kind, text))
    (entry,) = timeline.as_list()
    return entry


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of plain data, and where it stands; names of fields are texts, too."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield f"{place}.•", name
            yield from leaves(one, f"{place}.{name}")
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one, place)
    else:
        yield place, str(value)


def _structure(kind: type, text: str, loose: str) -> Any:
    hints = get_type_hints(kind)
    names = (
        [one.name for one in dataclasses.fields(kind)]
        if dataclasses.is_dataclass(kind)
        else [one.name for one in msgspec.structs.fields(kind)]
    )
    return kind(**{name: filled(hints[name], text, loose) for name in names})

"""Rules that can never fire: their conditions exclude each other, or another one is first."""

import dataclasses
import difflib
import types
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from ..realtime.events import SERVER_EVENTS
from .events import OWN_EVENTS
from .flow_plans import CheckedCollect, CheckedRule, Prompting, takes_floor
from .states import CallState

__all__ = ["Fault", "covers_patterns", "faults_of_rule", "is_shadowed"]

_DTMF: Final = "input_audio_buffer.dtmf_event_received"
_ONCE: Final = frozenset({"call.started", "leg.answered", "timer.elapsed"})
_BUSY: Final = frozenset({CallState.LEAVING, CallState.TRANSFERRING})
_ALL: Final = frozenset(CallState)
_WILD: Final = frozenset("*?[")
_OPEN: Final = str.maketrans("*?", "\ue000\ue000")
_SETUP: Final = frozenset({CallState.SETUP})


class Fault(NamedTuple):
    """What is wrong, at which setting of a rule."""

    setting: str
    problem: str


def faults_of_rule(
    rule: CheckedRule, place: Prompting | None, max_seconds: float
) -> Iterator[Fault]:
    """Yield why a rule can never fire by itself.

    Args:
        rule: The rule.
        place: The menu or collection that it names, if it names one.
        max_seconds: How long a call lasts at most.

    """
    if rule.on == {"leg.ended"}:
        yield Fault("on", "nothing can be done once the call is over; remove the rule")
    if rule.count > 1 and rule.on <= _ONCE:
        problem = f"{min(rule.on)} comes once in a call, never {rule.count} times; remove count"
        yield Fault("count", problem)
    if rule.on == {"call.started"} and rule.states and CallState.SETUP not in rule.states:
        yield Fault("state", 'a call is in "setup" as it starts; remove state')
    if rule.on <= {"timer.elapsed", "leg.answered"} and rule.states == _SETUP:
        yield Fault("state", '"setup" ends with the answer; remove state')
    if rule.after_seconds is not None and rule.after_seconds >= max_seconds:
        problem = (
            f"a call ends after call.max_seconds = {max_seconds:g}; wait for less, or raise it"
        )
        yield Fault("after_seconds", problem)
    yield from _of_fields(rule)
    if place is not None:
        yield from _of_place(rule, place)


def _of_place(rule: CheckedRule, place: Prompting) -> Iterator[Fault]:
    """Yield why a rule does not go with the place that is to be open."""
    if rule.on == {"call.started"}:
        yield Fault("menu", "no menu is open as a call starts; remove menu")
    if rule.states and CallState.TALKING not in rule.states:
        problem = 'menus are open while the call is "talking"; add it, or remove menu'
        yield Fault("state", problem)
    own = "0123456789" if isinstance(place, CheckedCollect) else ""
    end = place.terminator if isinstance(place, CheckedCollect) else ""
    is_taken = rule.digits and set(rule.digits) <= {*place.keys, *own, *end}
    if is_taken and rule.on == {_DTMF}:
        problem = f"{place.name} takes {rule.digits} before any rule; write it there"
        yield Fault("digit", problem)


def _of_fields(rule: CheckedRule) -> Iterator[Fault]:
    """Yield the fields that none of a rule's events has."""
    for path in rule.where:
        if any(_has_field(name, path) for name in rule.on):
            continue
        known = sorted({field for name in rule.on for field in _fields(_class_of(name))})
        close = difflib.get_close_matches(path.split(".")[0], known, n=1)
        remedy = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(known)}"
        yield Fault("where", f"{min(rule.on)} has no field {path!r}; {remedy}")


def _class_of(name: str) -> Any:
    return SERVER_EVENTS.get(name) or OWN_EVENTS.get(name)


def _fields(kind: Any) -> dict[str, Any]:
    """Return the fields of an event, or of a structure in it, with their types."""
    is_structure = dataclasses.is_dataclass(kind) or (
        isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    )
    return get_type_hints(kind) if is_structure else {}


def _has_field(name: str, path: str) -> bool:
    """Tell whether an event may have a field; within free-form data any may be there."""
    kinds: list[Any] = [_class_of(name)]
    for part in path.split("."):
        known = [fields for kind in kinds if (fields := _fields(kind))]
        if len(known) < len(kinds) and any(_is_free(kind) for kind in kinds):
            return True
        kinds = [one for fields in known if part in fields for one in _members(fields[part])]
        if not kinds:
            return False
    return True


def _members(kind: Any) -> list[Any]:
    is_union = get_origin(kind) in (Union, types.UnionType)
    return list(get_args(kind)) if is_union else [kind]


def _is_free(kind: Any) -> bool:
    return kind is Any or get_origin(kind) is dict


def is_shadowed(rule: CheckedRule, earlier: Sequence[CheckedRule]) -> int:
    """Return which of the rules before takes all that this one would, from 1; 0 for none."""
    for number, other in enumerate(earlier, 1):
        if not other.goes_on and _covers(other, rule):
            return number
    return 0


def _covers(first: CheckedRule, second: CheckedRule) -> bool:
    """Tell whether the first rule takes every event that the second one would."""
    if not second.on <= first.on or not _states(second) <= _states(first):
        return False
    if first.digits and not (second.digits and set(second.digits) <= set(first.digits)):
        return False
    if first.count and not _covers_count(first, second):
        return False
    given = [
        (first.menu, second.menu, None),
        (first.hours, second.hours, None),
        (first.after_seconds, second.after_seconds, None),
    ]
    if any(one not in (nothing, other) for one, other, nothing in given):
        return False
    patterns = [
        (first.trunk, second.trunk),
        (first.called, second.called),
        (first.caller, second.caller),
    ]
    return (
        all(covers_patterns(one, other) for one, other in patterns)
        and all(
            covers_patterns(value, second.variables.get(name, ()))
            for name, value in first.variables.items()
        )
        and all(
            name in second.where and _covers_values(value, second.where[name])
            for name, value in first.where.items()
        )
    )


def covers_patterns(first: Sequence[str], second: Sequence[str]) -> bool:
    """Tell whether whatever fits one of the second patterns surely fits one of the first.

    No patterns at all fit everything.
    """
    if not first or "*" in first:
        return True
    return bool(second) and all(
        any(_covers_pattern(one, other) for one in first) for other in second
    )


def _covers_pattern(first: str, second: str) -> bool:
    """Tell whether the first pattern surely fits all that the second one does.

    What the second leaves open is held against the first as a character that no text has: only
    a ``*`` of the first takes that, and takes whatever may stand there.
    """
    if first == second:
        return True
    if not set(second) & _WILD:
        return fnmatchcase(second, first)
    if "[" in second or set(first) & {"?", "["}:
        return False
    return fnmatchcase(second.translate(_OPEN), first)


def _covers_values(first: Any, second: Any) -> bool:
    """Tell whether a field that is one of the second values is one of the first, too."""
    ones, others = ([one] if not isinstance(one, list) else one for one in (first, second))
    if all(isinstance(one, str) for one in (*ones, *others)):
        return bool(ones) and covers_patterns(ones, others)
    return bool(first == second)


def _covers_count(first: CheckedRule, second: CheckedRule) -> bool:
    if first.is_count_least:
        return second.count >= first.count
    return second.count == first.count and not second.is_count_least


def _states(rule: CheckedRule) -> frozenset[CallState]:
    """Return the states in which a rule acts: one that changes the course leaves busy calls be."""
    if rule.states:
        return rule.states
    if not takes_floor(rule.plan):
        return _ALL
    return _ALL - _BUSY | ({CallState.LEAVING} if _DTMF in rule.on else set())

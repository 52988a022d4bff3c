"""The conditions of a rule, held against one moment of a call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from .context import Context
from .events import Event, TimerElapsed
from .flow_plans import CheckedRule
from .settings import fits_address
from .states import CallState

__all__ = ["Moment", "fits"]


@dataclass(frozen=True, slots=True)
class Moment:
    """What happens: the event, the key it brings, for the how-manieth time, and in which state."""

    name: str
    event: Event
    digit: str
    count: int
    state: CallState  # as the event came, whatever the rules before have done
    context: Context


def fits(rule: CheckedRule, moment: Moment) -> bool:
    """Tell whether every condition of a rule holds."""
    context = moment.context
    if moment.name not in rule.on or (rule.states and moment.state not in rule.states):
        return False
    if rule.digits and (not moment.digit or moment.digit not in rule.digits):
        return False
    if rule.count and not _counts(rule, moment.count):
        return False
    if rule.menu is not None and rule.menu != context.place:
        return False
    if rule.after_seconds is not None and not _is_due(rule.after_seconds, moment.event):
        return False
    return (
        _is_of_call(rule, context)
        and all(_has(moment.event, path, wanted) for path, wanted in rule.where.items())
        and all(_is_set(context, name, wanted) for name, wanted in rule.variables.items())
    )


def _counts(rule: CheckedRule, count: int) -> bool:
    return count >= rule.count if rule.is_count_least else count == rule.count


def _is_due(after: float, event: Event) -> bool:
    return isinstance(event, TimerElapsed) and event.seconds == after


def _is_of_call(rule: CheckedRule, context: Context) -> bool:
    """Hold the conditions on who calls whom, and when."""
    if rule.trunk and not any(fnmatchcase(context.trunk, one) for one in rule.trunk):
        return False
    if rule.called and not fits_address(rule.called, context.called):
        return False
    if rule.caller and not fits_address(rule.caller, context.caller):
        return False
    return rule.hours is None or rule.hours.hold(context.wall_clock)


def _is_set(context: Context, name: str, wanted: Sequence[str]) -> bool:
    value = context.variables.get(name)
    return any(fnmatchcase(value, one) for one in wanted)


def _has(event: Event, path: str, wanted: Any) -> bool:
    """Tell whether a field of the event is what is wanted: a value, a pattern, or one of many."""
    value: Any = event
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    return any(_is_like(value, one) for one in (wanted if isinstance(wanted, list) else [wanted]))


def _is_like(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, str):
        return value is not None and fnmatchcase(str(value), wanted)
    return bool(value == wanted)

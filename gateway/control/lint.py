"""Faults of a flow that only show when its parts are seen together.

A rule that can never fire, a menu that nobody ever leaves, a text that names a variable which
nothing sets: each is refused when the configuration is read, with the line and a remedy.
"""

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from ..config import Settings
from .actions import (
    Collect,
    HangUp,
    Log,
    OpenMenu,
    Play,
    Redirect,
    Reject,
    Request,
    Respond,
    Say,
    SendDtmf,
    SendText,
    SetVariables,
    Transfer,
)
from .flow_plans import CheckedCollect, CheckedMenu, CheckedRule, Plan, Prompting
from .states import CallState

__all__ = ["GIVEN_VARIABLES", "lint"]

Places: TypeAlias = Mapping[str, Prompting]

GIVEN_VARIABLES: Final = ("caller", "called", "trunk", "language")
"""The variables that every call has."""

_DTMF: Final = "input_audio_buffer.dtmf_event_received"
_ONCE: Final = frozenset({"call.started", "leg.answered", "leg.ended", "timer.elapsed"})
_BUSY: Final = frozenset({CallState.LEAVING, CallState.TRANSFERRING})
_ALL: Final = frozenset(CallState)
_OUT: Final = "out"  # the place where no menu is open
_LEAVES: Final = (HangUp, Reject, Redirect, Transfer)
_FLOOR: Final = (Say, Respond, Play, OpenMenu, Collect, *_LEAVES)


def lint(
    settings: Settings,
    rules: Sequence[CheckedRule],
    menus: Mapping[str, CheckedMenu],
    collects: Mapping[str, CheckedCollect],
) -> None:
    """Look for what cannot work.

    Raises:
        ConfigError: The first fault; says what, where, and how to mend it.

    """
    _Lint(settings, rules, {**menus, **collects}).run()


class _Lint:
    """One look at one configuration."""

    def __init__(self, settings: Settings, rules: Sequence[CheckedRule], places: Places) -> None:
        self._settings = settings
        self._rules = rules
        self._places = places

    def run(self) -> None:
        for number, rule in enumerate(self._rules):
            self._possible(number, rule)
            self._shadowed(number, rule)
        for name, place in self._places.items():
            self._ends(name, place)
        self._ladder()
        self._profiles()
        self._variables()

    def _fail(self, path: tuple[str | int, ...], problem: str) -> None:
        raise self._settings.problem(path, problem)

    def _possible(self, number: int, rule: CheckedRule) -> None:
        """A rule's conditions must not exclude each other."""
        path = ("rules", number)
        if rule.count > 1 and rule.on <= _ONCE:
            problem = f"{min(rule.on)} comes once in a call, never {rule.count} times; remove count"
            self._fail((*path, "count"), problem)
        if rule.on == {"call.started"} and rule.states and CallState.SETUP not in rule.states:
            self._fail((*path, "state"), 'a call is in "setup" as it starts; remove state')
        if rule.on == {"timer.elapsed"} and rule.states == {CallState.SETUP}:
            self._fail((*path, "state"), "timers begin with the answer; remove state")
        if rule.menu and rule.states and CallState.TALKING not in rule.states:
            problem = 'menus are open while the call is "talking"; add it, or remove menu'
            self._fail((*path, "state"), problem)
        place = self._places.get(rule.menu or "")
        if place is not None and rule.digits and rule.on == {_DTMF}:
            own = "0123456789" if isinstance(place, CheckedCollect) else ""
            if set(rule.digits) <= {*place.keys, *own}:
                problem = f"{place.name} takes {rule.digits} before any rule; write it there"
                self._fail((*path, "digit"), problem)

    def _shadowed(self, number: int, rule: CheckedRule) -> None:
        """No rule may stand behind one that takes all its events."""
        for before, other in enumerate(self._rules[:number]):
            if not other.goes_on and _covers(other, rule):
                problem = f"never fires: rule {before + 1} of the table takes all that it would"
                self._fail(("rules", number), f"{problem}; move it up, or have that one go_on")

    def _ends(self, name: str, place: Prompting) -> None:
        """Whoever says and presses nothing must come out of every menu in the end."""
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            at = waiting.pop()
            if at == _OUT:
                return
            if at not in seen and (here := self._places.get(at)) is not None:
                seen.add(at)
                waiting += self._next(here, here.failed) or [_OUT]
        table = "collects" if isinstance(place, CheckedCollect) else "menus"
        problem = "a silent caller would be in it for ever: it leads back to itself"
        self._fail((table, name, "failed"), f'{problem}; end it with "hangup" or a transfer')

    def _next(self, place: Prompting, plan: Plan) -> list[str]:
        """Return the places that a plan leads to from here."""
        places: list[str] = []
        for request in plan:
            match request:
                case OpenMenu(name="close"):
                    places.append(_OUT)
                case OpenMenu(name="repeat"):
                    places.append(place.name)
                case OpenMenu(name="back"):
                    places += self._openers(place.name) or [_OUT]
                case OpenMenu(name=name) | Collect(name=name):
                    places.append(name)
                case _ if isinstance(request, _LEAVES):
                    places.append(_OUT)
                case _:
                    pass
        return places

    def _openers(self, name: str) -> list[str]:
        """Return the places from which this one is opened."""
        return [
            other.name
            for other in self._places.values()
            for plan in _plans_of(other)
            for request in plan
            if isinstance(request, OpenMenu | Collect) and request.name == name
        ]

    def _ladder(self) -> None:
        idle = self._settings.idle
        if idle.limit and len(idle.ladder) >= idle.limit:
            problem = f"step {idle.limit} is never reached: limit = {idle.limit} says goodbye"
            self._fail(("idle", "ladder"), f"{problem}; remove it, or raise limit")
        barge_in = self._settings.barge_in
        if barge_in.mode == "pause" and not barge_in.by:
            problem = "nobody may interrupt, so there is nothing to pause for; name some in by"
            self._fail(("barge_in", "mode"), problem)

    def _profiles(self) -> None:
        """A profile is for some calls, or callers are sent to it, or it is named as one dials."""
        if self._settings.http.token is not None:
            return
        sent_to = {
            request.profile
            for _, plan in self._all_plans()
            for request in plan
            if isinstance(request, Transfer)
        }
        for name, profile in self._settings.profiles.items():
            if not profile.trunks and not profile.called and name not in sent_to:
                problem = "is for no call, and nobody is sent to it"
                self._fail(("profiles", name), f"{problem}; give it trunks or called")

    def _variables(self) -> None:
        """Every variable that a text or a condition names is set somewhere."""
        settings = self._settings
        if "set_variable" in settings.call.tools:
            return
        known = {*GIVEN_VARIABLES, *settings.call.variables}
        known |= {one.into or name for name, one in settings.collects.items()}
        for profile in settings.profiles.values():
            known |= set(profile.variables)
        for _, plan in self._all_plans():
            known |= {n for r in plan if isinstance(r, SetVariables) for n in r.values}
        for path, plan in self._all_plans():
            for name in (name for request in plan for name in _named_in(request)):
                self._must_be_set(name, known, path)
        for name, place in self._places.items():
            table = "collects" if isinstance(place, CheckedCollect) else "menus"
            for text in place.say.values():
                for variable in _names(text):
                    self._must_be_set(variable, known, (table, name, "say"))
        for number, rule in enumerate(self._rules):
            for variable in rule.variables:
                self._must_be_set(variable, known, ("rules", number, "variables"))

    def _must_be_set(self, name: str, known: Iterable[str], path: tuple[str | int, ...]) -> None:
        if name not in known:
            problem = f"nothing sets the variable {name!r}; set it, collect it, or mend the name"
            self._fail(path, problem)

    def _all_plans(self) -> Iterator[tuple[tuple[str | int, ...], Plan]]:
        for number, rule in enumerate(self._rules):
            yield ("rules", number, "do"), rule.plan
        for name, place in self._places.items():
            table = "collects" if isinstance(place, CheckedCollect) else "menus"
            for plan in _plans_of(place):
                yield (table, name), plan


def _plans_of(place: Prompting) -> Iterator[Plan]:
    yield from place.keys.values()
    yield from place.no_input
    yield from place.invalid
    yield place.failed
    if isinstance(place, CheckedCollect):
        yield place.then


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
        (first.trunk, second.trunk, ()),
        (first.called, second.called, ()),
        (first.caller, second.caller, ()),
    ]
    if any(one not in (nothing, other) for one, other, nothing in given):
        return False
    return all(
        second.variables.get(name) == value for name, value in first.variables.items()
    ) and all(
        name in second.where and second.where[name] == value for name, value in first.where.items()
    )


def _covers_count(first: CheckedRule, second: CheckedRule) -> bool:
    if first.is_count_least:
        return second.count >= first.count
    return second.count == first.count and not second.is_count_least


def _states(rule: CheckedRule) -> frozenset[CallState]:
    """Return the states in which a rule acts: one that changes the course leaves busy calls be."""
    if rule.states:
        return rule.states
    if not any(isinstance(request, _FLOOR) for request in rule.plan):
        return _ALL
    return _ALL - _BUSY | ({CallState.LEAVING} if _DTMF in rule.on else set())


def _named_in(request: Request) -> Iterator[str]:
    """Yield the variables that a request's texts name."""
    match request:
        case Say(text=text) | SendText(text=text) | Log(text=text) | SendDtmf(digits=text):
            yield from _names(text)
        case Respond(instructions=str(text)) | Transfer(whisper=str(text)):
            yield from _names(text)
        case SetVariables(values=values):
            for value in values.values():
                yield from _names(value)
        case _:
            pass


def _names(text: str) -> Iterator[str]:
    try:
        yield from (name for _, name, _, _ in string.Formatter().parse(text) if name)
    except ValueError:  # a brace that stands for itself
        return

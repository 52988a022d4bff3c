"""Faults of a flow that only show when its parts are seen together.

A rule that can never fire, a menu that nobody ever leaves, a text that names a variable which
nothing sets: each is refused when the configuration is read, with the line and a remedy.
"""

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, Literal, TypeAlias

from ..config import Profile, Settings
from .actions import (
    Collect,
    HangUp,
    Log,
    OpenMenu,
    Redirect,
    Reject,
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
from .flow_plans import CheckedCollect, CheckedMenu, CheckedRule, Plan, Prompting
from .rule_lint import covers_patterns, faults_of_rule, is_shadowed
from .time_lint import contradictions

__all__ = ["GIVEN_VARIABLES", "Path", "PlannedFlow", "lint"]

Path: TypeAlias = tuple[str | int, ...]

GIVEN_VARIABLES: Final = (
    "caller",
    "called",
    "trunk",
    "language",
    "caller_name",
    "diverted_from",
    "diversion_reason",
    "user_to_user",
)
"""The variables that a call has by itself, the latter where its neighbour tells of them."""

_Ladder: TypeAlias = Literal["no_input", "invalid"]

_PLACE_NEWS: Final = frozenset({"menu.opened", "menu.closed"})
_OUT: Final = "out"  # the place where no menu is open
_LEAVES: Final = (HangUp, Reject, Redirect, Transfer)


@dataclass(frozen=True, slots=True)
class PlannedFlow:
    """All of a configuration's flow, as its steps were checked.

    ``tables`` are tables of rules by where they are written: the common one, and those of
    profiles.  ``ways`` are the plans that no table and no place has: ladders, fallback keys.
    """

    tables: Mapping[Path, Sequence[CheckedRule]]
    menus: Mapping[str, CheckedMenu]
    collects: Mapping[str, CheckedCollect]
    ways: Mapping[Path, Plan]


def lint(settings: Settings, flow: PlannedFlow) -> None:
    """Look for what cannot work.

    Raises:
        ConfigError: The first fault; says what, where, and how to mend it.

    """
    _Lint(settings, flow).run()


class _Lint:
    """One look at one configuration."""

    def __init__(self, settings: Settings, flow: PlannedFlow) -> None:
        self._settings = settings
        self._flow = flow
        self._places: Mapping[str, Prompting] = {**flow.menus, **flow.collects}

    def run(self) -> None:
        for path, rules in self._flow.tables.items():
            for number, rule in enumerate(rules):
                self._rule((*path, number), rule, rules[:number])
        for name, place in self._places.items():
            self._ends(name, place, "no_input")
            self._ends(name, place, "invalid")
        for path, problem in contradictions(self._settings):
            self._fail(path, problem)
        self._profiles()
        self._variables()

    def _fail(self, path: Path, problem: str) -> None:
        raise self._settings.problem(path, problem)

    def _rule(self, path: Path, rule: CheckedRule, earlier: Sequence[CheckedRule]) -> None:
        """A rule can fire: by its own conditions, and behind those before it."""
        place = self._places.get(rule.menu or "")
        for fault in faults_of_rule(rule, place, self._settings.call.max_seconds):
            self._fail((*path, fault.setting), fault.problem)
        self._trunks((*path, "trunk"), rule.trunk)
        self._places_told((*path, "where"), rule)
        if before := is_shadowed(rule, earlier):
            problem = f"never fires: rule {before} of the table takes all that it would"
            self._fail(path, f"{problem}; move it up, or have that one go_on")

    def _trunks(self, path: Path, patterns: Sequence[str]) -> None:
        """Patterns of trunks fit one that there is; a service that holds calls has none of ours."""
        names = [trunk.name for trunk in self._settings.trunks]
        is_ours = self._settings.realtime.link != "sideband"
        for pattern in patterns if is_ours else ():
            if not any(fnmatchcase(name, pattern) for name in ("", *names)):
                problem = f"{pattern!r} fits no trunk; there are {', '.join(names)}"
                self._fail(path, problem)

    def _places_told(self, path: Path, rule: CheckedRule) -> None:
        """A rule on the news of a place waits for one that there is."""
        wanted = rule.where.get("name") if rule.on <= _PLACE_NEWS else None
        for pattern in wanted if isinstance(wanted, list) else [wanted]:
            if isinstance(pattern, str) and not any(fnmatchcase(n, pattern) for n in self._places):
                known = ", ".join(self._places) or "none"
                problem = f"{pattern!r} fits no menu or collection; there are {known}"
                self._fail(path, problem)

    def _ends(self, name: str, place: Prompting, ladder: _Ladder) -> None:
        """Whoever presses nothing, or wrong keys alone, must come out of every menu in the end."""
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            at = waiting.pop()
            if at == _OUT:
                return
            if at not in seen and (here := self._places.get(at)) is not None:
                seen.add(at)
                waiting += self._after_ladder(here, ladder)
        path = (_table_of(place), name, ladder if self._moves_on(place, ladder) else "failed")
        who = "a silent caller" if ladder == "no_input" else "who presses wrong keys"
        problem = f"{who} would be in it for ever: it leads back to itself"
        self._fail(path, f'{problem}; end it with "hangup" or a transfer')

    def _moves_on(self, place: Prompting, ladder: _Ladder) -> list[str]:
        """Return where a ladder leads to before its last step was forgiven."""
        for plan in place.no_input if ladder == "no_input" else place.invalid:
            places = self._next(place, plan)
            if any(other != place.name or _is_opened_anew(place, plan) for other in places):
                return places
        return []

    def _after_ladder(self, place: Prompting, ladder: _Ladder) -> list[str]:
        """Return where a caller ends up who only ever climbs this ladder."""
        return self._moves_on(place, ladder) or self._next(place, place.failed) or [_OUT]

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

    def _profiles(self) -> None:
        """A profile is for some calls, or callers are sent to it, or it is named as one dials."""
        if self._settings.http.has_admin:
            return
        sent_to = {
            request.profile
            for _, plan in self._all_plans()
            for request in plan
            if isinstance(request, Transfer)
        }
        earlier: dict[str, Profile] = {}
        for name, profile in self._settings.profiles.items():
            path = ("profiles", name)
            self._trunks((*path, "trunks"), profile.trunks)
            if name in sent_to:
                pass
            elif not profile.trunks and not profile.called:
                problem = "is for no call, and nobody is sent to it"
                remedy = "give it trunks or called, or http.token_env, by which calls name it"
                self._fail(path, f"{problem}; {remedy}")
            elif before := next((n for n, p in earlier.items() if _takes_all(p, profile)), ""):
                problem = f"is for no call: profile {before!r} before it takes them all"
                self._fail(path, f"{problem}; move it up")
            if profile.trunks or profile.called:
                earlier[name] = profile

    def _variables(self) -> None:
        """Every variable that a text or a condition names is set somewhere."""
        settings = self._settings
        if any("set_variable" in call.get("tools", ()) for call in self._calls()):
            return
        known = {*GIVEN_VARIABLES, *settings.call.variables}
        known |= {one.into or name for name, one in settings.collects.items()}
        for profile in settings.profiles.values():
            known |= {*profile.variables, *profile.call.get("variables", {})}
        for _, plan in self._all_plans():
            known |= {n for r in plan if isinstance(r, SetVariables) for n in r.values}
        for path, name in self._named():
            if name not in known and not self._is_header(name):
                problem = f"nothing sets the variable {name!r}"
                self._fail(path, f"{problem}; set it, collect it, or mend the name")

    def _is_header(self, name: str) -> bool:
        """Whether a variable is a header that some neighbour's calls may bring."""
        header = name.removeprefix("header.")
        patterns = (pattern for trunk in self._settings.trunks for pattern in trunk.headers)
        return header != name and any(fnmatchcase(header, p.lower()) for p in patterns)

    def _calls(self) -> Iterator[Mapping[str, Any]]:
        """Yield the tables on how calls go: the common one, and what profiles lay over it."""
        yield self._settings.call.model_dump()
        for profile in self._settings.profiles.values():
            yield profile.call

    def _named(self) -> Iterator[tuple[Path, str]]:
        """Yield every variable that is named, and where."""
        for path, plan in self._all_plans():
            for request in plan:
                yield from ((path, name) for name in _named_in(request))
        for name, place in self._places.items():
            for text in place.say.values():
                yield from (((_table_of(place), name, "say"), each) for each in _names(text))
        for path, rules in self._flow.tables.items():
            for number, rule in enumerate(rules):
                yield from (((*path, number, "variables"), each) for each in rule.variables)
        for field in ("greeting", "goodbye", "wind_down"):
            text = getattr(self._settings.call, field)
            yield from ((("call", field), each) for each in _names(text))
        for name, target in self._settings.targets.items():
            yield from ((("targets", name, "whisper"), each) for each in _names(target.whisper))

    def _all_plans(self) -> Iterator[tuple[Path, Plan]]:
        for path, rules in self._flow.tables.items():
            for number, rule in enumerate(rules):
                yield (*path, number, "do"), rule.plan
        for name, place in self._places.items():
            for plan in _plans_of(place):
                yield (_table_of(place), name), plan
        yield from self._flow.ways.items()


def _table_of(place: Prompting) -> str:
    return "collects" if isinstance(place, CheckedCollect) else "menus"


def _is_opened_anew(place: Prompting, plan: Plan) -> bool:
    """Tell whether a plan opens its own place by name, so that silences are counted anew."""
    return any(
        isinstance(request, OpenMenu | Collect) and request.name == place.name for request in plan
    )


def _plans_of(place: Prompting) -> Iterator[Plan]:
    yield from place.keys.values()
    yield from place.no_input
    yield from place.invalid
    yield place.failed
    if isinstance(place, CheckedCollect):
        yield place.then


def _takes_all(first: Profile, second: Profile) -> bool:
    """Tell whether a profile is for all calls that another one is for."""
    pairs = ((first.trunks, second.trunks), (first.called, second.called))
    return all(covers_patterns(one, other) for one, other in pairs)


def _named_in(request: Request) -> Iterator[str]:
    """Yield the variables that a request's texts name."""
    match request:
        case Say(text=text) | SendText(text=text) | Log(text=text) | SendDtmf(digits=text):
            yield from _names(text)
        case Whisper(text=text):
            yield from _names(text)
        case Respond(instructions=str(text)) | Transfer(whisper=str(text)):
            yield from _names(text)
        case SetVariables(values=values) | UpdateSession(fields=values):
            yield from _in_tree(values)
        case _:
            pass


def _in_tree(tree: Any) -> Iterator[str]:
    """Yield the variables named in nested tables."""
    if isinstance(tree, str):
        yield from _names(tree)
    elif isinstance(tree, Mapping):
        for one in tree.values():
            yield from _in_tree(one)
    elif isinstance(tree, Iterable):
        for one in tree:
            yield from _in_tree(one)


def _names(text: str) -> Iterator[str]:
    try:
        yield from (name for _, name, _, _ in string.Formatter().parse(text) if name)
    except ValueError:  # a brace that stands for itself
        return

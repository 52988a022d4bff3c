"""From the words of the configuration to what control can do: names checked, steps made requests.

Each fault is one line that says where it stands, what is wrong, and how to mend it.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias, get_args
from zoneinfo import ZoneInfo

from ..config import (
    CollectSettings,
    MenuSettings,
    Prompted,
    Rule,
    Settings,
    Step,
    Worded,
    dotted,
)
from ..config.sections import BuiltinTool
from ..config.steps import (
    MENU_MOVES,
    NameStep,
    PlayStep,
    SayStep,
    TargetStep,
    TransferStep,
)
from ..errors import ConfigError
from ..realtime.events import SERVER_EVENTS
from .digit_lengths import digit_lengths
from .events import OWN_EVENTS
from .flow_plans import CheckedCollect, CheckedMenu, CheckedRule, Plan
from .schedule import Hours, read_window
from .states import CallState
from .step_requests import request_of
from .tool_arguments import check_schema

__all__ = ["LAST_STEPS", "FlowCheck"]

Path: TypeAlias = tuple[str | int, ...]

LAST_STEPS: Final = ("hangup", "reject", "redirect", "transfer", "menu", "collect")
"""The steps behind which nothing of the same list would ever be done."""

_DTMF: Final = "input_audio_buffer.dtmf_event_received"
_FUNCTION: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WITH_KEY: Final = (_DTMF,)
_REMEDIES: Final = {
    "target": "add it to [targets]",
    "prompt": "add it to [prompts]",
    "menu": "add a table [menus.NAME]",
    "collection": "add a table [collects.NAME]",
    "webhook": "add a table [webhooks.NAME]",
    "profile": "add a table [profiles.NAME]",
    "event": "`voice-gateway events` lists them",
}
_MILLI: Final = 1000


class FlowCheck:
    """Checks the flow of one configuration.

    Args:
        settings: The configuration.
        prompts: The names of all prompts, those that are shipped among them.
        is_for_people: What is checked is not of the file: somebody asks for it.

    """

    def __init__(
        self, settings: Settings, prompts: Iterable[str], *, is_for_people: bool = False
    ) -> None:
        self._settings = settings
        self._prompts = set(prompts)
        self._is_for_people = is_for_people

    def rules(self, rules: Sequence[Rule], path: Path, timezone: str) -> tuple[CheckedRule, ...]:
        """Check a table of rules, whose times are of a zone (UTC if it is not named).

        Raises:
            ConfigError: A rule names what does not exist, or cannot be meant as it stands.

        """
        return tuple(
            self._rule(rule, (*path, number), timezone) for number, rule in enumerate(rules)
        )

    def menu(self, name: str, menu: MenuSettings) -> CheckedMenu:
        """Check a menu.

        Raises:
            ConfigError: As for rules.

        """
        path = ("menus", name)
        self._reserved(path, name)
        self._prompted(path, menu)
        if not menu.say and not menu.prompt:
            self._fail(path, "the caller hears nothing of it; add a line say = … or prompt = …")
        return CheckedMenu(
            name,
            _by_language(menu.say),
            _by_language(menu.prompt),
            menu.barge_in,
            menu.timeout_ms / _MILLI,
            menu.retries,
            self._ladder(menu.no_input, (*path, "no_input")),
            self._ladder(menu.invalid, (*path, "invalid")),
            self.plan(menu.failed, (*path, "failed")),
            self._keys(menu.keys, (*path, "keys")),
            menu.listens,
        )

    def collect(self, name: str, one: CollectSettings) -> CheckedCollect:
        """Check a collection.

        Raises:
            ConfigError: As for rules.

        """
        path = ("collects", name)
        self._reserved(path, name)
        self._prompted(path, one)
        self._length(path, one)
        if one.to == "webhook" or one.webhook:
            if one.to != "webhook":
                self._fail((*path, "webhook"), 'is not told of anything; add to = "webhook"')
            if not one.webhook:
                self._fail((*path, "to"), "which one is to be told? add a line webhook = …")
            self.exists((*path, "webhook"), one.webhook, self._settings.webhooks, "webhook")
        return CheckedCollect(
            name,
            _by_language(one.say),
            _by_language(one.prompt),
            one.barge_in,
            one.timeout_ms / _MILLI,
            one.retries,
            self._ladder(one.no_input, (*path, "no_input")),
            self._ladder(one.invalid, (*path, "invalid")),
            self.plan(one.failed, (*path, "failed")),
            self._keys(one.keys, (*path, "keys")),
            one.min,
            one.max,
            one.terminator,
            one.inter_digit_ms / _MILLI,
            re.compile(one.pattern) if one.pattern else None,
            one.check,
            one.into or name,
            one.to,
            one.webhook,
            one.sensitive,
            self.plan(one.then, (*path, "then")),
        )

    def plan(self, steps: Sequence[Step], path: Path) -> Plan:
        """Return what steps ask for, once everything they name is known to exist.

        Raises:
            ConfigError: They name what does not exist, or a step stands behind a last one.

        """
        for number, step in enumerate(steps):
            if step.kind in LAST_STEPS and number < len(steps) - 1:
                self._fail((*path, number + 1), f"nothing is done after {step.kind}; remove it")
            if step.kind == "supervise" and not self._is_for_people:
                problem = "supervise is for people who have joined the call; remove it"
                self._fail((*path, number), problem)
            self._names(step, (*path, number))
        return tuple(request_of(step) for step in steps)

    def exists(self, path: Path, name: str, known: Iterable[str], what: str) -> None:
        """Make sure that something is there by this name.

        Raises:
            ConfigError: It is not; says what is like it.

        """
        names = list(known)
        if name in names:
            return
        if close := difflib.get_close_matches(name, names, n=1):
            self._fail(path, f"unknown {what} {name!r}; did you mean {close[0]!r}?")
        remedy = _REMEDIES.get(what, f"known: {', '.join(names)}").replace("NAME", name)
        self._fail(path, f"unknown {what} {name!r}; {remedy}")

    def tools(self) -> None:
        """Make sure that the model can be offered the custom functions.

        Raises:
            ConfigError: A schema is none, or a name is taken or cannot be used.

        """
        for name, tool in self._settings.tools.items():
            path = ("tools", name)
            if _FUNCTION.fullmatch(name) is None:
                self._fail(path, "functions have names of letters, digits, _ and -; rename it")
            if name in get_args(BuiltinTool):
                self._fail(path, "is a function of the gateway's own already; rename it")
            if problem := check_schema(tool.parameters):
                self._fail((*path, "parameters"), f"is no JSON schema: {problem}; mend it")

    def _fail(self, path: Path, problem: str) -> None:
        if self._is_for_people:
            raise ConfigError(f"{dotted(path)}: {problem}")
        raise self._settings.problem(path, problem)

    def _rule(self, rule: Rule, path: Path, timezone: str) -> CheckedRule:
        for name in rule.on:
            self.exists((*path, "on"), name, [*SERVER_EVENTS, *OWN_EVENTS], "event")
        self._conditions(rule, path)
        count = str(rule.count or 0)
        return CheckedRule(
            frozenset(rule.on),
            self.plan(rule.do, (*path, "do")),
            dotted(path),
            rule.digit or "",
            int(count.rstrip("+")),
            count.endswith("+"),
            frozenset(CallState(name) for name in rule.state),
            rule.menu,
            tuple(rule.trunk),
            tuple(rule.called),
            tuple(rule.caller),
            self._hours(rule.time, (*path, "time"), timezone),
            rule.where,
            {name: tuple(fits) for name, fits in rule.variables.items()},
            rule.after_seconds,
            rule.go_on,
        )

    def _conditions(self, rule: Rule, path: Path) -> None:
        if rule.digit is not None and not set(rule.on) & set(_WITH_KEY):
            self._fail((*path, "digit"), f"only {_DTMF} has a digit; remove it")
        if (rule.after_seconds is not None) != ("timer.elapsed" in rule.on):
            problem = 'after_seconds and on = "timer.elapsed" belong together; write both'
            self._fail((*path, "on"), problem)
        states = [state.value for state in CallState if state is not CallState.ENDED]
        for name in rule.state:
            self.exists((*path, "state"), name, states, "state")
        if rule.menu:
            places = [*self._settings.menus, *self._settings.collects]
            self.exists((*path, "menu"), rule.menu, places, "menu")

    def _hours(self, times: Sequence[str], path: Path, timezone: str) -> Hours | None:
        if not times:
            return None
        try:
            windows = tuple(read_window(text) for text in times)
        except ValueError as error:
            raise self._settings.problem(path, str(error)) from error
        return Hours(windows, ZoneInfo(timezone or "UTC"))

    def _reserved(self, path: Path, name: str) -> None:
        if name in MENU_MOVES:
            self._fail(path, f"{name!r} is what {{ menu = {name!r} }} does already; rename it")
        if name in self._settings.menus and name in self._settings.collects:
            self._fail(path, f"there is both a menu and a collection {name!r}; rename one")

    def _prompted(self, path: Path, one: Prompted) -> None:
        for prompt in _by_language(one.prompt).values():
            self.exists((*path, "prompt"), prompt, self._prompts, "prompt")
        for ladder, steps in (("no_input", one.no_input), ("invalid", one.invalid)):
            if len(steps) > one.retries:
                problem = f"step {one.retries + 1} is never reached with retries = {one.retries}"
                self._fail((*path, ladder), f"{problem}; remove it, or retry oftener")

    def _length(self, path: Path, one: CollectSettings) -> None:
        """Make sure that some number can be right, and that every key has one meaning."""
        if one.min > one.max:
            self._fail((*path, "min"), f"{one.min} is more than max = {one.max}; exchange them")
        if one.terminator and one.terminator in one.keys:
            problem = f"{one.terminator!r} ends the number; keep it in keys or as terminator"
            self._fail((*path, "keys"), problem)
        if one.pattern and not digit_lengths(one.pattern, one.max) & {*range(one.min, one.max + 1)}:
            problem = f"{one.pattern!r} fits no number of {one.min} to {one.max} digits"
            self._fail((*path, "pattern"), f"{problem}; mend it, or min and max")
        if one.check == "luhn" and one.max < 2:
            self._fail((*path, "check"), "one digit has no check digit; raise max")
        if one.inter_digit_ms > one.timeout_ms * 10:
            self._fail((*path, "inter_digit_ms"), "is more than ten times timeout_ms; lower it")
        if (taken := set(one.keys) & set("0123456789")) and one.max > 1:
            key = min(taken)
            problem = f"{key!r} is collected here, and cannot lead out; use * or #"
            self._fail((*path, "keys", key), problem)

    def _ladder(self, ladder: Sequence[Sequence[Step]], path: Path) -> tuple[Plan, ...]:
        return tuple(self.plan(steps, (*path, number)) for number, steps in enumerate(ladder))

    def _keys(self, keys: Mapping[str, Sequence[Step]], path: Path) -> Mapping[str, Plan]:
        return {key: self.plan(steps, (*path, key)) for key, steps in keys.items()}

    def _names(self, step: Step, path: Path) -> None:
        """Make sure that what a step names is there."""
        settings = self._settings
        match step.kind, step.argument:
            case _, TransferStep(target=str(name)) if name:
                self.exists(path, name, settings.targets, "target")
            case _, TransferStep(profile=str(name)):
                self.exists(path, name, settings.profiles, "profile")
            case _, TargetStep(target=name):
                self.exists(path, name, settings.targets, "target")
            case _, PlayStep(prompt=str(name)) if name:
                self.exists(path, name, self._prompts, "prompt")
            case _, SayStep(prompt=str(name)) if name:
                self.exists(path, name, self._prompts, "prompt")
            case "menu", NameStep(name=name):
                self.exists(path, name, [*settings.menus, *MENU_MOVES], "menu")
            case "collect", NameStep(name=name):
                self.exists(path, name, settings.collects, "collection")
            case "webhook", NameStep(name=name):
                self.exists(path, name, settings.webhooks, "webhook")
            case _:
                pass


def _by_language(worded: Worded) -> Mapping[str, str]:
    if isinstance(worded, str):
        return {"": worded} if worded else {}
    return worded

"""The configuration as a controller uses it: checked against what control knows, then fixed.

Made once per process; a controller costs nothing to set up from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from ..config import (
    BargeInSettings,
    CallSettings,
    CustomTool,
    DialSettings,
    FallbackSettings,
    IdleSettings,
    LimitSettings,
    McpSettings,
    PriceSettings,
    Profile,
    RealtimeSettings,
    Settings,
    Target,
    WebhookSettings,
    check_session,
    table_at,
)
from .actions import Say
from .flow_check import FlowCheck
from .flow_plans import CheckedCollect, CheckedMenu, CheckedRule, Plan
from .lint import Path, PlannedFlow, lint

__all__ = [
    "APOLOGY",
    "COMFORT",
    "DTMF_EVENT",
    "SHIPPED_PROMPTS",
    "TIMEOUT_EVENT",
    "ControlSettings",
    "fits_address",
    "merged",
]

APOLOGY: Final = "unavailable"
COMFORT: Final = "comfort"
SHIPPED_PROMPTS: Final = (APOLOGY, COMFORT)
"""The prompts that there are without being configured."""
DTMF_EVENT: Final = "input_audio_buffer.dtmf_event_received"
TIMEOUT_EVENT: Final = "input_audio_buffer.timeout_triggered"
_PROMPTS: Final = ("goodbye_prompt", "comfort_prompt")  # of [call], by name
_SERVED: Final = ("say", "respond", "send_text", "whisper", "update_session")
_Table = TypeVar("_Table", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """All that a controller goes by: the common settings, or those of a profile."""

    call: CallSettings
    session: Mapping[str, Any]
    targets: Mapping[str, Target]
    rules: tuple[CheckedRule, ...]
    realtime: RealtimeSettings
    fallback: FallbackSettings
    mcp: McpSettings
    prices: PriceSettings
    barge_in: BargeInSettings
    idle: IdleSettings
    limits: LimitSettings
    dial: DialSettings
    tools: Mapping[str, CustomTool]
    webhooks: Mapping[str, WebhookSettings]
    menus: Mapping[str, CheckedMenu]
    collects: Mapping[str, CheckedCollect]
    fallback_keys: Mapping[str, Plan] = field(default_factory=dict)
    idle_ladder: tuple[Plan, ...] = ()
    profile: str = ""  # whose settings these are
    profiles: Mapping[str, "ControlSettings"] = field(default_factory=dict)
    trunks: tuple[str, ...] = ()  # a profile's: shell patterns of the calls it is for
    called: tuple[str, ...] = ()

    @property
    def turn_detection(self) -> Mapping[str, Any]:
        """The session's own words on turns; empty where it leaves them to the service."""
        return table_at(dict(self.session), "audio", "input", "turn_detection")

    @property
    def goodbye(self) -> Say:
        """What is said before we hang up by ourselves, or played where nobody can say it."""
        prompt = self.call.goodbye_prompt
        return Say(self.call.goodbye, APOLOGY if prompt is None else prompt)

    @property
    def is_answered_by_itself(self) -> bool:
        """Whether the service answers what the caller says without being asked to."""
        is_talk = self.session.get("type", "realtime") != "transcription"
        return is_talk and bool(self.turn_detection.get("create_response", True))

    @property
    def is_interrupted_by_service(self) -> bool:
        """Whether the service itself cuts its answer where the caller speaks."""
        barge_in = self.barge_in
        is_at_once = barge_in.mode == "cut" and not barge_in.protect_greeting
        is_wanted = "service" in barge_in.by and is_at_once and not barge_in.protect_ms
        return is_wanted and bool(self.turn_detection.get("interrupt_response", True))

    def for_call(self, trunk: str, called: str) -> "ControlSettings":
        """Return the settings of the first profile made for such calls, or the common ones."""
        for one in self.profiles.values():
            is_by_trunk = not one.trunks or any(fnmatchcase(trunk, p) for p in one.trunks)
            is_by_number = not one.called or fits_address(one.called, called)
            if (one.trunks or one.called) and is_by_trunk and is_by_number:
                return replace(one, profiles=self.profiles)
        return self

    def for_profile(self, name: str) -> "ControlSettings":
        """Return the settings of a profile, with the way to all others."""
        return replace(self.profiles[name], profiles=self.profiles)

    @classmethod
    def of(cls, settings: Settings) -> "ControlSettings":
        """Check the configuration's flow: rules, menus, ladders, profiles and what they name.

        Raises:
            ConfigError: Something of it does not exist, or cannot work; says what, where, and
                how to mend it.

        """
        check = FlowCheck(settings, {*SHIPPED_PROMPTS, *settings.prompts})
        call = settings.call
        _check_names(settings, check)
        check.tools()
        menus = {name: check.menu(name, menu) for name, menu in settings.menus.items()}
        collects = {name: check.collect(name, one) for name, one in settings.collects.items()}
        common = cls(
            call,
            settings.session,
            settings.targets,
            check.rules(settings.rules, ("rules",), call.timezone),
            settings.realtime,
            settings.fallback,
            settings.mcp,
            settings.prices,
            settings.barge_in,
            settings.idle,
            settings.limits,
            settings.dial,
            settings.tools,
            settings.webhooks,
            menus,
            collects,
            _fallback_keys(settings, check),
            _ladder(check, settings.idle, ("idle", "ladder")),
        )
        profiles = {
            name: _profile(settings, check, common, name, one)
            for name, one in settings.profiles.items()
        }
        tables: dict[Path, Sequence[CheckedRule]] = {("rules",): common.rules}
        for name, one in settings.profiles.items():
            tables["profiles", name, "rules"] = profiles[name].rules[: len(one.rules)]
        lint(settings, PlannedFlow(tables, menus, collects, _ways(common, profiles)))
        return replace(common, profiles=profiles)


def fits_address(patterns: Sequence[str], address: str) -> bool:
    """Tell whether one of the shell patterns fits a SIP address: whole, or its user part."""
    user = address.partition(":")[2].partition("@")[0] or address
    return any(fnmatchcase(address, one) or fnmatchcase(user, one) for one in patterns)


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one tree of tables over another."""
    whole = dict(below)
    for name, value in above.items():
        under = whole.get(name)
        is_table = isinstance(under, Mapping) and isinstance(value, Mapping)
        whole[name] = merged(under or {}, value) if is_table else value
    return whole


def _check_names(settings: Settings, check: FlowCheck) -> None:
    """Make sure that what single settings name is there."""
    call, fallback = settings.call, settings.fallback
    prompts = {*SHIPPED_PROMPTS, *settings.prompts}
    if fallback.prompt:
        check.exists(("fallback", "prompt"), fallback.prompt, prompts, "prompt")
    for key in _PROMPTS:
        if prompt := getattr(call, key):
            check.exists(("call", key), prompt, prompts, "prompt")
    if call.menu:
        check.exists(("call", "menu"), call.menu, settings.menus, "menu")
    for name, profile in settings.profiles.items():
        for key in _PROMPTS:
            if prompt := profile.call.get(key):
                check.exists(("profiles", name, "call", key), prompt, prompts, "prompt")
    if fallback.transfer:
        check.exists(("fallback", "transfer"), fallback.transfer, settings.targets, "target")


def _fallback_keys(settings: Settings, check: FlowCheck) -> dict[str, Plan]:
    keys = settings.fallback.keys
    for key, steps in keys.items():
        for number, step in enumerate(steps):
            if step.kind in _SERVED:
                raise settings.problem(
                    ("fallback", "keys", key, number),
                    f"{step.kind} needs the service, which is away then; use play",
                )
    return {key: check.plan(steps, ("fallback", "keys", key)) for key, steps in keys.items()}


def _ways(common: ControlSettings, profiles: Mapping[str, ControlSettings]) -> dict[Path, Plan]:
    """Return the plans that belong to no rule and no menu, by where they are written."""
    ways: dict[Path, Plan] = {
        ("fallback", "keys", key): plan for key, plan in common.fallback_keys.items()
    }
    ladders: dict[Path, ControlSettings] = {("idle", "ladder"): common}
    ladders |= {("profiles", name, "idle", "ladder"): one for name, one in profiles.items()}
    for path, one in ladders.items():
        ways |= {(*path, number): plan for number, plan in enumerate(one.idle_ladder)}
    return ways


def _ladder(check: FlowCheck, idle: IdleSettings, path: tuple[str | int, ...]) -> tuple[Plan, ...]:
    return tuple(check.plan(steps, (*path, number)) for number, steps in enumerate(idle.ladder))


def _profile(
    settings: Settings, check: FlowCheck, common: ControlSettings, name: str, one: Profile
) -> ControlSettings:
    """Return the common settings with a profile's laid over them."""
    path = ("profiles", name)
    session = merged(settings.session, one.session)
    if problem := check_session(session):
        where, _, told = problem.partition(": ")
        raise settings.problem((*path, "session", *where.split(".")), told)
    call = _laid_over(settings, settings.call, one.call, (*path, "call"))
    call = call.model_copy(update={"variables": {**call.variables, **one.variables}})
    if call.menu:
        check.exists((*path, "call", "menu"), call.menu, settings.menus, "menu")
    idle = _laid_over(settings, settings.idle, one.idle, (*path, "idle"))
    return replace(
        common,
        call=call,
        session=session,
        barge_in=_laid_over(settings, settings.barge_in, one.barge_in, (*path, "barge_in")),
        idle=idle,
        idle_ladder=_ladder(check, idle, (*path, "idle", "ladder")),
        rules=(
            *check.rules(one.rules, (*path, "rules"), call.timezone),
            *check.rules(settings.rules, ("rules",), call.timezone),
        ),
        profile=name,
        trunks=tuple(one.trunks),
        called=tuple(one.called),
    )


def _laid_over(
    settings: Settings, common: _Table, over: Mapping[str, Any], path: tuple[str | int, ...]
) -> _Table:
    """Return a table with some of its fields replaced, checked as it would be by itself."""
    try:
        known = type(common).model_validate(over)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        is_unknown = first["type"] == "extra_forbidden"
        message = "unknown setting" if is_unknown else first["msg"].removeprefix("Value error, ")
        raise settings.problem((*path, *first["loc"]), f"{message}; mend or remove it") from None
    return common.model_copy(update={field: getattr(known, field) for field in over})

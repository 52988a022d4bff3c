"""The configuration as a controller uses it: checked against what control knows, then fixed.

Made once per process; a controller costs nothing to set up from it.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ..config import (
    BargeInSettings,
    CallSettings,
    CollectSettings,
    CustomTool,
    FallbackSettings,
    IdleSettings,
    LimitSettings,
    McpSettings,
    MenuSettings,
    PriceSettings,
    RealtimeSettings,
    Rule,
    Settings,
    Step,
    Target,
    WebhookSettings,
    table_at,
)
from ..config.steps import (
    HangUpStep,
    KeysStep,
    MuteStep,
    NameStep,
    PlayStep,
    RecordStep,
    RejectStep,
    SayStep,
    TableStep,
    TargetStep,
    TextStep,
    TransferStep,
)
from ..realtime.events import SERVER_EVENTS
from .actions import (
    Answer,
    Collect,
    HangUp,
    Hold,
    Log,
    Mute,
    OpenMenu,
    Play,
    PostWebhook,
    Record,
    Redirect,
    Reject,
    Request,
    Respond,
    Resume,
    Ring,
    Say,
    SendDtmf,
    SendText,
    SetVariables,
    Stop,
    Transfer,
    UpdateSession,
)
from .events import OWN_EVENTS
from .states import CallState

__all__ = [
    "APOLOGY",
    "COMFORT",
    "DTMF_EVENT",
    "SHIPPED_PROMPTS",
    "TIMEOUT_EVENT",
    "CheckedRule",
    "ControlSettings",
]

APOLOGY: Final = "unavailable"
COMFORT: Final = "comfort"
SHIPPED_PROMPTS: Final = (APOLOGY, COMFORT)
"""The prompts that there are without being configured."""
DTMF_EVENT: Final = "input_audio_buffer.dtmf_event_received"
TIMEOUT_EVENT: Final = "input_audio_buffer.timeout_triggered"
_LAST: Final = ("hangup", "reject")
_BARE: Final[Mapping[str, type[Answer | Ring | Stop | Hold | Resume]]] = {
    "answer": Answer,
    "ring": Ring,
    "stop": Stop,
    "hold": Hold,
    "resume": Resume,
}
_NAMED: Final[Mapping[str, type[Collect | OpenMenu | PostWebhook]]] = {
    "collect": Collect,
    "menu": OpenMenu,
    "webhook": PostWebhook,
}
_SERVED: Final = ("say", "respond", "send_text")


@dataclass(frozen=True, slots=True)
class CheckedRule:
    """A rule whose event, state, targets and prompts are known to exist."""

    on: tuple[str, ...]
    requests: tuple[Request, ...]
    digits: str | None = None
    count: int | None = None
    state: CallState | None = None


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """All that a controller goes by."""

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
    tools: Mapping[str, CustomTool]
    webhooks: Mapping[str, WebhookSettings]
    menus: Mapping[str, MenuSettings]
    collects: Mapping[str, CollectSettings]
    fallback_keys: Mapping[str, tuple[Request, ...]] = field(default_factory=dict)

    @property
    def turn_detection(self) -> Mapping[str, Any]:
        """The session's own words on turns; empty where it leaves them to the service."""
        return table_at(dict(self.session), "audio", "input", "turn_detection")

    @property
    def is_answered_by_itself(self) -> bool:
        """Whether the service answers what the caller says without being asked to."""
        is_talk = self.session.get("type", "realtime") != "transcription"
        return is_talk and bool(self.turn_detection.get("create_response", True))

    @classmethod
    def of(cls, settings: Settings) -> "ControlSettings":
        """Check the configuration's rules and names.

        Raises:
            ConfigError: A rule names an event, state, target or prompt that does not exist.

        """
        call = settings.call
        for path, prompt in (
            (("fallback", "prompt"), settings.fallback.prompt),
            (("call", "comfort_prompt"), call.comfort_prompt),
        ):
            if prompt:
                _must_exist(settings, path, prompt, _prompts(settings), "prompt")
        if settings.fallback.transfer:
            path = ("fallback", "transfer")
            _must_exist(settings, path, settings.fallback.transfer, settings.targets, "target")
        rules = tuple(_checked(settings, index, rule) for index, rule in enumerate(settings.rules))
        keys = {
            key: _checked_steps(settings, ("fallback", "keys", key), steps)
            for key, steps in settings.fallback.keys.items()
        }
        for key, steps in settings.fallback.keys.items():
            for number, step in enumerate(steps):
                if step.kind in _SERVED:
                    raise settings.problem(
                        ("fallback", "keys", key, number),
                        f"{step.kind} needs the service, which is away then; use play",
                    )
        return cls(
            call,
            settings.session,
            settings.targets,
            rules,
            settings.realtime,
            settings.fallback,
            settings.mcp,
            settings.prices,
            settings.barge_in,
            settings.idle,
            settings.limits,
            settings.tools,
            settings.webhooks,
            settings.menus,
            settings.collects,
            keys,
        )


def _checked(settings: Settings, index: int, rule: Rule) -> CheckedRule:
    path = ("rules", index)
    for name in rule.on:
        _must_exist(settings, (*path, "on"), name, [*SERVER_EVENTS, *OWN_EVENTS], "event")
    if rule.digit is not None and DTMF_EVENT not in rule.on:
        raise settings.problem((*path, "digit"), f"only {DTMF_EVENT} has a digit; remove it")
    states = [state.value for state in CallState if state is not CallState.ENDED]
    for name in rule.state:
        _must_exist(settings, (*path, "state"), name, states, "state")
    requests = _checked_steps(settings, (*path, "do"), rule.do)
    state = CallState(rule.state[0]) if rule.state else None
    count = rule.count if isinstance(rule.count, int) else None
    return CheckedRule(tuple(rule.on), requests, rule.digit, count, state)


def _checked_steps(
    settings: Settings, path: tuple[str | int, ...], steps: Sequence[Step]
) -> tuple[Request, ...]:
    """Return what steps ask for, once everything they name is known to exist."""
    requests = []
    for number, step in enumerate(steps):
        where = (*path, number)
        if step.kind in _LAST and number < len(steps) - 1:
            raise settings.problem(
                (*path, number + 1), f"nothing is done after {step.kind}; remove it"
            )
        match step.argument:
            case TransferStep(target=str(target)) if target:
                _must_exist(settings, where, target, settings.targets, "target")
            case PlayStep(prompt=str(prompt)) if prompt:
                _must_exist(settings, where, prompt, _prompts(settings), "prompt")
            case _:
                pass
        requests.append(_request(step))
    return tuple(requests)


def _prompts(settings: Settings) -> set[str]:
    return {*SHIPPED_PROMPTS, *settings.prompts}


def _must_exist(
    settings: Settings, path: tuple[str | int, ...], name: str, known: Iterable[str], what: str
) -> None:
    names = list(known)
    if name in names:
        return
    if close := difflib.get_close_matches(name, names, n=1):
        raise settings.problem(path, f"unknown {what} {name!r}; did you mean {close[0]!r}?")
    where = {
        "target": "add it to [targets]",
        "prompt": "add it to [prompts]",
        "event": "`voice-gateway events` lists them",
    }
    remedy = where.get(what, f"known: {', '.join(names)}")
    raise settings.problem(path, f"unknown {what} {name!r}; {remedy}")


def _request(step: Step) -> Request:
    """Return what a step asks for."""
    match step.argument:
        case SayStep(text=text, prompt=prompt):
            return Say(text, prompt)
        case PlayStep(prompt=prompt, tone=tone, repeat=repeat):
            return Play(prompt or f"tone:{tone}", repeat)
        case RejectStep(status=status, reason=reason):
            return Reject(status, reason)
        case HangUpStep(reason=reason, cause=cause):
            return HangUp(reason, cause)
        case KeysStep(digits=digits):
            return SendDtmf(digits)
        case MuteStep(who=who):
            return Mute(who)
        case RecordStep(do=do):
            return Record(do)
        case TargetStep(target=target):
            return Redirect(target)
        case TextStep(text=text):
            return _of_text(step.kind, text)
        case NameStep(name=name):
            return _NAMED[step.kind](name)
        case TableStep(table=table) if step.kind == "set":
            return SetVariables({name: str(value) for name, value in table.items()})
        case TableStep(table=table):
            return UpdateSession(table)
        case TransferStep() as to:
            return _transfer(step.kind, to)
        case _:
            return _BARE[step.kind]()


def _of_text(kind: str, text: str) -> Request:
    match kind:
        case "respond":
            return Respond(text or None)
        case "send_text":
            return SendText(text)
        case _:
            return Log(text)


def _transfer(kind: str, to: TransferStep) -> Transfer:
    """Return a transfer; to dial is to bridge, with the agent staying."""
    is_dialled = kind == "dial"
    mode = to.mode or ("bridge" if is_dialled else None)
    agent = to.agent or ("stays" if is_dialled else None)
    return Transfer(to.target, to.profile, mode, to.whisper, agent, to.seconds)

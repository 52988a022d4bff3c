"""The configuration as a controller uses it: checked against what control knows, then fixed.

Made once per process; a controller costs nothing to set up from it.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, assert_never

from ..config import (
    CallSettings,
    FallbackSettings,
    McpSettings,
    PriceSettings,
    RealtimeSettings,
    Rule,
    Settings,
    Step,
    table_at,
)
from ..realtime.events import SERVER_EVENTS
from .actions import (
    Answer,
    HangUp,
    Hold,
    Log,
    Play,
    Record,
    Reject,
    Request,
    Respond,
    Resume,
    Ring,
    Say,
    SendDtmf,
    SendText,
    Stop,
    Transfer,
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
_SERVED: Final = ("say", "respond", "send_text")


@dataclass(frozen=True, slots=True)
class CheckedRule:
    """A rule whose event, state, targets and prompts are known to exist."""

    on: str
    requests: tuple[Request, ...]
    digits: str | None = None
    count: int | None = None
    state: CallState | None = None


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """All that a controller goes by."""

    call: CallSettings
    session: Mapping[str, Any]
    targets: Mapping[str, str]
    rules: tuple[CheckedRule, ...]
    realtime: RealtimeSettings
    fallback: FallbackSettings
    mcp: McpSettings
    prices: PriceSettings
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
            keys,
        )


def _checked(settings: Settings, index: int, rule: Rule) -> CheckedRule:
    path = ("rules", index)
    _must_exist(settings, (*path, "on"), rule.on, [*SERVER_EVENTS, *OWN_EVENTS], "event")
    if rule.digit is not None and rule.on != DTMF_EVENT:
        raise settings.problem((*path, "digit"), f"only {DTMF_EVENT} has a digit; remove it")
    states = [state.value for state in CallState if state is not CallState.ENDED]
    if rule.state is not None:
        _must_exist(settings, (*path, "state"), rule.state, states, "state")
    requests = _checked_steps(settings, (*path, "do"), rule.do)
    state = None if rule.state is None else CallState(rule.state)
    return CheckedRule(rule.on, requests, rule.digit, rule.count, state)


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
        if step.kind == "transfer":
            _must_exist(settings, where, step.text, settings.targets, "target")
        if step.kind == "play":
            _must_exist(settings, where, step.text, _prompts(settings), "prompt")
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
    text = step.text
    match step.kind:
        case "answer":
            return Answer()
        case "ring":
            return Ring()
        case "reject":
            return Reject(int(text))
        case "say":
            return Say(text)
        case "play":
            return Play(text)
        case "stop":
            return Stop()
        case "respond":
            return Respond(text or None)
        case "send_text":
            return SendText(text)
        case "hold":
            return Hold()
        case "resume":
            return Resume()
        case "transfer":
            return Transfer(text)
        case "send_dtmf":
            return SendDtmf(text)
        case "record":
            return Record(step.argument is True)
        case "log":
            return Log(text)
        case "hangup":
            return HangUp(text or "rule")
        case _ as unreachable:
            assert_never(unreachable)

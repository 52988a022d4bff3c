"""What a configuration does with a call, as boxes and arrows: rules, menus, and where they lead."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from ..config import CollectSettings, MenuSettings, Prompted, Rule, Settings, Step
from ..config.steps import (
    MENU_MOVES,
    HangUpStep,
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

__all__ = ["Box", "BoxKind", "Row", "flow_boxes"]

BoxKind: TypeAlias = Literal["start", "rules", "menu", "collect", "target", "agent", "end"]

_AGENT: Final = "agent"
_END: Final = "end"
_LONGEST: Final = 46  # characters of a row's words


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a box: under which condition, what is done, and the boxes it leads to."""

    label: str
    words: str
    leads_to: tuple[str, ...] = ()


@dataclass(slots=True)
class Box:
    """One place a call can be at; ``heard`` is what is said there first."""

    id: str
    kind: BoxKind
    title: str
    rows: list[Row] = field(default_factory=list)
    heard: str = ""


def flow_boxes(settings: Settings) -> list[Box]:
    """Return the boxes of a configuration: first where calls begin, last where they go."""
    boxes = [*_starts(settings), *_rules(settings)]
    boxes += [_menu(settings, name, menu) for name, menu in settings.menus.items()]
    boxes += [_collect(settings, name, one) for name, one in settings.collects.items()]
    boxes.append(Box(_AGENT, "agent", "the agent"))
    for name, target in settings.targets.items():
        boxes.append(Box(f"target {name}", "target", name, [Row(target.mode, _cut(target.uri))]))
    boxes.append(Box(_END, "end", "hang up"))
    wanted = {place for box in boxes for row in box.rows for place in row.leads_to}
    return [box for box in boxes if box.kind not in ("agent", "end") or box.id in wanted]


def _starts(settings: Settings) -> Iterator[Box]:
    """Yield the box of all calls, and one for each profile."""
    yield Box("start", "start", "a call", [_opening("answered", settings.call.menu)])
    for name, profile in settings.profiles.items():
        which = ", ".join([*profile.trunks, *profile.called]) or "by transfer"
        menu = str(profile.call.get("menu", settings.call.menu))
        rows = [_opening(_cut(which), menu)]
        rows += [_rule_row(settings, rule) for rule in profile.rules]
        yield Box(f"profile {name}", "start", f"profile {name}", rows)


def _opening(label: str, menu: str) -> Row:
    place = _place(menu) if menu else _AGENT
    return Row(label, f"menu {menu}" if menu else "greeting", (place,))


def _rules(settings: Settings) -> Iterator[Box]:
    if settings.rules:
        rows = [_rule_row(settings, rule) for rule in settings.rules]
        yield Box("rules", "rules", "at any time", rows)


def _rule_row(settings: Settings, rule: Rule) -> Row:
    """Return a rule as a line: its event in short, with its conditions, and what it does."""
    events = [] if rule.digit else rule.on  # only a key event has a digit
    conditions = [name.rpartition(".")[2].replace("_", " ") for name in events]
    conditions += [f"key {rule.digit}"] if rule.digit else []
    conditions += [f"time {rule.count}"] if rule.count else []
    conditions += [*rule.state, *rule.called, *rule.trunk, *rule.time]
    conditions += [f"in {rule.menu}"] if rule.menu else []
    conditions += [f"{name} = {'|'.join(fits)}" for name, fits in rule.variables.items()]
    return _row(settings, ", ".join(conditions), rule.do)


def _menu(settings: Settings, name: str, menu: MenuSettings) -> Box:
    rows = [_row(settings, key, steps) for key, steps in menu.keys.items()]
    if menu.listens:
        rows.append(Row("speech", "the agent answers", (_AGENT,)))
    rows += _ladders(settings, menu)
    return Box(_place(name), "menu", _place(name), rows, _heard(menu))


def _collect(settings: Settings, name: str, one: CollectSettings) -> Box:
    digits = f"{one.min}-{one.max} keys" if one.min != one.max else f"{one.max} keys"
    then = _row(settings, digits + (" •" if one.sensitive else ""), one.then)
    if not one.then:
        place = (_AGENT,) if one.to == "model" else ()
        then = Row(then.label, "tell the agent" if place else "go on", place)
    rows = [then, *(_row(settings, key, steps) for key, steps in one.keys.items())]
    rows += _ladders(settings, one)
    return Box(f"collect {name}", "collect", f"collect {name}", rows, _heard(one))


def _ladders(settings: Settings, one: Prompted) -> list[Row]:
    """Return what is done where the caller presses nothing, or the wrong key."""
    rows = []
    for label, ladder in (("nothing", one.no_input), ("wrong key", one.invalid)):
        rows += [
            _row(settings, f"{label} {number}", steps) for number, steps in enumerate(ladder, 1)
        ]
    if one.failed:
        return [*rows, _row(settings, "in the end", one.failed)]
    return [*rows, Row("in the end", "goodbye", (_END,))]


def _heard(one: Prompted) -> str:
    """Return what is said in a place, in the first of its languages; else its prompt's name."""
    said = one.say or one.prompt
    return said if isinstance(said, str) else next(iter(said.values()), "")


def _row(settings: Settings, label: str, steps: Sequence[Step]) -> Row:
    places = dict.fromkeys(place for step in steps for place in _leads_to(settings, step))
    return Row(_cut(label), _cut(", then ".join(_words(step) for step in steps)), tuple(places))


def _leads_to(settings: Settings, step: Step) -> Iterable[str]:
    """Return the boxes that a step takes the call to."""
    match step.kind, step.argument:
        case "menu", NameStep(name=name):
            return (_AGENT,) if name == "close" else () if name in MENU_MOVES else (_place(name),)
        case "collect", NameStep(name=name):
            return (f"collect {name}",)
        case _, TransferStep(target=target, profile=profile):
            return (f"target {target}",) if target else (f"profile {profile}",)
        case _, TargetStep(target=target):
            return (f"target {target}",)
        case (("hangup" | "reject"), _):
            return (_END,)
        case "respond", _:
            return (_AGENT,)
        case _:
            return ()


def _words(step: Step) -> str:
    """Say in a few words what a step does."""
    match step.argument:
        case SayStep(text=text):
            return f"“{text}”"
        case TextStep(text=text):
            return f"{step.kind.replace('_', ' ')} {text}".strip()
        case PlayStep(prompt=prompt, tone=tone):
            return f"play {prompt or tone}"
        case RejectStep(status=status):
            return f"reject {status}"
        case HangUpStep():
            return "hang up"
        case NameStep(name=name):
            return f"{step.kind} {name}"
        case MuteStep(who=who):
            return f"mute {who}"
        case RecordStep(do=do):
            return f"{do} recording"
        case TransferStep(target=target, profile=profile, mode=mode):
            to = target or f"profile {profile}"
            return f"{step.kind} to {to}" + (f" ({mode})" if mode else "")
        case TargetStep(target=target):
            return f"redirect to {target}"
        case TableStep(table=table):
            return f"{step.kind} {', '.join(table)}"
        case _:
            return step.kind.replace("_", " ")


def _place(menu: str) -> str:
    return f"menu {menu}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"

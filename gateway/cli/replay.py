"""`voice-gateway replay`: a call of the past, through the call control and rules of today."""

import json as encoding
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, get_args

import msgspec
from cyclopts import Parameter

from ..config import load
from ..control import ControlSettings, TimelineEntry, first_difference
from ..control import replay as play_again
from ..control.replay import Difference
from ..control.timeline import Kind
from ..errors import ConfigError
from ..realtime.faults import classify
from .output import say, say_json
from .serve import ConfigFile

__all__ = ["replay"]

_BEFORE: Final = 5  # entries shown before the first difference
_WIDTH: Final = 110  # characters of a line
_CONTEXT: Final = 30  # characters shown before two texts part
_LARGEST: Final = 64 << 20  # bytes of a record; the longest timelines have some 10 MB
_MOST_DELTAS: Final = 1_000_000  # of one entry
_MOST_TOGETHER: Final = 1_000  # requests


def replay(
    timeline: Annotated[Path, Parameter(help="The timeline, or the record that holds it (JSON).")],
    *,
    config: ConfigFile = None,
    json: bool = False,
) -> int:
    """Run a call's timeline through this version and this configuration, and compare.

    What happened to the call happens again, at the same times; what the gateway does about it
    is compared with what it did.  Exits with 0 when both agree, 1 at the first difference.

    Args:
        timeline: A call's record as `/v1/calls/ID` returns it, a list of entries, or one
            entry on each line.
        config: Configuration (TOML); without one, GATEWAY_CONFIG, then loopback defaults.
        json: Print one JSON object instead of lines.

    """
    settings = ControlSettings.of(load(config, os.environ, needs_secrets=False))
    recorded = _read(timeline)
    difference = first_difference(recorded, play_again(recorded, settings, classify))
    actions = sum(entry.kind == "action" for entry in recorded)
    if json:
        say_json({"same": difference is None, "actions": actions, **_as_dict(difference)})
    elif difference is None:
        say(f"same: {actions} actions in {len(recorded)} entries", "green")
    else:
        _tell(recorded, difference)
    return 0 if difference is None else 1


def _read(path: Path) -> list[TimelineEntry]:
    """Read a timeline.

    Raises:
        ConfigError: The file cannot be read, or holds none; says what, where, and the remedy.

    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {why}; name a call's record") from error
    if len(data) > _LARGEST:
        raise ConfigError(f"{path}: more than {_LARGEST >> 20} MiB; name a call's record")
    entries = []
    for number, row in enumerate(_rows(path, text), 1):
        try:
            _must_be_plausible(row)
            entries.append(TimelineEntry.from_dict(row))
        except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
            problem = f"entry {number} is none of a timeline: {error}; name a call's record"
            raise ConfigError(f"{path}: {problem}") from error
    return entries


def _rows(path: Path, text: str) -> list[Any]:
    """Return the entries as plain data, however they are wrapped."""
    try:
        whole = encoding.loads(text)
    except (ValueError, RecursionError):
        try:
            whole = [encoding.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: not JSON: {error}; name a call's record") from error
    rows = whole.get("timeline") if isinstance(whole, dict) else whole
    if not isinstance(rows, list) or not rows:
        raise ConfigError(f"{path}: there is no timeline in it; take one from /v1/calls/ID")
    return rows


def _must_be_plausible(row: Any) -> None:
    """Hold one entry against what a timeline can hold.

    Raises:
        ValueError: It is something else.

    """
    if not isinstance(row, dict) or not isinstance(row.get("detail"), dict):
        raise ValueError("not an object with a detail")
    if row.get("kind") not in get_args(Kind):
        raise ValueError(f"kind {row.get('kind')!r} is none of {', '.join(get_args(Kind))}")
    times = [row.get("at"), row.get("until", 0.0)]
    if not all(type(time) in (int, float) and math.isfinite(time) for time in times):
        raise ValueError("its time is no number of seconds")
    if not isinstance(row.get("by", ""), str):
        raise ValueError("who it is by is no text")
    together = row.get("together", 1)
    if type(together) is not int or not 0 < together <= _MOST_TOGETHER:
        raise ValueError(f"its together is no number from 1 to {_MOST_TOGETHER}")
    count = row.get("count", 1)
    if type(count) is not int or not 0 < count <= _MOST_DELTAS:
        raise ValueError(f"its count is no number from 1 to {_MOST_DELTAS}")


def _as_dict(difference: Difference | None) -> dict[str, Any]:
    if difference is None:
        return {}
    then, now = difference.recorded, difference.replayed
    return {
        "recorded": then.as_dict() if then is not None else None,
        "replayed": now.as_dict() if now is not None else None,
    }


def _tell(recorded: list[TimelineEntry], difference: Difference) -> None:
    """Show what came before the first difference, then both sides of it."""
    then, now = difference.recorded, difference.replayed
    start = recorded[0].at
    at = min(entry.at for entry in (then, now) if entry is not None)
    before = [entry for entry in recorded if entry.at <= at]
    before = before[: before.index(then)] if then in before else before
    for entry in before[-_BEFORE:]:
        say(f"    {_line(entry, start)}", "dim")
    say(f"  - {_line(then, start) if then else 'nothing more was done'}", "red")
    say(f"  + {_line(now, start) if now else 'nothing more is done'}", "green")
    if then is not None and now is not None and then.name == now.name:
        for name, (old, new) in _differing(then.detail, now.detail).items():
            say(f"      {name}")
            say(f"      - {old}", "red")
            say(f"      + {new}", "green")
    say("The first difference: - as it was recorded, + as it is today; seconds since the start.")


def _line(entry: TimelineEntry, start: float) -> str:
    text = f"{entry.at - start:9.3f}  {entry.kind:<8} {entry.name:<40} {_json(entry.detail)}"
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _differing(old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the fields, dotted, that are not the same, as the text from where they part."""
    then, now = dict(_fields(old)), dict(_fields(new))
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    return {name: _parting(then.get(name, ""), now.get(name, "")) for name in names}


def _fields(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _fields(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, _json(value)


def _json(value: Any) -> str:
    """Return a value as JSON that every terminal can show."""
    return encoding.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


def _parting(old: str, new: str) -> tuple[str, str]:
    """Return two texts cut to where they part, with a few words before that."""
    parts = (n for n, (one, other) in enumerate(zip(old, new, strict=False)) if one != other)
    same = next(parts, min(len(old), len(new)))
    begin = max(0, same - _CONTEXT)
    lead = "…" if begin else ""
    room = _WIDTH - 10
    cut = [lead + text[begin:] for text in (old, new)]
    shown = [text if len(text) <= room else f"{text[: room - 1]}…" for text in cut]
    return shown[0] or "(nothing)", shown[1] or "(nothing)"

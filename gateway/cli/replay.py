"""`voice-gateway replay`: a call of the past, through the call control and rules of today."""

import json as encoding
import os
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from cyclopts import Parameter

from ..config import load
from ..control import ControlSettings, TimelineEntry, first_difference
from ..control import replay as play_again
from ..control.replay import Difference
from ..errors import ConfigError
from ..realtime.faults import classify
from .output import say, say_json
from .serve import ConfigFile

__all__ = ["replay"]

_BEFORE: Final = 5  # entries shown before the first difference


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
    settings = ControlSettings.of(load(config, os.environ))
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
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {why}; name a call's record") from error
    rows = _rows(path, text)
    entries = []
    for number, row in enumerate(rows, 1):
        try:
            entries.append(TimelineEntry.from_dict(row))
        except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
            problem = f"entry {number} is none of a timeline: {error}; name a call's record"
            raise ConfigError(f"{path}: {problem}") from error
    return entries


def _rows(path: Path, text: str) -> list[Any]:
    """Return the entries as plain data, however they are wrapped."""
    try:
        whole = encoding.loads(text)
    except ValueError:
        try:
            whole = [encoding.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise ConfigError(f"{path}: not JSON: {error}; name a call's record") from error
    rows = whole.get("timeline") if isinstance(whole, dict) else whole
    if not isinstance(rows, list) or not rows:
        raise ConfigError(f"{path}: there is no timeline in it; take one from /v1/calls/ID")
    return rows


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
    at = min(entry.at for entry in (then, now) if entry is not None)
    for entry in [entry for entry in recorded if entry.at <= at and entry is not then][-_BEFORE:]:
        say(f"    {_line(entry)}", "dim")
    say(f"  - {_line(then) if then is not None else 'nothing more was done'}", "red")
    say(f"  + {_line(now) if now is not None else 'nothing more is done'}", "green")
    say("The first difference: - as it was recorded, + as it is today.")


def _line(entry: TimelineEntry) -> str:
    detail = encoding.dumps(entry.detail, ensure_ascii=False)
    return f"{entry.at:10.3f}  {entry.kind:<8} {entry.name:<42} {detail}"

"""Plays a timeline through a fresh controller and says where it would act otherwise."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import cast

import msgspec

from ..realtime.events import ResponseOutputAudioDelta
from .actions import Request
from .context import Classify
from .controller import Controller
from .events import Event
from .settings import ControlSettings
from .timeline import Decision, TimelineEntry

__all__ = ["Difference", "first_difference", "replay"]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first action that is not what it was; ``None`` where one side has no more."""

    recorded: TimelineEntry | None
    replayed: TimelineEntry | None


def replay(
    entries: Iterable[TimelineEntry], settings: ControlSettings, classify: Classify
) -> list[TimelineEntry]:
    """Return the timeline that today's controller makes of what happened then."""
    entries = tuple(entries)
    controller = Controller(settings, classify)
    controller.expect(entry.subject for entry in entries if isinstance(entry.subject, Decision))
    taken_in = 0  # entries, the requests among them with those they were asked together with
    for number, entry in enumerate(entries):
        if entry.kind == "event":
            _handle(controller, entry)
        elif entry.kind == "request" and number >= taken_in:
            taken_in = number + (entry.together or 1)
            asked = [one.subject for one in entries[number:taken_in] if one.kind == "request"]
            controller.request(cast("list[Request]", asked), entry.at, entry.by)
        elif entry.kind == "timer":
            controller.wake(entry.at)
    return controller.timeline.entries


def _handle(controller: Controller, entry: TimelineEntry) -> None:
    """Have an event happen again; of several deltas the first brings all the text."""
    event = cast("Event", entry.subject)
    controller.handle(event, entry.at)
    if entry.count > 1 and entry.until is not None:
        delta = b"" if isinstance(event, ResponseOutputAudioDelta) else ""
        rest = msgspec.structs.replace(event, delta=delta)  # type: ignore[type-var]
        for _ in range(entry.count - 1):
            controller.handle(rest, entry.until)


def first_difference(
    recorded: Iterable[TimelineEntry], replayed: Iterable[TimelineEntry]
) -> Difference | None:
    """Return the first action in which two timelines part, or nothing where they agree."""
    then = (entry for entry in recorded if entry.kind == "action")
    now = (entry for entry in replayed if entry.kind == "action")
    for old, new in zip_longest(then, now):
        if old is None or new is None or (old.at, old.subject) != (new.at, new.subject):
            return Difference(old, new)
    return None

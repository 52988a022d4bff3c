"""A call's record as stories read it, wherever it comes from: memory, a database, a file."""

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ..pieces import read_rows

__all__ = ["Entry", "Told", "number_of", "told_of"]

_LONGEST_CALL: Final = 7 * 86_400.0  # seconds


class Entry(msgspec.Struct, kw_only=True):
    """A row of the timeline; ``at`` and ``until`` are seconds since the call began."""

    at: float
    kind: str
    name: str
    detail: dict[str, Any] = {}
    count: int = 1
    until: float | None = None
    sources: list[str] = []
    duration_ms: int | None = None
    by: str = ""  # who asked for it

    def text(self, name: str) -> str:
        """Return a field of the detail, empty where it is no text."""
        value = self.detail.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> float | None:
        """Return a field of the detail, nothing where it is no number."""
        return number_of(self.detail.get(name))


class Told(msgspec.Struct, kw_only=True):
    """A record (:class:`gateway.calls.registry.CallRecord`), as far as stories need it."""

    call_id: str
    caller: str = ""
    caller_name: str = ""
    called: str = ""
    started_at: float = 0.0
    state: str = ""
    duration: float = 0.0
    ended_by: str | None = None
    reason: str | None = None
    codec: str = ""
    media: dict[str, Any] = {}
    transport: str = ""
    recording_problem: str = ""
    usage: dict[str, Any] = {}
    takes: list[float] = []  # seconds since the call began, at which each recording did
    transcript: list[dict[str, Any]] = []
    timeline: list[Entry] = []

    @property
    def goes_on(self) -> bool:
        """Whether the call is in progress."""
        return self.ended_by is None and self.state != "ended"


def number_of(value: object) -> float | None:
    """Return a number of a record, nothing where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def told_of(record: Mapping[str, Any]) -> Told:
    """Read a record as JSON holds it.

    Raises:
        msgspec.ValidationError: It is no call's record; says where not.

    """
    told = msgspec.convert({**record, "timeline": []}, Told)
    told.timeline = read_rows(msgspec.convert(record.get("timeline", []), list), Entry)
    start = told.timeline[0].at if told.timeline else 0.0
    for entry in told.timeline:
        entry.at -= start
        if entry.until is not None:
            entry.until -= start
    last = max((entry.at for entry in told.timeline), default=0.0)
    times = [told.started_at, told.duration, last, *told.takes]
    if not all(map(math.isfinite, times)) or max(times[1:]) > _LONGEST_CALL:
        raise msgspec.ValidationError("its times are no call's")
    told.timeline.sort(key=lambda entry: entry.at)
    told.duration = max(told.duration, last, 0.0)
    return told

"""Who is on the line: admission, the calls in progress, and the last ones that ended."""

import enum
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Protocol

from ..control.timeline import Timeline
from ..errors import CapacityError
from .audience import Audience
from .quota import Quota

__all__ = ["CallRecord", "Health", "LiveCall", "Registry"]

_REMEMBERED: Final = 500  # ended calls kept; the oldest is forgotten first
_MOST_TOLD: Final = 200_000  # entries of ended calls' timelines; the oldest call's go first


class Account(Protocol):
    """Something long about a call, put into words when somebody asks."""

    def __len__(self) -> int:
        """Return how many entries it has."""
        ...

    def as_list(self) -> list[dict[str, Any]]:
        """Return them as JSON-ready data."""
        ...


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What is worth knowing of one call, in progress or over.

    What was said and what happened go on with a call in progress; all else is of one moment.
    """

    call_id: str
    caller: str
    called: str
    started_at: float  # unix seconds
    state: str
    duration: float  # seconds since the call came in
    ended_by: str | None = None
    reason: str | None = None
    q850: int | None = None  # the cause of its end (ITU-T Q.850)
    trunk: str = ""  # the neighbour it came from, or was placed by
    leg: str = ""  # what the caller's side is made of
    recording: str = ""  # the file's name in the folder of recordings
    recording_problem: str = ""  # why there is none of it, or not all
    takes: list[float] = field(default_factory=list)  # seconds at which each recording began
    codec: str = ""
    media: dict[str, Any] = field(default_factory=dict)
    transport: str = ""  # what the link to the service was made of
    link: dict[str, int] = field(default_factory=dict)  # what went to and from the service
    usage: dict[str, Any] = field(default_factory=dict)  # tokens, seconds, cost
    caller_name: str = ""  # as the neighbour gave it
    said: Account | None = None
    happened: Timeline | None = None
    quality: Account | None = None

    @property
    def transcript(self) -> list[dict[str, Any]]:
        """What was said, as far as it was heard."""
        return self.said.as_list() if self.said is not None else []

    @property
    def timeline(self) -> list[dict[str, Any]]:
        """Every event and action, in order."""
        return self.happened.as_list() if self.happened is not None else []

    def as_dict(
        self, *, with_timeline: bool = True, transcript: list[dict[str, Any]] | None = None
    ) -> dict[str, Any]:
        """Return the record as JSON would hold it; without its long parts if so asked.

        ``transcript`` is what was said, where that was asked for before.
        """
        row = {name: getattr(self, name) for name in _SHORT}
        if with_timeline:
            said = self.transcript if transcript is None else transcript
            row |= {"transcript": said, "timeline": self.timeline}
            if self.quality:
                row["media"] = self.media | {"series": self.quality.as_list()}
        return row


_LONG: Final = ("said", "happened", "quality")
_SHORT: Final = tuple(f.name for f in fields(CallRecord) if f.name not in _LONG)


class LiveCall(Protocol):
    """A call as the registry sees it."""

    call_id: str

    def record(self) -> CallRecord:
        """Describe the call as it stands."""
        ...

    def hang_up(self, reason: str) -> None:
        """End the call from outside; it leaves the registry once it is over."""
        ...


class Health(enum.Enum):
    """Whether new calls are welcome, and the HTTP status that says so."""

    READY = 200
    BUSY = 429
    DRAINING = 503


class Registry:
    """The calls of this process, bounded by ``max_calls`` and by what the service has left.

    Attributes:
        audience: Who looks on at them.

    """

    def __init__(self, max_calls: int, quota: Quota | None = None) -> None:
        self.max_calls = max_calls
        self.quota = quota or Quota(0.0)
        self.audience = Audience()
        self.is_draining = False
        self.refused = 0
        self._live: dict[str, LiveCall] = {}
        self._ended: dict[str, CallRecord] = {}  # the oldest first
        self._told: deque[CallRecord] = deque()  # those of them that have their long parts
        self._told_entries = 0

    def __len__(self) -> int:
        return len(self._live)

    def __iter__(self) -> Iterator[LiveCall]:
        return iter(tuple(self._live.values()))

    @property
    def health(self) -> Health:
        """Whether another call would be admitted."""
        if self.is_draining:
            return Health.DRAINING
        is_full = len(self._live) >= self.max_calls
        return Health.BUSY if is_full or self.wait_seconds else Health.READY

    @property
    def wait_seconds(self) -> float:
        """How long the service's rate limits keep new calls away; 0 where they do not."""
        return self.quota.wait_seconds

    def admit(self, call: LiveCall) -> None:
        """Take a new call in.

        Raises:
            CapacityError: The gateway is full or draining; the caller gets 503.

        """
        if self.health is not Health.READY:
            self.refused += 1
            raise CapacityError(f"no room for another call: {self.health.name.lower()}")
        self._live[call.call_id] = call

    def release(self, call: LiveCall) -> None:
        """Let a call that is over go, and remember its record."""
        if self._live.pop(call.call_id, None) is not None:
            record = call.record()
            self._remember(record)
            self.audience.call_ended(record)

    def forget(self, call: LiveCall) -> None:
        """Let a call go that never was one; nothing is remembered of it."""
        self._live.pop(call.call_id, None)

    def records(self) -> list[CallRecord]:
        """Return the calls in progress, then those that ended, newest first."""
        return [call.record() for call in self] + self.ended()

    def ended(self) -> list[CallRecord]:
        """Return the calls that are over and remembered, newest first."""
        return list(reversed(self._ended.values()))

    def live(self, call_id: str) -> LiveCall | None:
        """Return a call in progress."""
        return self._live.get(call_id)

    def erase(self, call_id: str) -> CallRecord | None:
        """Forget a call that is over; returns what was known of it."""
        record = self._ended.pop(call_id, None)
        if record is not None and self._told.count(record):
            self._told.remove(record)
            self._told_entries -= _entries(record)
        return record

    def record(self, call_id: str) -> CallRecord | None:
        """Return one call's record, or ``None`` where it is unknown or forgotten."""
        live = self._live.get(call_id)
        return live.record() if live is not None else self._ended.get(call_id)

    def _remember(self, record: CallRecord) -> None:
        """Keep a record within bounds: of the oldest calls the short parts, then nothing."""
        self._ended[record.call_id] = record
        self._told.append(record)
        self._told_entries += _entries(record)
        if len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]
        while len(self._told) > _REMEMBERED or self._told_entries > _MOST_TOLD:
            old = self._told.popleft()
            self._told_entries -= _entries(old)
            if old.call_id in self._ended:
                self._ended[old.call_id] = replace(old, said=None, happened=None, quality=None)


def _entries(record: CallRecord) -> int:
    return len(record.happened) if record.happened is not None else 0

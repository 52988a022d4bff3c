"""What a story is made of.  Every time is in seconds since the call began."""

from typing import Any, Literal, TypeAlias

import msgspec

__all__ = [
    "Envelope",
    "Group",
    "Interruption",
    "Key",
    "Lane",
    "LaneName",
    "Line",
    "Mark",
    "Quality",
    "QualityPoint",
    "Span",
    "Step",
    "Story",
    "Take",
    "Turn",
]

LaneName: TypeAlias = Literal["caller", "agent", "callee", "supervisor"]
Group: TypeAlias = Literal[
    "call", "speech", "answer", "keys", "menu", "tool", "transfer", "service", "people", "time"
]


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Read-only; fields go by name."""


class Envelope(_Part, frozen=True, kw_only=True):
    """How loud something is over time.

    Attributes:
        step: seconds that one value stands for.
        peaks: the loudest sample of each step from the call's beginning on, 0 to 255.

    """

    step: float
    peaks: list[int]


class Span(_Part, frozen=True, kw_only=True):
    """Something that lasts.

    Attributes:
        start: when it begins.
        end: when it ends; of what goes on, how long the call has lasted.
        kind: ``speech`` (as the service hears it), ``voice`` (as we do), ``playout``,
            ``prompt``, ``menu``, ``hold``, ``transfer``, ``callee``, ``outage``, ``private``;
            of who supervises ``listen``, ``speak`` or ``takeover``.
        label: a few words.
        id: of the item or response, where it is one's.
        is_cut: it was ended before its time.

    """

    start: float
    end: float
    kind: str
    label: str = ""
    id: str = ""
    is_cut: bool = False


class Lane(_Part, frozen=True, kw_only=True):
    """One speaker's sound, and when they speak."""

    name: LaneName
    spans: list[Span]
    sound: Envelope | None = None


class Interruption(_Part, frozen=True, kw_only=True):
    """The agent was cut short.

    Attributes:
        at: when whoever did it was noticed.
        silent_at: when the last of the old sound had gone out.
        by: what did it: the caller's voice, a key, or the gateway itself.
        item_id: what was cut.
        heard_ms: how much of it was heard, where that is known.
        heard: its last words that were.

    """

    at: float
    silent_at: float
    by: Literal["speech", "key", "gateway"]
    item_id: str = ""
    heard_ms: int | None = None
    heard: str = ""


class Key(_Part, frozen=True, kw_only=True):
    """A key that was pressed; ``•`` is one that is nobody's business."""

    at: float
    key: str
    sources: list[str]
    duration_ms: int | None = None


class Mark(_Part, frozen=True, kw_only=True):
    """Something that people did to the call: ``who``, and in words, what."""

    at: float
    who: str
    did: str


class Step(_Part, frozen=True, kw_only=True):
    """An entry of the timeline, in words.

    Attributes:
        at: when.
        kind: ``event``, ``derived``, ``action``, ``decision``, ``request`` or ``timer``.
        group: what it is about.
        name: as rules and the wire know it.
        detail: its fields, shortened.
        is_minor: of interest only to who looks for it.

    """

    at: float
    kind: str
    group: Group
    name: str
    detail: str = ""
    is_minor: bool = False


class Line(_Part, frozen=True, kw_only=True):
    """A turn of the transcript, or a tool's work.

    Attributes:
        at: when it is first heard; else, when it was first heard of.
        end: when it is last heard, where that is known.
        who: ``caller``, ``agent`` or ``tool``.
        text: all that was said.
        heard: as much of it as was heard; the whole ``text`` where nothing was cut.
        is_cut: less was heard than was said.
        item_id: by which the service knows it.
        tool: its name, with ``text`` what it was asked and ``heard`` what it answered.

    """

    at: float
    who: Literal["caller", "agent", "tool"]
    text: str
    heard: str
    end: float | None = None
    is_cut: bool = False
    item_id: str = ""
    tool: str = ""


class Turn(_Part, frozen=True, kw_only=True):
    """One wait of the caller's for an answer: milliseconds since ``at``.

    Attributes:
        at: the caller fell silent, as the service heard it, or pressed a key.
        by: which of the two.
        committed_ms: their words were made a turn.
        created_ms: the answer was begun.
        tool_ms: a tool was called before it could be given.
        delta_ms: the first of its sound came from the service.
        packet_ms: the first packet of it went out to the caller.

    """

    at: float
    by: Literal["speech", "key"]
    committed_ms: float | None = None
    created_ms: float | None = None
    tool_ms: float | None = None
    delta_ms: float | None = None
    packet_ms: float | None = None


class QualityPoint(_Part, frozen=True, kw_only=True):
    """How well the caller was received, over the seconds before ``at``."""

    at: float
    loss_percent: float
    jitter_ms: float
    mos: float | None = None
    round_trip_ms: float | None = None
    codec: str = ""


class Quality(_Part, frozen=True, kw_only=True):
    """How well the call was received, all in all."""

    packets_received: int = 0
    packets_sent: int = 0
    lost: int = 0
    loss_percent: float = 0.0
    jitter_ms: float = 0.0
    round_trip_ms: float | None = None
    remote_loss_percent: float | None = None
    mos: float | None = None
    is_encrypted: bool = False
    points: list[QualityPoint] = []


class Take(_Part, frozen=True, kw_only=True):
    """A recording of the call: ``number`` counts from 1."""

    number: int
    start: float
    end: float


class Story(_Part, frozen=True, kw_only=True):
    """A call on one axis of time.

    Attributes:
        call_id: by which the gateway knows the call.
        caller: who called.
        caller_name: as the neighbour gave it.
        called: whom.
        trunk: the neighbour it came from.
        started_at: unix seconds.
        duration: seconds.
        state: where the call stands.
        is_live: it goes on.
        ended_by: who ended it.
        reason: and why.
        codec: of the caller's sound.
        transport: of the link to the service.
        lanes: who speaks when.
        spans: menus, holds, transfers, a service that was away, what nobody was to hear.
        interruptions: where the agent was cut short.
        keys: that the caller pressed.
        interventions: of people.
        lines: the transcript.
        turns: how long the caller waited each time.
        steps: the timeline.
        steps_left_out: how many there were no room for.
        quality: of the caller's sound.
        usage: tokens, seconds and money, as the record has them.
        takes: recordings that can be played.
        recording_problem: why there is none, or not all of it.

    """

    call_id: str
    caller: str
    caller_name: str
    called: str
    trunk: str
    started_at: float
    duration: float
    state: str
    is_live: bool
    ended_by: str
    reason: str
    codec: str
    transport: str
    lanes: list[Lane]
    spans: list[Span]
    interruptions: list[Interruption]
    keys: list[Key]
    interventions: list[Mark]
    lines: list[Line]
    turns: list[Turn]
    steps: list[Step]
    steps_left_out: int
    quality: Quality
    usage: dict[str, Any]
    takes: list[Take]
    recording_problem: str

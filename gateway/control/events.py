"""What can happen to a call: the gateway's own events beside those of the realtime service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

from ..realtime.events import ServerEvent, Unknown
from ..realtime.events import wire_name as service_name
from .actions import Supervising

__all__ = [
    "OWN_EVENTS",
    "AnswerClassified",
    "AudioFormat",
    "BeepHeard",
    "CallStarted",
    "CalleeAnswered",
    "CalleeEnded",
    "CalleeProgress",
    "ErrandDone",
    "Event",
    "Heard",
    "KeyPressed",
    "KeyReleased",
    "KeySource",
    "LegAnswered",
    "LegEnded",
    "LegHeld",
    "LegMoved",
    "LegReferred",
    "LinkLost",
    "LinkReady",
    "MediaTimeout",
    "MenuClosed",
    "MenuOpened",
    "OwnEvent",
    "PlayoutFlushed",
    "PlayoutStarted",
    "PlayoutStopped",
    "PromptStopped",
    "Side",
    "SupervisionChanged",
    "SupervisorLeft",
    "TimerElapsed",
    "TransferEnded",
    "TransferProgress",
    "Transport",
    "VoiceStarted",
    "VoiceStopped",
    "name_of",
]

Side: TypeAlias = Literal["caller", "callee", "supervisor"]
KeySource: TypeAlias = Literal["rfc4733", "info", "inband", "service", "browser"]
Transport: TypeAlias = Literal["websocket", "webrtc", "sip"]
AudioFormat: TypeAlias = Literal["audio/pcm", "audio/pcmu", "audio/pcma", ""]


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A call came in, or was placed; always the first event.

    Of a hosted call the service itself holds the caller's side: it is there for us only
    once the call was answered.  A caller who cannot be referred knows nobody but us: they are
    joined with whoever else they are to talk to.
    """

    call_id: str
    caller: str
    called: str
    is_outbound: bool = False
    is_hosted: bool = False
    can_refer: bool = True
    trunk: str = ""  # the neighbour it came from
    unix_time: float = 0.0  # when that was
    profile: str = ""  # whose settings were asked for by name
    variables: Mapping[str, str] = field(default_factory=dict)  # given with it


@dataclass(frozen=True, slots=True)
class LegAnswered:
    """Speech can flow between the gateway and the caller."""


@dataclass(frozen=True, slots=True)
class LegEnded:
    """The caller's side is gone; always the last event that matters.

    ``q850`` is the cause in the terms of the telephone network (ITU-T Q.850).
    """

    by: Literal["caller", "gateway", "peer"]
    status: int = 0
    reason: str = ""
    q850: int = 16


@dataclass(frozen=True, slots=True)
class LegHeld:
    """The caller put us on hold, or took us back."""

    is_held: bool


@dataclass(frozen=True, slots=True)
class LegReferred:
    """A far end asked us to call somebody who is to take its place."""

    target: str
    leg: Side = "caller"


@dataclass(frozen=True, slots=True)
class LegMoved:
    """Somebody else has taken a far end's place, or did not: the SIP status says why."""

    party: str
    status: int = 200
    leg: Side = "caller"


@dataclass(frozen=True, slots=True)
class LinkReady:
    """The connection to the service is open.

    ``audio_format`` is what will be sent and played over a WebSocket; it is empty where the
    service itself carries the sound (``webrtc``, ``sip``).  ``unix_time`` is when that was.
    """

    audio_format: AudioFormat = "audio/pcm"
    transport: Transport = "websocket"
    unix_time: float = 0.0


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The service could not be reached, refused us, or went away."""

    reason: str
    is_retryable: bool = True


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A key went down, as one detector saw it; ``received_at`` is unix seconds.

    ``leg`` is whose key it was.
    """

    key: str
    source: KeySource
    duration_ms: int = 0
    received_at: int = 0
    leg: Side = "caller"


@dataclass(frozen=True, slots=True)
class KeyReleased:
    """A key went up after so long, as one detector saw it."""

    key: str
    source: KeySource
    duration_ms: int
    leg: Side = "caller"


@dataclass(frozen=True, slots=True)
class MenuOpened:
    """A menu, or a collection of keys, has begun."""

    name: str
    is_collection: bool = False


@dataclass(frozen=True, slots=True)
class MenuClosed:
    """A menu or a collection is over: a key was taken, nothing came, or it was left.

    ``keys`` is what was pressed; of a sensitive collection, ``•`` for each.
    """

    name: str
    outcome: Literal["key", "collected", "failed", "closed"]
    keys: str = ""


@dataclass(frozen=True, slots=True)
class TimerElapsed:
    """So many seconds have passed since the call was answered."""

    seconds: float


@dataclass(frozen=True, slots=True)
class VoiceStarted:
    """Somebody speaks, as we hear it ourselves."""

    leg: Side = "caller"


@dataclass(frozen=True, slots=True)
class VoiceStopped:
    """They have stopped, having spoken for so long."""

    duration_ms: int
    leg: Side = "caller"


@dataclass(frozen=True, slots=True)
class BeepHeard:
    """A single steady tone ended, as of a machine that records from now on."""

    hertz: int
    duration_ms: int
    leg: Side = "caller"


@dataclass(frozen=True, slots=True)
class AnswerClassified:
    """Who answered a call that we placed."""

    by: Literal["human", "machine", "unknown"]
    leg: Side = "caller"


@dataclass(frozen=True, slots=True)
class CalleeProgress:
    """The second leg rings (a provisional SIP status)."""

    status: int


@dataclass(frozen=True, slots=True)
class CalleeAnswered:
    """The second leg is up."""


@dataclass(frozen=True, slots=True)
class CalleeEnded:
    """The second leg is gone, or never came to be: the SIP status says why."""

    status: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ErrandDone:
    """An errand is over: what was answered, or what went wrong."""

    errand_id: str
    status: int = 200
    body: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class PlayoutStarted:
    """The first frame of a response went out to the caller."""

    response_id: str


@dataclass(frozen=True, slots=True)
class PlayoutStopped:
    """The caller was sent all of a response."""

    response_id: str


@dataclass(frozen=True, slots=True)
class Heard:
    """How much of one content part the caller was sent, of how much had come."""

    response_id: str
    item_id: str
    content_index: int
    sent_ms: int
    received_ms: int


@dataclass(frozen=True, slots=True)
class PlayoutFlushed:
    """What was left to play is gone; ``items`` is the ledger of the responses not yet over."""

    response_id: str | None
    items: tuple[Heard, ...] = ()


@dataclass(frozen=True, slots=True)
class PromptStopped:
    """A prompt from a file is over; ``is_complete`` when it was heard to its end."""

    prompt_id: str
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class SupervisorLeft:
    """The connection of somebody who supervised is gone: they hung up, or lost it."""

    supervisor: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SupervisionChanged:
    """Somebody came to supervise, does so in another way, or is gone (``leave``).

    ``by`` is their name; ``before`` is empty for who comes.
    """

    supervisor: str
    by: str
    mode: Supervising
    before: Supervising | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class TransferProgress:
    """The transfer's target answered with a provisional status (RFC 3515 NOTIFY)."""

    status: int


@dataclass(frozen=True, slots=True)
class TransferEnded:
    """The transfer was taken over by its target, or came to nothing."""

    is_accepted: bool
    status: int = 0


@dataclass(frozen=True, slots=True)
class MediaTimeout:
    """No RTP came for this long although it should have, or on hold for longer than is waited."""

    seconds: float
    is_held: bool = False


OwnEvent: TypeAlias = (
    CallStarted
    | LegAnswered
    | LegEnded
    | LegHeld
    | LinkReady
    | LinkLost
    | KeyPressed
    | KeyReleased
    | PlayoutStarted
    | PlayoutStopped
    | PlayoutFlushed
    | PromptStopped
    | TransferProgress
    | TransferEnded
    | MediaTimeout
    | MenuOpened
    | MenuClosed
    | TimerElapsed
    | VoiceStarted
    | VoiceStopped
    | BeepHeard
    | AnswerClassified
    | CalleeProgress
    | CalleeAnswered
    | CalleeEnded
    | ErrandDone
    | LegReferred
    | LegMoved
    | SupervisorLeft
    | SupervisionChanged
)
Event: TypeAlias = OwnEvent | ServerEvent | Unknown

# The names by which rules and timelines know the gateway's own events.
OWN_EVENTS: Final[dict[str, type[OwnEvent]]] = dict(
    zip(
        (
            "call.started",
            "leg.answered",
            "leg.ended",
            "leg.held",
            "link.ready",
            "link.lost",
            "key.pressed",
            "key.released",
            "playout.started",
            "playout.stopped",
            "playout.flushed",
            "prompt.stopped",
            "transfer.progress",
            "transfer.ended",
            "media.timeout",
            "menu.opened",
            "menu.closed",
            "timer.elapsed",
            "voice.started",
            "voice.stopped",
            "beep.heard",
            "answer.classified",
            "callee.progress",
            "callee.answered",
            "callee.ended",
            "errand.done",
            "leg.referred",
            "leg.moved",
            "supervisor.left",
            "supervision.changed",
        ),
        get_args(OwnEvent),
        strict=True,
    )
)
_NAMES: Final = {cls: name for name, cls in OWN_EVENTS.items()}


def name_of(event: Event) -> str:
    """Return the name of any event: the wire's for the service's, ours for our own."""
    own = _NAMES.get(type(event))  # type: ignore[arg-type]
    return own if own is not None else service_name(event)  # type: ignore[arg-type]

"""What a lane tells the call that owns it; ``at`` is the monotonic time of the tick."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

__all__ = [
    "BeepHeard",
    "Heard",
    "KeyPressed",
    "LaneEvent",
    "Mark",
    "MediaTimeout",
    "PlayoutFlushed",
    "PlayoutStarted",
    "PlayoutStopped",
    "PromptStopped",
    "RecordingStopped",
    "VoiceStarted",
    "VoiceStopped",
]


class Mark(NamedTuple):
    """Whose audio this is, in the service's words."""

    response_id: str
    item_id: str
    content_index: int = 0


@dataclass(slots=True)
class Heard:
    """What of one content part went out to the caller, and what had come in from the service."""

    response_id: str
    item_id: str
    content_index: int
    sent_ms: int
    received_ms: int


@dataclass(slots=True)
class PlayoutStarted:
    """The first frame of a response left."""

    response_id: str
    at: float


@dataclass(slots=True)
class PlayoutStopped:
    """The last sample of a response has had its time."""

    response_id: str
    at: float


@dataclass(slots=True)
class PlayoutFlushed:
    """The ring was emptied; nothing that was in it will be heard any more.

    ``response_id`` is the response that was being played, ``items`` every content part
    of the responses that were not over, those already played in full included.
    """

    response_id: str | None
    items: tuple[Heard, ...]
    at: float


@dataclass(slots=True)
class PromptStopped:
    """A prompt is over; ``is_complete`` when it was heard to its end."""

    prompt_id: str
    is_complete: bool
    at: float


@dataclass(slots=True)
class KeyPressed:
    """A key went down (``duration_ms`` 0) or came up again."""

    key: str
    source: Literal["rfc4733", "inband"]
    is_down: bool
    duration_ms: int
    at: float


@dataclass(slots=True)
class MediaTimeout:
    """Nothing was received for ``seconds`` although it should have been; told once per silence.

    On hold it need not have been, but so long a hold is nobody's.
    """

    seconds: float
    at: float
    is_held: bool = False


@dataclass(slots=True)
class RecordingStopped:
    """The recording at ``path`` is over; ``problem`` says why it fell short.

    Without ``has_file`` there is none of it.
    """

    path: str
    at: float
    problem: str = ""
    has_file: bool = True


@dataclass(slots=True)
class VoiceStarted:
    """Somebody speaks, and has for the time that makes a voice."""

    at: float


@dataclass(slots=True)
class VoiceStopped:
    """They have stopped for a quarter of a second, having spoken for so long."""

    duration_ms: int
    at: float


@dataclass(slots=True)
class BeepHeard:
    """A single steady tone ended in silence, as an answering machine's does."""

    hertz: int
    duration_ms: int
    at: float


LaneEvent: TypeAlias = (
    PlayoutStarted
    | PlayoutStopped
    | PlayoutFlushed
    | PromptStopped
    | KeyPressed
    | MediaTimeout
    | RecordingStopped
    | VoiceStarted
    | VoiceStopped
    | BeepHeard
)

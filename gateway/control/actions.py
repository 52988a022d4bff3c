"""Everything a call can be told to do: one closed set, so that nothing is done half-known.

``Request`` is what rules, tools and people ask of a controller.  ``Action`` is what a
controller asks of the call that drives it: speech requests have by then become commands to
the service, sent when the service can take them.
"""

from dataclasses import dataclass
from typing import TypeAlias

from ..realtime.commands import ClientEvent

__all__ = [
    "Action",
    "Answer",
    "Connect",
    "Disconnect",
    "HangUp",
    "Hold",
    "Listen",
    "Log",
    "Play",
    "Record",
    "Reject",
    "Request",
    "Respond",
    "Resume",
    "Ring",
    "Say",
    "SendCommand",
    "SendDtmf",
    "SendText",
    "Stop",
    "Transfer",
]


@dataclass(frozen=True, slots=True)
class Answer:
    """Accept the call (200)."""


@dataclass(frozen=True, slots=True)
class Ring:
    """Let the caller hear ringing (180)."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Refuse a call not yet answered with this SIP status."""

    status: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Say:
    """Have the service speak this text word for word, over whatever it was saying."""

    text: str


@dataclass(frozen=True, slots=True)
class Respond:
    """Have the service answer now, with these instructions or those of the session."""

    instructions: str | None = None


@dataclass(frozen=True, slots=True)
class SendText:
    """Tell the service something as if the caller had typed it."""

    text: str


@dataclass(frozen=True, slots=True)
class Play:
    """Play a configured prompt to the caller; it ends with a ``PromptStopped`` of this name.

    A repeated one plays until something is queued behind it, or it is stopped.
    """

    prompt: str
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """Empty the playout at once, prompts included; the ledger comes back as ``PlayoutFlushed``."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a new link to the service, in place of the one there may be."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Let go of the link to the service, or of the attempt to open one.

    Unless it is ``for_good``, what the caller says is kept for the next link.
    """

    for_good: bool = True


@dataclass(frozen=True, slots=True)
class Listen:
    """Let the service hear the caller; what they said while it was away goes first (bounded)."""


@dataclass(frozen=True, slots=True)
class SendCommand:
    """Send this command over the link."""

    command: ClientEvent


@dataclass(frozen=True, slots=True)
class Hold:
    """Put the caller on hold."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Take the caller back from hold."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Send the caller elsewhere (REFER); ends with ``TransferEnded``.

    In a request ``target`` is a configured name; in an action, the address it stands for.
    """

    target: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call: in a request once all speech was heard, in an action now."""

    cause: str = "normal"


@dataclass(frozen=True, slots=True)
class SendDtmf:
    """Press keys towards the caller's side."""

    digits: str


@dataclass(frozen=True, slots=True)
class Record:
    """Start or stop recording both directions."""

    is_on: bool = True


@dataclass(frozen=True, slots=True)
class Log:
    """Write a line to the log, and to the timeline."""

    text: str


Action: TypeAlias = (
    Answer
    | Ring
    | Reject
    | Play
    | Stop
    | Connect
    | Disconnect
    | Listen
    | SendCommand
    | Hold
    | Resume
    | Transfer
    | HangUp
    | SendDtmf
    | Record
    | Log
)
Request: TypeAlias = Action | Say | Respond | SendText

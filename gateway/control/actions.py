"""Everything a call can be told to do: one closed set, so that nothing is done half-known.

``Request`` is what rules, tools and people ask of a controller.  ``Action`` is what a
controller asks of the call that drives it: speech requests have by then become commands to
the service, sent when the service can take them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ..realtime.commands import ClientEvent
from .sealed import Sealed

__all__ = [
    "Action",
    "Answer",
    "CallOut",
    "Collect",
    "Conceal",
    "Connect",
    "Disconnect",
    "DropCallee",
    "HangUp",
    "Hold",
    "Listen",
    "Log",
    "Mute",
    "OpenMenu",
    "Patch",
    "Patching",
    "PausePlayout",
    "Play",
    "PostWebhook",
    "Record",
    "Redirect",
    "Refer",
    "Reject",
    "Request",
    "Respond",
    "Resume",
    "ResumePlayout",
    "Ring",
    "RunErrand",
    "Say",
    "SendCommand",
    "SendDtmf",
    "SendText",
    "SetVariables",
    "Stop",
    "Supervise",
    "Supervising",
    "Transfer",
    "UpdateSession",
    "Whisper",
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
class Redirect:
    """Send a call not yet answered elsewhere (302).

    In a request ``target`` is a configured name; in an action, the address it stands for.
    """

    target: str


@dataclass(frozen=True, slots=True)
class Say:
    """Have the service speak this text word for word, over whatever it was saying.

    While the service is away the prompt is played in its place, where there is one.
    ``is_awaited`` where an open menu has nothing else to go on by.
    """

    text: str
    prompt: str = ""
    is_awaited: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Respond:
    """Have the service answer now, with these instructions or those of the session."""

    instructions: str | None = None


@dataclass(frozen=True, slots=True)
class SendText:
    """Tell the service something as if the caller had typed it.

    ``is_keys`` where these are the keys that they pressed.
    """

    text: str
    is_keys: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Whisper:
    """Instruct the model, from its next answer on; the caller hears nothing of it."""

    text: str


@dataclass(frozen=True, slots=True)
class UpdateSession:
    """Change these fields of the service's session."""

    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Collect:
    """Take a number by keys, as configured under this name."""

    name: str


@dataclass(frozen=True, slots=True)
class OpenMenu:
    """Open the menu of this name, or ``repeat``, go ``back`` from or ``close`` the open one."""

    name: str


@dataclass(frozen=True, slots=True)
class SetVariables:
    """Set variables of the call; their texts may name others in braces."""

    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PostWebhook:
    """Tell the webhook of this name how the call stands."""

    name: str


@dataclass(frozen=True, slots=True)
class Play:
    """Play a prompt to the caller; it ends with a ``PromptStopped`` of this name.

    It is one that is configured, or ``tone:`` and a tone: ``busy``, ``ringback``, ``beep``,
    ``silence``, or hertz and milliseconds such as ``425/480,0/480``.

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
    """Send the caller to a configured target, or to another profile of this gateway.

    What is ``None`` is as the target's configuration has it.
    """

    target: str = ""
    profile: str = ""
    mode: Literal["blind", "attended", "bridge"] | None = None
    whisper: str | None = None
    agent: Literal["leaves", "silent", "stays"] | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Refer:
    """Ask the caller's side to call this address (REFER); ends with ``TransferEnded``.

    With ``is_attended`` the call there takes the place of ours with the callee (Replaces).
    ``name`` is what the configuration calls it, for people.
    """

    target: str
    is_attended: bool = False
    name: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class CallOut:
    """Call this address: the second leg, of which there is one at a time.

    Told by ``CalleeProgress``, ``CalleeAnswered`` and at last ``CalleeEnded``.
    ``name`` is what the configuration calls it, for people.
    """

    target: str
    seconds: float = 40.0
    name: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class DropCallee:
    """End the second leg, however far it has come."""

    cause: str = "normal"


Patching: TypeAlias = Literal["caller", "consult", "bridge", "monitor", "conference"]


@dataclass(frozen=True, slots=True)
class Patch:
    """Say who hears whom.

    ``caller``: agent and caller, as a call begins.  ``consult``: agent and callee, the caller
    on hold.  ``bridge``: caller and callee.  ``monitor``: the same, and the agent listens.
    ``conference``: all three.
    """

    line: Patching


@dataclass(frozen=True, slots=True)
class Mute:
    """Say who is not heard: the caller by the service, the agent by the caller."""

    who: Literal["caller", "agent", "both", "none"] = "none"


Supervising: TypeAlias = Literal["listen", "speak", "takeover", "leave"]


@dataclass(frozen=True, slots=True)
class Supervise:
    """Have somebody listen to the call, speak to the caller, take the agent's place, or go.

    ``supervisor`` is their connection; in a request it may be empty, for the last one of who asks.
    """

    mode: Supervising
    supervisor: str = ""


@dataclass(frozen=True, slots=True)
class Conceal:
    """Keep the caller's sound from the service and from the recording, or stop that."""

    is_on: bool


@dataclass(frozen=True, slots=True)
class PausePlayout:
    """Stop playing, keeping what is queued."""


@dataclass(frozen=True, slots=True)
class ResumePlayout:
    """Play on from where it was paused."""


@dataclass(frozen=True, slots=True)
class RunErrand:
    """Do something slow outside the call: a webhook or a tool; ends with ``ErrandDone``.

    ``payload`` is what it is told; ``sealed`` joins it on its way out, and is shown nowhere.
    """

    errand_id: str
    kind: Literal["webhook", "tool"]
    name: str
    payload: Mapping[str, Any]
    sealed: Sealed = field(default_factory=Sealed, compare=False)


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call: in a request once all speech was heard, in an action now.

    ``q850`` is the cause the other side is told (ITU-T Q.850).
    """

    cause: str = "normal"
    q850: int = 16


@dataclass(frozen=True, slots=True)
class SendDtmf:
    """Press keys towards the caller's side, or the callee's."""

    digits: str
    leg: Literal["caller", "callee"] = "caller"


@dataclass(frozen=True, slots=True)
class Record:
    """Record both directions, or stop; a paused recording has silence in its place."""

    do: Literal["start", "stop", "pause", "resume"] = "start"


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
    | Redirect
    | Refer
    | CallOut
    | DropCallee
    | Patch
    | Mute
    | Supervise
    | Conceal
    | PausePlayout
    | ResumePlayout
    | RunErrand
    | HangUp
    | SendDtmf
    | Record
    | Log
)
Request: TypeAlias = (
    Action
    | Say
    | Respond
    | SendText
    | Whisper
    | UpdateSession
    | Collect
    | OpenMenu
    | SetVariables
    | PostWebhook
    | Transfer
)

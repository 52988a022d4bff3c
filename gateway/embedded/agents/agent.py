"""What an agent hears and what it does: the seam between the protocol and the conversation.

The service tells an :class:`Agent` what the caller did and carries out the
steps it answers with, in order, as one response.  An agent owns no audio, no
clock and no socket.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

import msgspec

__all__ = [
    "DICTATION",
    "Agent",
    "AgentEvent",
    "AgentStep",
    "CallTool",
    "Grammar",
    "Idle",
    "Interrupted",
    "KeyPressed",
    "PlayTurn",
    "Recalled",
    "Remark",
    "ResponseRequested",
    "Say",
    "SessionStarted",
    "Think",
    "ToolReturned",
    "TurnEnded",
    "read_user_text",
]


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """The session's tools are known, or have changed."""

    tools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResponseRequested:
    """The client asked for a response although the caller did nothing new."""

    instructions: str | None = None


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The caller stopped speaking; ``transcript`` is empty where nothing was understood."""

    transcript: str


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The caller pressed one key: ``0``-``9``, ``*``, ``#`` or ``A``-``D``."""

    key: str


@dataclass(frozen=True, slots=True)
class Idle:
    """The caller has been silent for the idle timeout."""


@dataclass(frozen=True, slots=True)
class ToolReturned:
    """A tool the agent called has answered; ``output`` is as the client sent it."""

    name: str
    output: str


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A response was cancelled before all its steps were carried out."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """The agent said ``text`` earlier, in a session that this one goes on from."""

    text: str


@dataclass(frozen=True, slots=True)
class Remark:
    """The client tells the agent something that the caller did not say."""

    text: str


AgentEvent: TypeAlias = (
    SessionStarted
    | ResponseRequested
    | TurnEnded
    | KeyPressed
    | Idle
    | ToolReturned
    | Interrupted
    | Recalled
    | Remark
)


@dataclass(frozen=True, slots=True)
class Say:
    """Speak ``text``."""

    text: str


@dataclass(frozen=True, slots=True)
class CallTool:
    """Call one of the session's tools.

    Attributes:
        name: The tool's name.
        arguments: Its arguments, or the JSON text of them.
        approval_id: The request by which the client agreed to the call, if it was asked.

    """

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    approval_id: str = ""

    @property
    def text(self) -> str:
        """The arguments as JSON."""
        if isinstance(self.arguments, str):
            return self.arguments
        return msgspec.json.encode(self.arguments).decode()


@dataclass(frozen=True, slots=True)
class PlayTurn:
    """Play the audio of the caller's last turn back."""


@dataclass(frozen=True, slots=True)
class Think:
    """Ask a chat model what to say to the conversation; ``note`` is a word to it beforehand."""

    note: str = ""


AgentStep: TypeAlias = Say | CallTool | PlayTurn | Think


@dataclass(frozen=True, slots=True)
class Grammar:
    """What the caller may say now: phrases in lower-case words; without any, whatever it is."""

    phrases: tuple[str, ...]


DICTATION: Final = Grammar(())
"""The caller may say anything."""


class Agent(Protocol):
    """One conversation."""

    @property
    def grammar(self) -> Grammar | None:
        """What to listen for now; ``None`` where words do not matter."""
        ...

    @property
    def barge_in(self) -> bool:
        """Whether the caller's speech may cut what is being said now."""
        ...

    @property
    def idle_timeout_ms(self) -> int | None:
        """The silence after which the agent would like :class:`Idle`; ``None`` for never."""
        ...

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        ...

    def handle(self, event: AgentEvent, now: float) -> list[AgentStep]:
        """Take in what happened; return the steps of the response, perhaps none."""
        ...

    def wake(self, now: float) -> list[AgentStep]:
        """Run whatever is due at ``now``; steps returned are an unasked response."""
        ...


_KEY_TEXT: Final = re.compile(r"\s*\[DTMF ([0-9A-D*#])\]\s*", re.IGNORECASE)


def read_user_text(text: str) -> KeyPressed | TurnEnded | Remark:
    """Read a user's text item.

    ``[DTMF 5]`` is a key, other words in brackets are the client's own, and the rest is what
    the caller said.
    """
    if key := _KEY_TEXT.fullmatch(text):
        return KeyPressed(key[1].upper())
    said = text.strip()
    return Remark(said[1:-1]) if said.startswith("[") and said.endswith("]") else TurnEnded(text)

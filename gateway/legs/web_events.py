"""What a browser's connection tells whoever it belongs to: a call, or somebody who listens in."""

from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Connected", "Disconnected", "MessageCame", "WebEvent"]


@dataclass(slots=True)
class Connected:
    """There is a way and there are keys: sound goes both ways from now on.  Told once."""


@dataclass(slots=True)
class MessageCame:
    """The page sent a message over its data channel."""

    text: str


@dataclass(slots=True)
class Disconnected:
    """It is over, and nothing follows; ``reason`` says why, in words.

    ``has_left`` says that the page itself asked for it.
    """

    reason: str
    has_left: bool = False


WebEvent: TypeAlias = Connected | MessageCame | Disconnected

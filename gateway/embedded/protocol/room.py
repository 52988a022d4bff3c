"""What all responses of a session share."""

from dataclasses import dataclass

from .conversation import Conversation
from .outbox import Outbox
from .settings import Settings
from .sounds import OutputBuffer
from .toolbox import Toolbox

__all__ = ["Room"]


@dataclass(frozen=True, slots=True)
class Room:
    """Where a response speaks; ``output`` plays it, where the service carries the sound."""

    outbox: Outbox
    conversation: Conversation
    settings: Settings
    toolbox: Toolbox
    output: OutputBuffer | None = None

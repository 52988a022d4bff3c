"""What the call wants said: one ask at a time, and the words it goes to the service in."""

from dataclasses import dataclass
from typing import Final

from ..realtime.commands import ResponseCreate
from .actions import Respond, Say

__all__ = ["SAY_EXACTLY", "TOKEN", "Ask", "spoken"]

# The form in which a service is asked to speak given words.
SAY_EXACTLY: Final = 'Say exactly the following words and nothing else: "{}"'
TOKEN: Final = "gateway"  # the key of an ask's token in a response's metadata


@dataclass(slots=True)
class Ask:
    """Speech the call wants from the service.

    Attributes:
        request: What is to be said.
        token: By which the answer to this one is told from others.
        event_id: Of the command; empty until it is sent.
        not_before: When it may be sent.
        is_owed: The caller waits for it since a link that is gone; whatever the service says
            by itself serves as well.

    """

    request: Say | Respond
    token: str
    event_id: str = ""
    not_before: float = 0.0
    is_owed: bool = False


def spoken(ask: Ask) -> ResponseCreate:
    """Return the command that has an ask spoken."""
    response: dict[str, object] = {"metadata": {TOKEN: ask.token}}
    if isinstance(ask.request, Say):
        response |= {
            "instructions": SAY_EXACTLY.format(ask.request.text),
            "tool_choice": "none",
        }
    elif ask.request.instructions is not None:
        response["instructions"] = ask.request.instructions
    return ResponseCreate(response=response)

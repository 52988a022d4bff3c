"""What the call wants said: one ask at a time, and the words it goes to the service in."""

from dataclasses import dataclass
from typing import Final

from ..realtime.commands import ResponseCreate
from .actions import Respond, Say

__all__ = ["SAY_EXACTLY", "TOKEN", "Ask", "Asks", "spoken"]

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


class Asks:
    """The ask that is to be sent or answered next, and the one being answered.

    Attributes:
        pending: What is not yet a response.
        begun: What the active response answers.

    """

    def __init__(self) -> None:
        self.pending: Ask | None = None
        self.begun: Ask | None = None
        self._tokens = 0
        self._is_echoed = False  # this service returns our metadata

    @property
    def will_answer(self) -> bool:
        """Whether an answer is about to be asked for anyway."""
        ask = self.pending
        return ask is not None and not ask.event_id and ask.request == Respond()

    def put(
        self, request: Say | Respond, *, not_before: float = 0.0, is_owed: bool = False
    ) -> None:
        """Have this asked for next, in place of what was to be."""
        self._tokens += 1
        self.pending = Ask(request, str(self._tokens), not_before=not_before, is_owed=is_owed)

    def put_owed(self, request: Say | Respond, *, not_before: float = 0.0) -> None:
        """Have this asked for, unless the service speaks by itself first, if an answer is all."""
        self.put(request, not_before=not_before, is_owed=request == Respond())

    def forgive(self) -> None:
        """Drop an answer that the caller was owed: they have gone on, and get another."""
        if self.pending is not None and self.pending.is_owed and not self.pending.event_id:
            self.pending = None

    def take(self, token: str | None) -> bool:
        """Tell whether a response with this token answers what was asked; it is begun then."""
        self.begun, ask = None, self.pending
        if ask is None or not ask.event_id or token not in self._tokens_of(ask):
            return False
        self._is_echoed = self._is_echoed or token is not None
        self.begun, self.pending = ask, None
        return True

    def find(self, event_id: str | None) -> Ask | None:
        """Return the ask that went out in this command."""
        for ask in (self.pending, self.begun):
            if ask is not None and ask.event_id and ask.event_id == event_id:
                return ask
        return None

    def clear(self) -> None:
        """Forget both, and what is known of the service."""
        self.pending = self.begun = None
        self.doubt()

    def doubt(self) -> None:
        """Take it that this service may not return our metadata after all."""
        self._is_echoed = False

    def _tokens_of(self, ask: Ask) -> tuple[str | None, ...]:
        """Return the tokens by which the answer to ``ask`` may be known."""
        return (ask.token,) if self._is_echoed else (ask.token, None)

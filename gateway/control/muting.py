"""Who is not heard: what rules ask for, and what an open menu asks for, seen together."""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from .actions import Mute, Request
from .context import Context

__all__ = ["Muting"]

Who: TypeAlias = Literal["caller", "agent", "both", "none"]

_SIDES: Final[dict[Who, frozenset[str]]] = {
    "none": frozenset(),
    "caller": frozenset({"caller"}),
    "agent": frozenset({"agent"}),
    "both": frozenset({"caller", "agent"}),
}


class Muting:
    """Tells the call once, each time that the sides which are muted change."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._asked: Who = "none"
        self._is_deaf = False
        self._told: Who = "none"

    def ask(self, request: Mute) -> Sequence[Request]:
        """Mute who a rule says, until another one says otherwise."""
        self._asked = request.who
        self._tell()
        return ()

    def close_ears(self, *, is_deaf: bool) -> None:
        """Keep the caller from the service while a menu alone listens, or let them be heard."""
        self._is_deaf = is_deaf
        self._tell()

    def _tell(self) -> None:
        sides = _SIDES[self._asked] | ({"caller"} if self._is_deaf else set())
        who = next(name for name, muted in _SIDES.items() if muted == sides)
        if who != self._told:
            self._told = who
            self._context.act(Mute(who))

"""People who supervise a call: who listens, who speaks to the caller, who has the agent's place.

Several listen; one at a time speaks or takes over.  While somebody has the agent's place the
agent is silent and hears nobody, and nothing counts the caller's silence.  The call is the
agent's again as soon as they leave, whether they say so or their connection is lost, and when
the caller is sent elsewhere; the model is told that it missed something.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from .actions import OpenMenu, Request, Respond, Supervise, Supervising, Whisper
from .context import Context, Mode
from .events import Event, LegEnded, SupervisionChanged, SupervisorLeft
from .states import CallState

__all__ = ["MISSED", "MOST_SUPERVISORS", "Supervision"]

MISSED: Final = "A colleague spoke with the caller meanwhile."
"""What the model is told when it has the caller again."""
MOST_SUPERVISORS: Final = 5
"""Four who listen, beside one who speaks."""

_AUDIBLE: Final = ("speak", "takeover")


@dataclass(slots=True)
class _Supervisor:
    """One connection of somebody, and what they do by it."""

    by: str
    mode: Supervising


class Supervision:
    """Keeps who supervises, and ``Context.is_taken_over``.

    Args:
        context: The call's.
        silence: Cuts what the agent says, and has the menus rest.
        lead_out: Returns how a call without its service goes on.

    """

    def __init__(
        self,
        context: Context,
        silence: Callable[[], None],
        lead_out: Callable[[], Sequence[Request]],
    ) -> None:
        self._context = context
        self._silence = silence
        self._lead_out = lead_out
        self._people: dict[str, _Supervisor] = {}  # by connection, the latest last

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in that somebody is gone, or everybody is."""
        match event:
            case SupervisorLeft(supervisor=supervisor) if supervisor in self._people:
                return self._change(supervisor, "leave")
            case LegEnded():
                self._people.clear()
            case _:
                pass
        return ()

    def supervise(self, request: Supervise) -> Sequence[Request]:
        """Do what somebody asks for who is here, or comes; returns what follows."""
        if objection := self.objection(request, self._context.asked_by):
            self._context.log(f"not supervised: {objection}")
            return ()
        return self._change(self._connection(request, self._context.asked_by), request.mode)

    def objection(self, request: Supervise, by: str) -> str:
        """Say why somebody cannot do this now, or return nothing."""
        context, connection = self._context, self._connection(request, by)
        known = self._people.get(connection)
        if not connection or (known is None and request.mode == "leave"):
            return "you have not joined this call"
        if known is not None and known.by != by:
            return "that connection is somebody else's"
        if context.is_hosted:
            return "the service holds the caller's line; its sound is not here"
        if known is None and len(self._people) >= MOST_SUPERVISORS:
            return f"{MOST_SUPERVISORS} people supervise this call already"
        if request.mode not in _AUDIBLE:
            return ""
        for other, one in self._people.items():
            if other != connection and one.mode in _AUDIBLE:
                return f"{one.by} speaks to the caller already"
        if not context.is_answered or context.state is CallState.ENDED:
            return "there is nobody to speak to"
        is_away = context.is_joined or context.state is CallState.TRANSFERRING
        if request.mode == "takeover" and is_away:
            return "the agent does not have the caller; they are with somebody else"
        return ""

    def send_on(self) -> Sequence[Request]:
        """The caller is being sent elsewhere: whoever has them listens from now on."""
        for connection, one in self._people.items():
            if one.mode == "takeover":
                self._set(connection, "listen")
        if not self._context.is_taken_over:
            return ()
        self._context.is_taken_over = False
        return (Whisper(MISSED),)

    def _connection(self, request: Supervise, by: str) -> str:
        """Return the connection that is meant: the last one of who asks, where none is named."""
        if request.supervisor:
            return request.supervisor
        return next((c for c, one in reversed(self._people.items()) if one.by == by), "")

    def _change(self, connection: str, mode: Supervising) -> Sequence[Request]:
        """Have somebody come, go, or do something else; returns what follows for the agent."""
        self._set(connection, mode)
        context = self._context
        is_taken_over = any(one.mode == "takeover" for one in self._people.values())
        if is_taken_over is context.is_taken_over:
            return ()
        context.is_taken_over = is_taken_over
        if not is_taken_over:
            return self._give_back()
        self._silence()
        return ()

    def _set(self, connection: str, mode: Supervising) -> None:
        context, known = self._context, self._people.get(connection)
        if known is not None and known.mode == mode:
            return
        by = context.asked_by if known is None else known.by
        before: Supervising | Literal[""] = "" if known is None else known.mode
        if mode == "leave":
            self._people.pop(connection, None)
        else:
            self._people[connection] = _Supervisor(by, mode)
        context.act(Supervise(mode, connection))
        context.derive(SupervisionChanged(connection, by, mode, before))

    def _give_back(self) -> Sequence[Request]:
        """Have the agent go on: told what it missed, where it was."""
        context = self._context
        if context.state is not CallState.TALKING:
            return ()
        if context.service is Mode.LOST:
            return self._lead_out()
        return (Whisper(MISSED), OpenMenu("repeat") if context.place else Respond())

"""The people who supervise one call, and what they ask of it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ..control import actions as act
from ..control import events as control
from ..control.controller import Controller
from ..media.engine import Lane
from ..media.events import LaneEvent, VoiceStarted, VoiceStopped
from ..media.options import LaneOptions
from ..media.transcode import ServiceAudio
from .patchbay import Patchbay
from .translate import from_lane

__all__ = ["Asked", "Supervisors", "seat_of"]

_NO_SEAT: Final = "there is no such connection to this call"
_NEW: Final = "new"  # as no seat is called
_SEAT: Final = 12  # characters of its name


def seat_of(connection: str) -> str:
    """Return what timelines call a connection: whoever knows its own name may end it."""
    return hashlib.sha256(connection.encode()).hexdigest()[:_SEAT]


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks of a call at once, and their name."""

    requests: tuple[act.Request, ...]
    by: str


class Supervisors:
    """Lets people have their say in one call; everything here happens on the event loop.

    Args:
        controller: The call's: says what can be.
        patchbay: Where their sound goes.
        audio: What that sound is made of.
        post: Takes what they ask, and what becomes of them.

    """

    def __init__(
        self,
        controller: Controller,
        patchbay: Patchbay,
        audio: ServiceAudio,
        post: Callable[[control.Event | Asked], None],
    ) -> None:
        self._controller = controller
        self._patchbay = patchbay
        self._post = post
        self.options = LaneOptions(uplink=audio, detect_inband=False, voice="energy")

    def objection(self, requests: Sequence[act.Request], by: str) -> str:
        """Say why somebody cannot have this now, or return nothing."""
        for request in requests:
            seat = request.supervisor if isinstance(request, act.Supervise) else ""
            if seat and seat not in self._patchbay.gallery:
                return _NO_SEAT
            if objection := self._controller.objection(request, by):
                return objection
        return ""

    def objection_to_coming(self, mode: act.Supervising, by: str) -> str:
        """Say why somebody new could not do this now, or return nothing."""
        return self._controller.objection(act.Supervise(mode, _NEW), by)

    def ask(self, requests: Sequence[act.Request], by: str) -> None:
        """Have this done, in order, after whatever is happening to the call now."""
        self._post(Asked(tuple(requests), by))

    def come(
        self,
        supervisor: str,
        mode: act.Supervising,
        by: str,
        lane: Lane,
        on_leave: Callable[[], None],
    ) -> str:
        """Let somebody in by a connection that is up; returns why not, if they cannot be.

        ``on_leave`` is called when they are to go, or the call is over.
        """
        wish = act.Supervise(mode, supervisor)
        if objection := self._controller.objection(wish, by):
            return objection
        self._patchbay.gallery.admit(supervisor, lane, on_leave)
        self.ask((wish,), by)
        return ""

    def has_taken_over(self, supervisor: str) -> bool:
        """Tell whether somebody has the agent's place."""
        return self._patchbay.gallery.has_taken_over(supervisor)

    def hear(self, supervisor: str, chunk: bytes) -> None:
        """Take 20 ms of somebody's sound."""
        self._patchbay.hear_supervisor(supervisor, chunk)

    def on_lane(self, supervisor: str, event: LaneEvent) -> None:
        """Take an event of somebody's lane: whether they speak, where they are heard."""
        is_voice = isinstance(event, VoiceStarted | VoiceStopped)
        if not is_voice or not self._patchbay.gallery.is_heard(supervisor):
            return
        if (known := from_lane(event, "supervisor")) is not None:
            self._post(known)

    def lose(self, supervisor: str, reason: str) -> None:
        """Take the end of a connection, however it came about."""
        if supervisor in self._patchbay.gallery:
            self._post(control.SupervisorLeft(supervisor, reason))

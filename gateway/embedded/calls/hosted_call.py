"""A SIP call that the service holds: it rings, is announced, and does as it is told by HTTP."""

import asyncio
import contextlib
import enum
from collections.abc import Callable, Coroutine
from typing import Any, Final

from ...clock import Clock
from ...legs.events import LegAnswered, LegEnded, LegEvent, LegKey, TransferEnded
from ...legs.sip_leg import SipLeg
from ...media.engine import Lane
from ...media.events import KeyPressed, LaneEvent, PlayoutFlushed, PlayoutStarted, PlayoutStopped
from ..faults import Faults
from ..http.secrets import Preset
from ..live import LiveSession
from ..protocol.checks import Refused
from ..protocol.sounds import Finish, Flush, Play, Sound
from ..sessions import Opening, Sessions

__all__ = ["HostedCall"]

_UNANSWERED: Final = 480
_END_SECONDS: Final = 2.0  # the longest wait for the caller's side to see the end


class _State(enum.Enum):
    RINGING = enum.auto()
    ACCEPTED = enum.auto()
    UP = enum.auto()
    OVER = enum.auto()


class HostedCall:
    """One call, from its INVITE until nothing is left of it.

    Args:
        call_id: The call's name.
        sessions: Makes the session it is accepted with.
        faults: What is to go wrong on purpose.
        calendar: Unix seconds.

    """

    def __init__(self, call_id: str, sessions: Sessions, faults: Faults, calendar: Clock) -> None:
        self._id = call_id
        self._sessions = sessions
        self._faults = faults
        self._calendar = calendar
        self._state = _State.RINGING
        self._leg: SipLeg | None = None
        self._lane: Lane | None = None
        self._live: LiveSession | None = None
        self._decided = asyncio.Event()
        self._over = asyncio.Event()

    @property
    def id(self) -> str:
        """The call's name."""
        return self._id

    @property
    def live(self) -> LiveSession | None:
        """Its session; none while it rings."""
        return self._live

    @property
    def is_ringing(self) -> bool:
        """Whether it waits to be accepted or rejected."""
        return self._state is _State.RINGING

    def attach(self, leg: SipLeg, lane: Lane) -> None:
        """Give the call its caller; once, before :meth:`run`."""
        self._leg, self._lane = leg, lane

    async def run(
        self, announce: Callable[[], Coroutine[Any, Any, None]], ring_seconds: float
    ) -> None:
        """Live the call to its end; a call nobody accepts in time is turned away."""
        assert self._leg is not None
        assert self._lane is not None
        try:
            self._leg.ring()
            async with asyncio.TaskGroup() as group:
                telling = group.create_task(announce())
                await _wait(self._decided, ring_seconds)
                if self.is_ringing:
                    self._turn_away(_UNANSWERED, "nobody accepted the call")
                if self._live is not None:
                    await self._live_on(self._live)
                telling.cancel()
            await _wait(self._over, _END_SECONDS)
        finally:
            self._lane.close()

    async def _live_on(self, live: LiveSession) -> None:
        """Stay until the caller has gone or the session is over."""
        async with self._sessions.running(live):
            self._answer()
            ends = [asyncio.ensure_future(event.wait()) for event in (self._over, live.over)]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for end in ends:
                    end.cancel()
                self._hang_up_leg("the session is over")
                live.end(1000, "the call is over")

    def _answer(self) -> None:
        leg, status = self._leg, self._faults.late_refusal(self._sessions.clock())
        if leg is None or self._state is not _State.ACCEPTED:
            return
        if status is None:
            leg.answer()
        else:
            leg.reject(status, "accepted, but then not")

    # What can be asked of it

    def accept(self, preset: Preset) -> None:
        """Answer it, with a session that begins like this."""
        if not self.is_ringing:
            raise Refused("invalid_value", "The call has been accepted or rejected already.")
        asked = Opening(transport="sip", preset=preset)
        self._live = self._sessions.open(asked, self._play)
        self._state = _State.ACCEPTED
        self._decided.set()

    def reject(self, status: int) -> None:
        """Turn it away with a SIP status."""
        if not self.is_ringing:
            raise Refused("invalid_value", "The call has been accepted or rejected already.")
        self._turn_away(status, "rejected")

    def refer(self, target: str) -> None:
        """Ask the caller to call ``target`` instead; what comes of it is told to nobody."""
        if self._leg is None or self._state is not _State.UP:
            raise Refused("invalid_value", "The call is not up.")
        if not self._faults.ignores_refer(self._sessions.clock()):
            self._leg.transfer(target)

    def hang_up(self) -> None:
        """End it, however far it has come."""
        if self.is_ringing:
            self._turn_away(_UNANSWERED, "hung up")
        else:
            self._hang_up_leg("hung up")

    def describe(self) -> dict[str, Any]:
        """Return what is worth knowing of it."""
        return {"id": self._id, "kind": "sip", "state": self._state.name.lower()}

    def _turn_away(self, status: int, reason: str) -> None:
        if self._leg is not None:
            self._leg.reject(status, reason)
        self._decided.set()

    def _hang_up_leg(self, reason: str) -> None:
        if self._leg is not None and self._state is not _State.OVER:
            self._leg.hang_up(reason)

    # What the caller's side tells

    def on_leg(self, event: LegEvent) -> None:
        """Take an event of the caller's signalling."""
        match event:
            case LegAnswered() if self._state is _State.ACCEPTED:
                self._state = _State.UP
            case LegKey(key):
                self._press(key)
            case TransferEnded(is_accepted=True):
                self._hang_up_leg("transferred")
            case LegEnded():
                self._state = _State.OVER
                self._decided.set()
                self._over.set()
            case _:
                pass

    def on_lane(self, event: LaneEvent) -> None:
        """Take an event of the caller's sound."""
        if isinstance(event, KeyPressed):
            if event.is_down:
                self._press(event.key)
        elif self._live is not None and isinstance(
            event, PlayoutStarted | PlayoutStopped | PlayoutFlushed
        ):
            self._live.played([event])

    def on_audio(self, pcm: bytes) -> None:
        """Take 20 ms of the caller's voice."""
        if self._live is not None and self._state is _State.UP:
            self._live.hear(pcm)

    def _press(self, key: str) -> None:
        if self._live is not None:
            self._live.key(key, int(self._calendar()))

    def _play(self, sounds: list[Sound]) -> None:
        lane = self._lane
        if lane is None:
            return
        for sound in sounds:
            match sound:
                case Play(mark, pcm):
                    lane.play(pcm, mark)
                case Finish(response_id):
                    lane.finish(response_id)
                case Flush():
                    lane.flush()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()

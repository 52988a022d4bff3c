"""A call: one leg and one link under one controller, and a second leg while there is one.

Everything that happens comes in as an event; the controller answers with actions; the call's
hands carry them out.  Events are handled in the order they came, one at a time, on the event
loop: what an action brings about waits its turn.  A fault inside one call ends that call alone.
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from ..control import actions as act
from ..control import events as control
from ..control.controller import Controller
from ..errors import LinkError
from ..legs import events as legs
from ..legs.hosted_leg import HostedLeg
from ..legs.webrtc_leg import WebRtcLeg
from ..media.events import LaneEvent, RecordingStopped
from ..media.options import LaneOptions
from ..media.prompts import Prompt
from ..media.transcode import ServiceAudio
from ..realtime.events import RateLimitsUpdated, ServerEvent, Unknown
from .attachment import Attachment, MakeLink
from .audience import Audience
from .callee import Callee
from .facts import Behalf
from .hands import Hands, Runner
from .keeping import Keeper
from .outbound import Outbound
from .patchbay import Patchbay
from .quality import QualityWatch
from .quota import Quota
from .registry import CallRecord
from .supervisors import Asked, Supervisors
from .translate import from_lane, from_leg

if TYPE_CHECKING:
    from ..legs.leg import Leg
    from ..media.engine import Lane

__all__ = ["Call", "CallParts", "Origin"]

_GRAIN: Final = 0.001  # seconds: uvloop rounds to these, and a timer may go off early by as much


@dataclass(slots=True)
class CallParts:
    """What a call is given besides its leg and lane."""

    make_link: MakeLink
    transport: control.Transport  # of the links
    audio_format: control.AudioFormat  # to ask the service for; empty: it is not for us to say
    audio: ServiceAudio  # of the lanes
    prompts: Mapping[str, Prompt]
    recordings: Path | None
    recording_format: str  # what their names end in
    connect_seconds: float
    quota: Quota
    errands: Runner
    outbound: Outbound | None  # the way to a second leg, where there can be one
    callee: LaneOptions  # of the second leg's lane
    audience: Audience = field(default_factory=Audience)
    keeper: Keeper | None = None  # of the record


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a call came from, or who had it placed."""

    trunk: str = ""
    caller: str = ""  # where the neighbour knows better than the leg
    called: str = ""
    behalf: Behalf | None = None  # for further calls
    is_outbound: bool = False
    profile: str = ""  # that is asked for by name
    variables: Mapping[str, str] = field(default_factory=dict)


class Call:
    """One call, from the moment it came in until everything of it is gone."""

    def __init__(self, call_id: str, controller: Controller, parts: CallParts) -> None:
        self.call_id = call_id
        self.controller = controller
        self.caller = self.called = ""
        self._parts = parts
        self._loop = asyncio.get_running_loop()
        self._log = structlog.get_logger().bind(call_id=call_id)
        self._leg: Leg | None = None
        self._origin = Origin()
        self._attachment = Attachment(
            parts.make_link, self, transport=parts.transport, seconds=parts.connect_seconds
        )
        folder = parts.recordings
        self._patchbay = Patchbay(
            parts.prompts,
            folder and folder / f"{call_id}.{parts.recording_format}",
            is_ours_to_play=parts.transport == "websocket",
            audio=parts.audio,
            to_service=self._attachment.hear,
            clock=self._loop.time,
        )
        self._callee: Callee | None = None
        if parts.outbound is not None:
            self._callee = Callee(
                parts.outbound, parts.callee, self._patchbay, self.post, self._log
            )
        self._hands = Hands(
            self._attachment,
            self._patchbay,
            self._callee,
            parts.errands,
            self.post,
            self._log,
            is_live=parts.transport == "webrtc",
        )
        self.supervisors = Supervisors(controller, self._patchbay, parts.audio, self.post)
        self._waiting: deque[control.Event | Asked] = deque()
        self._is_handling = False
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at: float | None = None  # what the timer is set to
        self._over = asyncio.Event()
        self._started_at = time.time()
        self._began_at = self._loop.time()
        self._ended_after: float | None = None
        self._ended: control.LegEnded | None = None
        self._codec = ""
        self._watch = QualityWatch(lambda: self._patchbay.stats)
        self._is_watched = len(parts.audience) > 0
        if self._is_watched:
            controller.timeline.watch()

    # What others call

    def attach(self, leg: "Leg", lane: "Lane | None", origin: Origin | None = None) -> None:
        """Give the call its caller, without a lane where the sound is elsewhere; once."""
        self._leg = leg
        self._origin = origin or self._origin
        if self._parts.keeper is not None:
            leg.hold_end(2 * self._parts.keeper.patience)  # who keeps it gives up before
        self._patchbay.attach_caller(lane)
        self.caller = self._origin.caller or leg.caller
        self.called = self._origin.called or leg.called
        if self._callee is not None:
            self._callee.behalf = self._origin.behalf

    def begin(self) -> None:
        """Let the call start; to be called before anything else can happen to it."""
        origin, self._began_at = self._origin, self._loop.time()
        self._watch.start()
        told = {"trunk": origin.trunk} if origin.trunk else {}
        self._log.info("call begins", caller=self.caller, called=self.called, **told)
        self._parts.audience.call_began(self.record())
        if self._parts.keeper is not None:
            self._parts.keeper.note_begin()
        self.post(
            control.CallStarted(
                self.call_id,
                self.caller,
                self.called,
                is_outbound=origin.is_outbound,
                is_hosted=isinstance(self._leg, HostedLeg),
                can_refer=not isinstance(self._leg, WebRtcLeg),
                trunk=origin.trunk,
                unix_time=self._started_at,
                profile=origin.profile,
                variables=origin.variables,
            )
        )

    async def run(self) -> None:
        """Live the call to its end; returns when leg, lane and link are closed."""
        try:
            await self._over.wait()
        finally:
            await self._close()

    def hang_up(self, reason: str) -> None:
        """End the call from outside; a caller's side that cannot be told is let go."""
        try:
            if self._leg is not None:
                self._leg.hang_up(reason)
        except Exception:
            self._log.exception("fault while hanging up")
            self._over.set()

    def post(self, event: control.Event | Asked) -> None:
        """Let something happen to the call, after whatever is happening to it now."""
        self._waiting.append(event)
        if self._is_handling:
            return
        self._is_handling = True
        try:
            while self._waiting:
                self._handle(self._waiting.popleft())
        finally:
            self._is_handling = False
        self._settle()

    def record(self) -> CallRecord:
        """Describe the call as it stands."""
        ended = self._ended
        return CallRecord(
            call_id=self.call_id,
            caller=self.caller,
            called=self.called,
            started_at=self._started_at,
            state=self.controller.state.name.lower(),
            duration=self._ended_after or time.time() - self._started_at,
            ended_by=ended.by if ended else None,
            reason=ended.reason if ended else None,
            q850=ended.q850 if ended else None,
            trunk=self._origin.trunk,
            leg=self._leg.kind if self._leg is not None else "",
            recording=self._patchbay.recording,
            recording_problem=self._patchbay.recording_problem,
            takes=self._patchbay.takes(self._began_at),
            codec=self._codec,
            media=self._patchbay.figures,
            transport=self._parts.transport,
            link=self._attachment.stats,
            usage=self.controller.usage.as_dict(),
            caller_name=self._origin.variables.get("caller_name", ""),
            said=self.controller.transcript,
            happened=self.controller.timeline,
            quality=self._watch.quality,
        )

    # What the leg, the lane and the link tell

    def on_leg(self, event: legs.LegEvent) -> None:
        """Take an event of the caller's side."""
        if isinstance(event, legs.LegMedia):
            self._codec = event.negotiated.codec.name
        if (known := from_leg(event)) is not None:
            self.post(known)

    def on_lane(self, event: LaneEvent) -> None:
        """Take an event of the media engine."""
        if isinstance(event, RecordingStopped):
            self._patchbay.note_recorded(event)
            if event.problem:
                self._log.warning("recording fell short", path=event.path, problem=event.problem)
        if (known := from_lane(event)) is not None:
            self.post(known)

    def on_audio(self, chunk: bytes) -> None:
        """Take 20 ms of the caller's voice, in the link's format."""
        self._patchbay.hear_caller(chunk)

    def on_link(self, event: ServerEvent | Unknown) -> None:
        """Take an event of the service: speech goes to the lane, all else to the controller."""
        self.post(event)
        if isinstance(event, RateLimitsUpdated):
            self._parts.quota.note(event.rate_limits)
        self._patchbay.take(event, self.controller.is_dropped)

    def on_link_ready(self) -> None:
        """Take the news that a link is up."""
        if isinstance(self._leg, HostedLeg):
            self._leg.note_link()
        parts = self._parts
        self.post(control.LinkReady(parts.audio_format, parts.transport, time.time()))

    def on_link_lost(self, fault: LinkError) -> None:
        """Take the end of the link, which is the end of a call that the service held."""
        if self._ended is not None:
            return
        self._patchbay.end_speech()
        self._log.warning("link lost", reason=str(fault))
        if isinstance(self._leg, HostedLeg) and self._leg.ends_with(fault):
            return
        self.post(control.LinkLost(str(fault), fault.retryable))

    def on_speech(self, sound: bytes) -> None:
        """Take the service's voice as it comes, where it is not for us to play."""
        self._patchbay.stream(sound)

    # How it goes on

    def _handle(self, event: control.Event | Asked) -> None:
        now = self._loop.time()
        try:
            if isinstance(event, control.LegEnded):
                self._note_end(event)
            for action in self._decide(event, now):
                self._perform(action)
        except Exception:
            during = "request" if isinstance(event, Asked) else control.name_of(event)
            self._log.exception("fault inside the call", during=during)
            self.hang_up("internal error")
            self._over.set()

    def _decide(self, event: control.Event | Asked, now: float) -> list[act.Action]:
        if isinstance(event, Asked):
            return self.controller.request(event.requests, now, event.by)
        return self.controller.handle(event, now)

    def _wake(self) -> None:
        now = self._loop.time()
        if self._wakes_at is not None and now < self._wakes_at:
            self._timer = self._loop.call_later(max(_GRAIN, self._wakes_at - now), self._wake)
            return
        self._timer = self._wakes_at = None
        try:
            for action in self.controller.wake(now):
                self._perform(action)
        except Exception:
            self._log.exception("fault inside the call", during="timer")
            self.hang_up("internal error")
            self._over.set()
        self._settle()

    def _settle(self) -> None:
        """Tell those who look on what has happened, and wait for the next thing."""
        for entry in self.controller.timeline.drain() if self._is_watched else ():
            self._parts.audience.call_told(self.call_id, entry)
        self._arm()

    def _arm(self) -> None:
        """Set the timer to the controller's deadline; most events leave it where it was.

        So does a deadline put off, as every piece of speech does: the timer, when it goes off
        too early, sets itself anew.
        """
        deadline = None if self._over.is_set() else self.controller.deadline
        if deadline == self._wakes_at:
            return
        if deadline is not None and self._wakes_at is not None and deadline > self._wakes_at:
            self._wakes_at = deadline
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wakes_at = deadline
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._wake)

    def _note_end(self, event: control.LegEnded) -> None:
        if self._ended is None:
            self._ended = event
            self._ended_after = time.time() - self._started_at
            self._log.info("call ended", by=event.by, status=event.status, reason=event.reason)
            self._over.set()

    def _perform(self, action: act.Action) -> None:
        if self._leg is not None:
            self._hands.do(self._leg, action)

    async def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._watch.stop()
        self._hands.close()
        self._patchbay.close()
        await self._keep()
        await self._attachment.close()

    async def _keep(self) -> None:
        """Have the whole record kept before a far end that hung up is told that we know of it."""
        keeper = self._parts.keeper
        if keeper is None:
            return
        try:
            await keeper.keep(self.record())
        finally:
            if self._leg is not None:
                self._leg.let_go()

"""A call: one leg and one link under one controller.

Everything that happens comes in as an event; the controller answers with actions; this module
carries them out.  Events are handled in the order they came, one at a time, on the event loop:
what an action brings about waits its turn.  A fault inside one call ends that call alone.
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, assert_never

import structlog

from ..control import actions as act
from ..control import events as control
from ..control.controller import Controller
from ..errors import LinkError
from ..legs import events as legs
from ..legs.hosted_leg import HostedLeg
from ..media.events import LaneEvent, Mark, RecordingStopped
from ..media.prompts import Prompt
from ..media.stats import LaneStats
from ..realtime.events import (
    RateLimitsUpdated,
    ResponseDone,
    ResponseOutputAudioDelta,
    ServerEvent,
    Unknown,
)
from .attachment import Attachment, MakeLink
from .quota import Quota
from .registry import CallRecord
from .translate import from_lane, from_leg

if TYPE_CHECKING:
    from ..legs.leg import Leg
    from ..media.engine import Lane

__all__ = ["Call", "CallParts"]

_ON_ITS_WAY: Final = 0.1  # seconds from the service's playing of live sound to the caller's ear


@dataclass(slots=True)
class CallParts:
    """What a call is given besides its leg and lane."""

    make_link: MakeLink
    transport: control.Transport  # of the links
    audio_format: control.AudioFormat  # to ask the service for; empty: it is not for us to say
    prompts: Mapping[str, Prompt]
    recordings: Path | None
    connect_seconds: float
    quota: Quota


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
        self._lane: Lane | None = None
        self._attachment = Attachment(
            parts.make_link, self, transport=parts.transport, seconds=parts.connect_seconds
        )
        self._coming = ""  # the response whose speech is coming in over the present link
        self._waiting: deque[control.Event] = deque()
        self._is_handling = False
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at: float | None = None  # what the timer is set to
        self._over = asyncio.Event()
        self._speaking = ""  # the response whose sound is still coming
        self._started_at = time.time()
        self._ended_after: float | None = None
        self._ended: control.LegEnded | None = None
        self._codec = ""
        self._stats: LaneStats | None = None  # the lane's last figures, once it is closed

    # What others call

    def attach(self, leg: "Leg", lane: "Lane | None") -> None:
        """Give the call its caller, without a lane where the sound is elsewhere; once."""
        self._leg, self._lane = leg, lane
        self.caller, self.called = leg.caller, leg.called

    async def run(self) -> None:
        """Live the call to its end; returns when leg, lane and link are closed."""
        self._log.info("call came in", caller=self.caller, called=self.called)
        is_hosted = isinstance(self._leg, HostedLeg)
        self.post(control.CallStarted(self.call_id, self.caller, self.called, is_hosted=is_hosted))
        try:
            await self._over.wait()
        finally:
            await self._close()

    def hang_up(self, reason: str) -> None:
        """End the call from outside."""
        if self._leg is not None:
            self._leg.hang_up(reason)

    def post(self, event: control.Event) -> None:
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
        self._arm()

    def record(self) -> CallRecord:
        """Describe the call as it stands."""
        ended = self._ended
        stats = self._stats or (self._lane.stats() if self._lane is not None else None)
        return CallRecord(
            call_id=self.call_id,
            caller=self.caller,
            called=self.called,
            started_at=self._started_at,
            state=self.controller.state.name.lower(),
            duration=self._ended_after or time.time() - self._started_at,
            ended_by=ended.by if ended else None,
            reason=ended.reason if ended else None,
            codec=self._codec,
            media=_figures(stats) if stats else {},
            transport=self._parts.transport,
            link=self._attachment.stats,
            usage=self.controller.usage.as_dict(),
            transcript=self.controller.transcript.as_list(),
            timeline=[entry.as_dict() for entry in self.controller.timeline.entries],
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
        if isinstance(event, RecordingStopped) and event.problem:
            self._log.warning("recording fell short", path=event.path, problem=event.problem)
        if (known := from_lane(event)) is not None:
            self.post(known)

    def on_audio(self, chunk: bytes) -> None:
        """Take 20 ms of the caller's voice, in the link's format."""
        self._attachment.hear(chunk)

    def on_link(self, event: ServerEvent | Unknown) -> None:
        """Take an event of the service: speech goes to the lane, all else to the controller."""
        self.post(event)
        if isinstance(event, RateLimitsUpdated):
            self._parts.quota.note(event.rate_limits)
        lane = self._lane
        if lane is None or self._parts.transport != "websocket":
            return
        if isinstance(event, ResponseOutputAudioDelta):
            if not self.controller.is_dropped(event.response_id):
                mark = Mark(event.response_id, event.item_id, event.content_index)
                lane.play(event.delta, mark)
                self._speaking = event.response_id
        elif isinstance(event, ResponseDone) and event.response.id:
            lane.finish(event.response.id)
            if event.response.id == self._speaking:
                self._speaking = ""

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
        self._finish(self._coming)
        self._log.warning("link lost", reason=str(fault))
        self._finish_speech()
        if isinstance(self._leg, HostedLeg) and self._leg.ends_with(fault):
            return
        self.post(control.LinkLost(str(fault), fault.retryable))

    def on_speech(self, sound: bytes) -> None:
        """Take the service's voice as it comes, where it is not for us to play."""
        if self._lane is not None:
            self._lane.stream(sound)

    def _finish(self, response_id: str) -> None:
        """No more speech of a response comes: what there is plays on, and its end is told."""
        if response_id == self._coming:
            self._coming = ""
        if response_id and self._lane is not None:
            self._lane.finish(response_id)

    # How it goes on

    def _handle(self, event: control.Event) -> None:
        now = self._loop.time()
        try:
            if isinstance(event, control.LegEnded):
                self._note_end(event)
            for action in self.controller.handle(event, now):
                self._perform(action)
        except Exception:
            self._log.exception("fault inside the call", during=control.name_of(event))
            self.hang_up("internal error")
            self._over.set()

    def _wake(self) -> None:
        self._timer = self._wakes_at = None
        try:
            for action in self.controller.wake(self._loop.time()):
                self._perform(action)
        except Exception:
            self._log.exception("fault inside the call", during="timer")
            self.hang_up("internal error")
            self._over.set()
        self._arm()

    def _arm(self) -> None:
        """Set the timer to the controller's deadline; most events leave it where it was."""
        deadline = None if self._over.is_set() else self.controller.deadline
        if deadline == self._wakes_at:
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
        """Carry out one action; what it brings about comes back as an event."""
        leg = self._leg
        if leg is None:
            return
        match action:
            case act.SendCommand(command):
                self._attachment.send(command)
            case act.Connect():
                self._finish_speech()
                self._attachment.connect()
            case act.Listen():
                self._attachment.listen()
            case act.Ring():
                leg.ring()
            case act.Answer():
                leg.answer()
            case act.Reject(status, reason):
                leg.reject(status, reason)
            case act.HangUp(cause):
                self._part(leg, cause)
            case act.Hold():
                leg.hold()
            case act.Resume():
                leg.resume()
            case act.Transfer(target):
                leg.transfer(target)
            case act.Stop():
                if self._lane is not None:
                    self._lane.flush()
            case act.Play(name, is_repeated):
                self._play(name, is_repeated)
            case act.SendDtmf(digits):
                leg.send_dtmf(digits)
            case act.Record(is_on):
                self._record(is_on)
            case act.Log(text):
                self._log.info(text)
            case _:
                assert_never(action)

    def _finish_speech(self) -> None:
        """The link that brought a response is gone: what came of it is all there will be."""
        if self._lane is not None and self._speaking:
            self._lane.finish(self._speaking)
        self._speaking = ""

    def _part(self, leg: "Leg", cause: str) -> None:
        """Hang up; sound that the service played a moment ago is let through first."""
        if self._parts.transport == "webrtc":
            self._loop.call_later(_ON_ITS_WAY, leg.hang_up, cause)
        else:
            leg.hang_up(cause)

    def _play(self, name: str, is_repeated: bool) -> None:
        prompt, lane = self._parts.prompts.get(name), self._lane
        if prompt is None or lane is None:
            why = "no such prompt" if prompt is None else "the service holds the caller's line"
            self._log.warning("cannot play", prompt=name, why=why)
            self.post(control.PromptStopped(name, is_complete=False))
        else:
            lane.play_prompt(prompt, name, repeat=is_repeated)

    def _record(self, is_on: bool) -> None:
        folder, lane = self._parts.recordings, self._lane
        if lane is None:
            self._log.warning("cannot record", why="the service holds the caller's line")
        elif not is_on:
            lane.stop_recording()
        elif folder is None:
            self._log.warning("cannot record", remedy="name a folder in media.recordings")
        else:
            lane.record(str(folder / f"{self.call_id}.wav"))

    async def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._lane is not None:
            self._stats = self._lane.stats()
            self._lane.close()
        await self._attachment.close()


def _figures(stats: LaneStats) -> dict[str, Any]:
    """Return a lane's figures for a record; a score of nothing heard is no score."""
    return asdict(stats) | {"mos": stats.mos if stats.packets_received else None}

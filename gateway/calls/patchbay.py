"""Who hears whom: the caller, the agent, one we called for them, and who supervises.

===============  ==================  ==================  =================
patched as       caller hears        callee hears        service hears
===============  ==================  ==================  =================
``caller``       agent               --                  caller
``consult``      prompts             agent               callee
``bridge``       callee              caller              nobody
``monitor``      callee              caller              both
``conference``   agent and callee    agent and caller    both
===============  ==================  ==================  =================

The ledger of what was heard is that of the one whom the agent speaks to; of two, the caller's.

===============  =================================  ===========================  =============
supervised as    the supervisor hears               caller hears besides         service hears
===============  =================================  ===========================  =============
``listen``       caller, agent, callee, supervisor  --                           as before
``speak``        caller, agent, callee              supervisor                   as before
``takeover``     caller                             supervisor, and no agent     nobody
===============  =================================  ===========================  =============

A callee who is joined with the caller hears a supervisor as the caller does.  Of the agent a
supervisor hears what is played, when it is played; of a number that is kept secret nothing.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from ..control.actions import Patching, Supervising
from ..media.engine import Lane
from ..media.events import (
    LaneEvent,
    PlayoutFlushed,
    PlayoutStarted,
    PlayoutStopped,
    RecordingStopped,
)
from ..media.mix import SILENCE, mix
from ..media.prompts import Prompt
from ..media.stats import LaneStats
from ..media.transcode import ServiceAudio
from ..realtime.events import ResponseOutputAudioDelta, ServerEvent, Unknown
from .gallery import Gallery
from .sound import CallSound

__all__ = ["Patchbay"]

Who: TypeAlias = Literal["caller", "agent", "both", "none"]

_JOINED: Final = ("bridge", "monitor", "conference")
_OVERHEARD: Final = ("monitor", "conference")
_MOST_WAITING: Final = 3  # chunks of the callee's that wait to be mixed; the oldest goes first
_MOST_RESPONSES: Final = 64
_LAST_SILENCE: Final = 100
"""Chunks of silence for a service that is no longer to hear the caller: their turn is over then."""


class Patchbay:
    """The sound of one call, with all of its ends.

    Args:
        prompts: By name.
        recording: Where the call is recorded, if it is.
        is_ours_to_play: The service's speech comes in events, ahead of time.
        audio: What the lanes hand on and the service speaks.
        to_service: Takes 20 ms of what the service is to hear.
        clock: Seconds, by which recordings begin.

    Attributes:
        gallery: Who supervises.

    """

    def __init__(
        self,
        prompts: Mapping[str, Prompt],
        recording: Path | None,
        *,
        is_ours_to_play: bool,
        audio: ServiceAudio,
        to_service: Callable[[bytes], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prompts = prompts
        self._is_ours_to_play = is_ours_to_play
        self._audio: ServiceAudio = audio
        self._to_service = to_service
        self._caller = CallSound(prompts, recording, is_ours_to_play=is_ours_to_play, clock=clock)
        self._callee: CallSound | None = None
        self.gallery = Gallery()
        self._silence_left = 0  # chunks, for the service, once its place is taken
        self._tapped: CallSound | None = None
        self._line: Patching = "caller"
        self._muted: Who = "none"
        self._waiting: deque[bytes] = deque()
        self._unheard = 0  # chunks of the callee's that the service was too late for
        self._told_callee: dict[str, None] = {}  # responses that the callee alone was to hear

    @property
    def stats(self) -> LaneStats | None:
        """What the caller's lane has counted, where there is one."""
        return self._caller.stats

    @property
    def figures(self) -> dict[str, Any]:
        """The caller's lane in figures, for a record, and what of a callee was left out."""
        figures = self._caller.figures
        return figures | {"callee_unheard": self._unheard} if figures else figures

    @property
    def recording(self) -> str:
        """The name of the file that the call is recorded in, once that was begun."""
        return self._caller.recording

    @property
    def recording_problem(self) -> str:
        """Why the recording fell short, if it did."""
        return self._caller.recording_problem

    def note_recorded(self, event: RecordingStopped) -> None:
        """Take the end of a recording of the caller's line."""
        self._caller.note_recorded(event)

    def takes(self, since: float) -> list[float]:
        """Return when each recording was begun, in seconds since then."""
        return self._caller.takes(since)

    # Who is there

    def attach_caller(self, lane: Lane | None) -> None:
        """Give the caller a lane, or none where the sound is elsewhere; once."""
        self._caller.attach(lane)

    def attach_callee(self, lane: Lane) -> None:
        """Give the second leg a lane."""
        self._let_callee_go()
        self._callee = CallSound(self._prompts, None, is_ours_to_play=self._is_ours_to_play)
        self._callee.attach(lane)

    def detach_callee(self) -> None:
        """Let go of the lane of a second leg that is gone.

        One that the agent was speaking to stays until the next patch: what was heard of it is
        still to be told.
        """
        if self._line == "caller":
            self._let_callee_go()

    def patch(self, line: Patching) -> None:
        """Say who hears whom from now on."""
        self._line = line
        self._waiting.clear()
        self._guard()
        if line == "caller":
            self._let_callee_go()
        self._mute()
        self._tap()

    def close(self) -> None:
        """Let go of all lanes."""
        self.gallery.close()
        self._let_callee_go()
        self._caller.close()

    # Who supervises

    def supervise(self, supervisor: str, mode: Supervising) -> None:
        """Let a supervisor be heard and hear as the table has it, or go."""
        was_taken_over = self.gallery.is_taken_over
        self.gallery.set(supervisor, mode)
        if self.gallery.is_taken_over is not was_taken_over:
            self._silence_left = _LAST_SILENCE
            self._guard()
        self._mute()
        self._tap()

    def hear_supervisor(self, supervisor: str, chunk: bytes) -> None:
        """Take 20 ms of a supervisor's sound, which nobody hears while they only listen."""
        if not self.gallery.is_heard(supervisor):
            return
        self._caller.stream(chunk, "supervisor")
        if self._line in _JOINED and self._callee is not None:
            self._callee.stream(chunk, "supervisor")
        self.gallery.hear(chunk, "supervisor", but=supervisor)

    def _tap(self) -> None:
        """Let supervisors hear what is played to the one whom the agent speaks to."""
        wanted = next(iter(self._listeners), self._caller) if self.gallery.is_listening else None
        if wanted is self._tapped:
            return
        if self._tapped is not None:
            self._tapped.tap(None)
        if wanted is not None:
            wanted.tap(lambda chunk: self.gallery.hear(chunk, "agent"))
        self._tapped = wanted

    def _guard(self) -> None:
        """Guard against echo, which two people who talk at once may be taken for."""
        is_talk = self._line in _JOINED or self.gallery.is_taken_over
        self._caller.guard(is_on=not is_talk)

    # What people say

    def hear_caller(self, chunk: bytes) -> None:
        """Take 20 ms of the caller's sound."""
        if self.gallery:
            self.gallery.hear(chunk, "caller")
            if self.gallery.is_taken_over:
                self._fall_silent(len(chunk))
                return
        if self._line == "caller":
            self._to_service(self._as_muted(chunk))
        elif self._line in _JOINED and self._callee is not None:
            self._callee.stream(chunk, "caller")
            if self._line in _OVERHEARD:
                self._overhear(chunk)

    def hear_callee(self, chunk: bytes) -> None:
        """Take 20 ms of the callee's sound."""
        if self.gallery:
            self.gallery.hear(chunk, "callee")
        if self._line == "consult":
            self._to_service(chunk)
        elif self._line in _JOINED:
            self._caller.stream(chunk, "callee")
            if self._line in _OVERHEARD:
                self._waiting.append(chunk)
                if len(self._waiting) > _MOST_WAITING:
                    self._waiting.popleft()
                    self._unheard += 1

    def _overhear(self, chunk: bytes) -> None:
        """Let the service hear both, at the caller's pace."""
        chunk = self._as_muted(chunk)
        if self._waiting:
            chunk = mix(chunk, self._waiting.popleft(), self._audio)
        self._to_service(chunk)

    def _as_muted(self, chunk: bytes) -> bytes:
        """Return what the service is to hear in the place of the caller's sound."""
        is_muted = self._muted in ("caller", "both")
        return SILENCE[self._audio] * len(chunk) if is_muted else chunk

    def _fall_silent(self, size: int) -> None:
        """End a turn of the caller's that was under way; then the service's clock stands still.

        It hears nothing that it could take for a caller who says nothing.
        """
        if self._silence_left:
            self._silence_left -= 1
            self._to_service(SILENCE[self._audio] * size)

    # What the agent says

    @property
    def _listeners(self) -> tuple[CallSound, ...]:
        """Who is to hear the agent, the one whose ledger counts first."""
        callee = () if self._callee is None else (self._callee,)
        if self._line == "consult":
            return callee
        return (self._caller, *callee) if self._line == "conference" else (self._caller,)

    @property
    def _all(self) -> tuple[CallSound, ...]:
        return (self._caller,) if self._callee is None else (self._caller, self._callee)

    def take(self, event: ServerEvent | Unknown, is_dropped: Callable[[str], bool]) -> None:
        """Play the speech that an event brings to whoever is to hear it."""
        if isinstance(event, ResponseOutputAudioDelta):
            if self._line == "consult":
                self._told_callee[event.response_id] = None
                if len(self._told_callee) > _MOST_RESPONSES:
                    del self._told_callee[next(iter(self._told_callee))]
            for sound in self._listeners:
                sound.take(event, is_dropped)
        else:
            for sound in self._all:  # its end, to whoever heard any of it
                sound.take(event, is_dropped)

    def stream(self, sound: bytes) -> None:
        """Let the agent be heard live."""
        for listener in self._listeners:
            listener.stream(sound)

    def end_speech(self) -> None:
        """No more comes over the present link."""
        for sound in self._all:
            sound.end_speech()

    def stop(self) -> None:
        """Let nothing that waits be heard any more."""
        for sound in self._all:
            sound.stop()

    def play(self, name: str, *, is_repeated: bool) -> bool:
        """Play a prompt to whoever hears the agent; tells whether that can be done."""
        listener = next(iter(self._listeners), self._caller)
        return listener.play(name, is_repeated=is_repeated)

    def pause(self) -> None:
        """Play nothing until :meth:`resume`; what is queued waits."""
        for listener in self._listeners:
            listener.pause()

    def resume(self) -> None:
        """Play on."""
        for listener in self._listeners:
            listener.resume()

    def counts(self, event: LaneEvent) -> bool:
        """Tell whether an event of the callee's lane tells of the agent's speech or prompts.

        In a conference it is the caller's lane that does.
        """
        if isinstance(event, PlayoutStarted | PlayoutStopped | PlayoutFlushed):
            return event.response_id in self._told_callee
        return True

    # Who is not heard, and what is kept

    def mute(self, who: Who) -> None:
        """Say who is not heard: the caller by the service, the agent by the caller."""
        self._muted = who
        self._mute()

    def conceal(self, *, is_on: bool) -> None:
        """Keep the caller's sound from the service and from the recording, or stop that."""
        self._caller.conceal(is_on=is_on)

    def record(self, do: Literal["start", "stop", "pause", "resume"]) -> None:
        """Start or stop recording, or put silence in its place for a while."""
        self._caller.record(do)

    def _mute(self) -> None:
        """Mute the lanes: others hear a caller whom the service is not to hear."""
        is_alone = self._line == "caller" and not self.gallery
        is_caller = self._muted in ("caller", "both") and is_alone
        is_replaced = self._line == "monitor" or self.gallery.is_taken_over
        is_agent = self._muted in ("agent", "both") or is_replaced
        self._caller.mute(is_caller=is_caller, is_agent=is_agent)
        if self._callee is not None:
            self._callee.mute(is_caller=False, is_agent=is_agent and self._line != "consult")

    def _let_callee_go(self) -> None:
        if self._callee is not None:
            if self._tapped is self._callee:
                self._tapped = None
            self._callee.close()
            self._callee = None

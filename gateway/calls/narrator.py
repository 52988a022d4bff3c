"""One call told as it goes: its timeline in, notices for people out.

Pure: no clock, no I/O.  Times are those of the entries, counted from the call's first.
"""

from collections.abc import Sequence
from typing import Any

from ..control import events as own
from ..control.latency import Latency
from ..control.sealed import HIDDEN
from ..control.timeline import TimelineEntry
from ..realtime import events as service
from .captions import Captions
from .doing import Doing, Told
from .notices import Activity, KeyTold, Notice, Speaker, Speaking, Supervised, TurnTimed
from .registry import Account

__all__ = ["Narrator"]


class Narrator:
    """Turns what happens in a call into what people are told of it.

    Args:
        call_id: The call.
        said: What was said in it, which knows what was heard of that.

    """

    def __init__(self, call_id: str, said: Account | None = None) -> None:
        self._call_id = call_id
        self._start: float | None = None
        self._at = 0.0
        self._notices: list[Notice] = []
        self._captions = Captions(call_id, said)
        self._latency = Latency()
        self._speaking: set[Speaker] = set()
        self._doing = Doing()
        self._told: Told | None = None

    def hear(self, entry: TimelineEntry) -> Sequence[Notice]:
        """Return what there is to tell about an entry, new or added to."""
        now = entry.at if entry.until is None else entry.until
        if self._start is None:
            self._start = now
        self._at = round(now - self._start, 3)
        self._notices = []
        subject = entry.subject
        if entry.kind in ("event", "derived"):
            self._take_event(entry, subject, now)
        elif entry.kind == "action":
            self._doing.take_action(subject)
        self._notices += self._captions.take(entry, self._at)
        self._tell_activity()
        return self._notices

    def _take_event(self, entry: TimelineEntry, event: Any, now: float) -> None:
        self._latency.handle(event, now)
        self._doing.take_event(event)
        match event:
            case service.InputAudioBufferDtmfEventReceived():
                key = HIDDEN if entry.is_ahead else event.event
                for source in (entry.sources or ())[:1]:  # none: the echo of another
                    self._tell(KeyTold(call_id=self._call_id, at=self._at, key=key, source=source))
            case service.InputAudioBufferSpeechStarted():
                self._speak("caller", is_on=True)
            case service.InputAudioBufferSpeechStopped() | service.InputAudioBufferCleared():
                self._speak("caller", is_on=False)
            case service.OutputAudioBufferStarted():
                self._speak("agent", is_on=True)
                self._tell_turn(event.response_id)
            case service.OutputAudioBufferStopped() | service.OutputAudioBufferCleared():
                self._speak("agent", is_on=False)
            case own.VoiceStarted(leg="callee"):
                self._speak("callee", is_on=True)
            case own.VoiceStopped(leg="callee") | own.CalleeEnded():
                self._speak("callee", is_on=False)
            case own.VoiceStarted(leg="supervisor"):
                self._speak("supervisor", is_on=True)
            case own.VoiceStopped(leg="supervisor"):
                self._speak("supervisor", is_on=False)
            case own.SupervisionChanged():
                self._tell_supervision(event)
            case own.LinkLost():
                self._speak("caller", is_on=False)
            case own.LegEnded():
                for who in sorted(self._speaking):
                    self._speak(who, is_on=False)
            case _:
                pass

    def _tell(self, notice: Notice) -> None:
        self._notices.append(notice)

    def _speak(self, who: Speaker, *, is_on: bool) -> None:
        if (who in self._speaking) is is_on:
            return
        (self._speaking.add if is_on else self._speaking.discard)(who)
        self._tell(Speaking(call_id=self._call_id, at=self._at, who=who, is_on=is_on))

    def _tell_turn(self, response_id: str) -> None:
        """Tell how long the caller waited, where this is what they waited for."""
        answer = self._latency.answers[-1] if self._latency.answers else None
        if answer is None or answer.response_id != response_id or answer.heard_ms is None:
            return
        self._tell(TurnTimed(call_id=self._call_id, at=self._at, ms=answer.heard_ms))

    def _tell_supervision(self, event: own.SupervisionChanged) -> None:
        if event.mode not in ("speak", "takeover"):
            self._speak("supervisor", is_on=False)
        self._tell(
            Supervised(
                call_id=self._call_id,
                at=self._at,
                name=event.by,
                mode=event.mode,
                connection=event.supervisor,
            )
        )

    def _tell_activity(self) -> None:
        doing = self._doing.told(is_speaking="agent" in self._speaking)
        if doing != self._told:
            self._told = doing
            agent, detail = doing
            self._tell(Activity(call_id=self._call_id, at=self._at, agent=agent, detail=detail))

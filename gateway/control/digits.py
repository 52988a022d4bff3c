"""One stream of keys from several detectors, each press told once.

A press may be seen as an RFC 4733 event, as a tone in the audio, in a SIP INFO, and by the
service.  Each detector tells it once, so a report is the echo of a press that another
detector reported shortly before and this one has not yet; anything else is a new press.  Some
tell a key when it goes up, with how long it was down: that counts from when it went down.

Keys of a number that is secret are kept as ``•``, and their echoes as ``(•)``: so the call can
be played again, and nobody learns more than how many there were.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec

from ..config import KEYS
from ..realtime.events import InputAudioBufferDtmfEventReceived
from .actions import Request
from .context import Context
from .events import Event, KeyPressed, KeyReleased, KeySource
from .sealed import HIDDEN, HIDDEN_ECHO, is_secret
from .timeline import TimelineEntry

__all__ = ["Digits"]

_MOST_PRESSES = 64


@dataclass(slots=True)
class _Press:
    key: str
    at: float
    is_concealed: bool
    sources: list[KeySource]
    reports: list[TimelineEntry] = field(default_factory=list)
    told: TimelineEntry | None = None  # the key as everybody is told of it


class Digits:
    """Turns reports of keys into ``input_audio_buffer.dtmf_event_received``, once per press."""

    def __init__(self, context: Context) -> None:
        self.echoes = 0
        self.dropped = 0  # of a flood
        self._latest: deque[float] = deque()  # when keys came, within a second
        self._context = context
        self._presses: deque[_Press] = deque(maxlen=_MOST_PRESSES)

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in one detector's report."""
        match event:
            case KeyPressed(leg="caller"):
                key = event.key.upper()
                is_key = len(key) == 1 and (key in KEYS or key == HIDDEN)
                if (
                    is_key
                    and self.is_new(key, event.source, event.duration_ms)
                    and self._is_in_time()
                ):
                    self._context.derive(
                        InputAudioBufferDtmfEventReceived(
                            event=key, received_at=event.received_at, origin="gateway"
                        )
                    )
            case KeyReleased(leg="caller"):
                self._note_length(event)
            case _:
                pass
        return ()

    def admits(self, event: InputAudioBufferDtmfEventReceived) -> bool:
        """Tell whether a key's event is to be acted on: the service's may echo our own.

        The timeline is then told who saw the key, those who see it later too.
        """
        if event.origin != "gateway":
            key = event.event.upper()
            if key == HIDDEN_ECHO or not self.is_new(key, "service"):
                return False
        if self._presses and (entry := self._context.entry) is not None:
            press = self._presses[-1]
            press.told, entry.sources = entry, press.sources
        return True

    def is_new(self, key: str, source: KeySource, duration_ms: int = 0) -> bool:
        """Tell whether this report, of a key that was down so long, is of a press not yet told."""
        entry = self._context.entry
        reports = [entry] if entry is not None else []
        if (press := self._echoed(key, source, duration_ms)) is not None:
            press.sources.append(source)
            press.reports += reports
            self.echoes += 1
            return False
        is_concealed = self._context.is_concealed and is_secret(key)
        self._presses.append(_Press(key, self._context.now, is_concealed, [source], reports))
        return True

    def shown(self, event: Event) -> Event:
        """Return an event as it may be kept: of keys that are secret nothing but that they were."""
        match event:
            case KeyPressed(leg="caller", key=key, source=source, duration_ms=duration_ms):
                shown = self._shown(key.upper(), source, duration_ms)
                return event if shown is None else replace(event, key=shown)
            case KeyReleased(leg="caller", key=key, source=source):
                press = self._latest_of(key.upper(), source)
                is_hidden = self._context.is_concealed if press is None else press.is_concealed
                return replace(event, key=HIDDEN) if is_hidden and is_secret(key) else event
            case InputAudioBufferDtmfEventReceived(origin="gateway", event=key):
                shown = HIDDEN if self._presses and self._presses[-1].is_concealed else None
            case InputAudioBufferDtmfEventReceived(event=key):
                shown = self._shown(key.upper(), "service")
            case _:
                return event
        return event if shown is None else msgspec.structs.replace(event, event=shown, digit=None)

    def conceal_latest(self, count: int) -> None:
        """Hide so many presses after the fact: it is known only now that they are secret."""
        for press in list(self._presses)[len(self._presses) - count :]:
            if not is_secret(press.key):
                continue
            press.is_concealed = True
            for number, entry in enumerate(press.reports):
                entry.subject = _with_key(entry.subject, HIDDEN_ECHO if number else HIDDEN)
            if press.told is not None:
                press.told.subject = _with_key(press.told.subject, HIDDEN)

    def _is_in_time(self) -> bool:
        """Tell whether a finger can press so fast; what comes faster is dropped."""
        now, latest = self._context.now, self._latest
        while latest and now - latest[0] >= 1.0:
            latest.popleft()
        if len(latest) < self._context.settings.limits.keys_per_second:
            latest.append(now)
            return True
        if not self.dropped:
            self._context.log("keys come faster than anybody presses them: some are dropped")
        self.dropped += 1
        return False

    def _echoed(self, key: str, source: KeySource, duration_ms: int) -> _Press | None:
        """Return the press that this report is the echo of, if it is one."""
        if key == HIDDEN:
            return None  # of a call played again, where echoes are shown otherwise
        window = self._context.settings.call.key_window_ms
        since = self._context.now - (window + duration_ms) / 1000
        for press in self._presses:
            if press.key == key and press.at >= since and source not in press.sources:
                return press
        return None

    def _latest_of(self, key: str, source: KeySource) -> _Press | None:
        """Return the latest press of a key that this detector saw."""
        for press in reversed(self._presses):
            if press.key == key and source in press.sources:
                return press
        return None

    def _shown(self, key: str, source: KeySource, duration_ms: int = 0) -> str | None:
        """Return what is kept in a key's place, or ``None`` where it may be kept."""
        if not is_secret(key):
            return None
        if (press := self._echoed(key, source, duration_ms)) is not None:
            return HIDDEN_ECHO if press.is_concealed else None
        return HIDDEN if self._context.is_concealed else None

    def _note_length(self, event: KeyReleased) -> None:
        """Note on the timeline how long a key was down, by who tells it first."""
        press = self._latest_of(event.key.upper(), event.source)
        if press is None:
            return
        if (entry := self._context.entry) is not None:
            press.reports.append(entry)
        if press.told is not None and press.told.duration_ms is None:
            press.told.duration_ms = event.duration_ms


def _with_key(subject: object, key: str) -> Event:
    """Return an event of a key with another one in its place."""
    match subject:
        case KeyPressed() | KeyReleased():
            return replace(subject, key=key)
        case InputAudioBufferDtmfEventReceived():
            return msgspec.structs.replace(subject, event=key, digit=None)
        case _:
            raise TypeError(f"{subject!r} is no event of a key")

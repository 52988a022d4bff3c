"""One stream of keys from several detectors, each press told once.

A press may be seen as an RFC 4733 event, as a tone in the audio, in a SIP INFO, and by the
service.  Each detector tells it once, so a report is the echo of a press that another
detector reported shortly before and this one has not yet; anything else is a new press.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from ..config import KEYS
from ..realtime.events import InputAudioBufferDtmfEventReceived
from .actions import Request
from .context import Context
from .events import Event, KeyPressed, KeySource
from .sealed import HIDDEN

__all__ = ["Digits"]

_MOST_PRESSES = 64


@dataclass(slots=True)
class _Press:
    key: str
    at: float
    sources: set[KeySource]


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
        if isinstance(event, KeyPressed) and event.leg == "caller":
            key = event.key.upper()
            is_key = len(key) == 1 and (key in KEYS or key == HIDDEN)
            if is_key and self.is_new(key, event.source) and self._is_in_time():
                self._context.derive(
                    InputAudioBufferDtmfEventReceived(
                        event=key, received_at=event.received_at, origin="gateway"
                    )
                )
        return ()

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

    def admits(self, event: InputAudioBufferDtmfEventReceived) -> bool:
        """Tell whether a key's event is to be acted on: the service's may echo our own."""
        return event.origin == "gateway" or self.is_new(event.event.upper(), "service")

    def is_new(self, key: str, source: KeySource) -> bool:
        """Tell whether this report is of a press nobody told before."""
        now = self._context.now
        window = self._context.settings.call.key_window_ms / 1000
        for press in self._presses:
            if press.key == key and now - press.at <= window and source not in press.sources:
                press.sources.add(source)
                self.echoes += 1
                return False
        self._presses.append(_Press(key, now, {source}))
        return True

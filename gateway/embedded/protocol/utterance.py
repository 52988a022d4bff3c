"""One spoken message of a response: sentences in, audio deltas out, at a bounded pace."""

from collections import deque
from typing import Final, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...media.events import Mark
from ...realtime.events import (
    ContentPart,
    ResponseContentPartAdded,
    ResponseContentPartDone,
    ResponseOutputAudioDelta,
    ResponseOutputAudioDone,
    ResponseOutputAudioTranscriptDelta,
    ResponseOutputAudioTranscriptDone,
)
from .conversation import Conversation, Entry
from .formats import Encoder
from .outbox import Outbox, Speak
from .output import Place
from .sounds import OutputBuffer

__all__ = ["Pace", "Utterance"]

Pcm: TypeAlias = NDArray[np.int16]

_DELTA_MS: Final = 200
_AHEAD_MS: Final = 2000  # with less than this left to send, the next sentence is asked for


class Pace:
    """How far ahead of real time a response's audio may run.

    Services send some four times as fast as the caller hears: quick enough
    never to run dry, slow enough that an interruption finds a response under way.
    """

    def __init__(self, burst_ms: float = 2000.0, speed: float = 4.0) -> None:
        self._burst_ms = burst_ms
        self._speed = speed
        self._began: float | None = None
        self.sent_ms = 0

    @property
    def due(self) -> float:
        """When the next delta may be sent; long past where it may at once."""
        if self._began is None:
            return 0.0
        return self._began + max(0.0, self.sent_ms - self._burst_ms) / 1000 / self._speed

    def advance(self, duration_ms: int, now: float) -> None:
        """Count a delta that was sent."""
        if self._began is None:
            self._began = now
        self.sent_ms += duration_ms


class Utterance:
    """An assistant's audio message; begins when made, to be finished when :attr:`is_done`.

    Its speech goes out as deltas, or to the ``output`` that plays it.
    """

    def __init__(
        self,
        outbox: Outbox,
        conversation: Conversation | None,
        entry: Entry,
        *,
        place: Place,
        kind: str,
        pace: Pace,
        output: OutputBuffer | None = None,
    ) -> None:
        self.entry = entry
        self.transcript = ""
        self._outbox = outbox
        self._conversation = conversation
        self._pace = pace
        self._output = output
        self._encoder = Encoder(kind if output is None else "audio/pcm")
        self._place = place
        self._sentences: deque[str] = deque()
        self._deltas: deque[tuple[str, bytes]] = deque()
        self.job = ""
        self._asked = ""
        part = ContentPart(type="audio", transcript="")
        outbox.emit(ResponseContentPartAdded(part=part, **self._place))

    @property
    def is_done(self) -> bool:
        """Whether all there is to say was sent."""
        return not (self._deltas or self._sentences or self.job)

    def say(self, sentences: list[str]) -> None:
        """Add sentences to be spoken."""
        self._sentences.extend(sentences)
        self._ask()

    def play(self, pcm: Pcm, transcript: str) -> None:
        """Add audio as it is: int16 at 24 kHz."""
        self._queue(pcm, transcript)

    @property
    def deadline(self) -> float | None:
        """When :meth:`send` can next do something, or ``None`` until speech comes."""
        return self._pace.due if self._deltas else None

    def spoken(self, pcm: Pcm) -> None:
        """Take in the speech that was asked for as :attr:`job`: int16, 24 kHz."""
        self.job = ""
        self._queue(pcm, self._asked)
        self._ask()

    def send(self, now: float) -> None:
        """Send what the pace allows."""
        while self._deltas and self._pace.due <= now:
            transcript, audio = self._deltas.popleft()
            duration = round(len(audio) / self._encoder.bytes_per_ms)
            is_sent = self._emit(transcript, audio)
            if is_sent and self._conversation is not None:
                self._conversation.grow(self.entry, audio, duration)
            self._pace.advance(duration, now)
            self._ask()

    def finish(self, status: str) -> None:
        """End the message, whatever is left of it."""
        self._deltas.clear()
        self._sentences.clear()
        self.job = ""
        said = self.transcript
        item = self.entry.item
        if item.content != [ContentPart(type="output_audio")]:  # cut meanwhile: the words are gone
            self.entry.words = said
            content = [ContentPart(type="output_audio", transcript=said)]
            item = msgspec.structs.replace(item, content=content)
        self.entry.item = msgspec.structs.replace(item, status=status)
        emit, place = self._outbox.emit, self._place
        emit(ResponseOutputAudioDone(**place))
        emit(ResponseOutputAudioTranscriptDone(transcript=said, **place))
        part = ContentPart(type="audio", transcript=said)
        emit(ResponseContentPartDone(part=part, **place))

    def _ask(self) -> None:
        """Ask for the next sentence while there is still something to send meanwhile."""
        left_ms = len(self._deltas) * _DELTA_MS
        if self._sentences and not self.job and left_ms < _AHEAD_MS:
            self._asked = self._sentences.popleft()
            self.job = self._outbox.new_id("job")
            self._outbox.request(Speak(self.job, self._asked))

    def _queue(self, pcm: Pcm, transcript: str) -> None:
        audio = self._encoder.encode(pcm)
        size = _DELTA_MS * self._encoder.bytes_per_ms
        for start in range(0, len(audio), size):
            self._deltas.append((transcript if start == 0 else "", audio[start : start + size]))

    def _emit(self, transcript: str, audio: bytes) -> bool:
        """Send a delta; false where the caller was spared it."""
        if transcript:
            words = f" {transcript}" if self.transcript else transcript
            self.transcript += words
            self._outbox.emit(ResponseOutputAudioTranscriptDelta(delta=words, **self._place))
        place = self._place
        if self._output is not None:
            mark = Mark(place["response_id"], place["item_id"], place["content_index"])
            return self._output.play(mark, audio)
        self._outbox.emit(ResponseOutputAudioDelta(delta=audio, **place))
        return True

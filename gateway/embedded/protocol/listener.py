"""The caller's side of a session: audio in, turns out."""

import enum
from typing import Final, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray
from voicecodecs.resample import StreamResampler

from ...realtime.events import (
    ContentPart,
    ConversationItemAdded,
    ConversationItemDone,
    ErrorDetail,
    InputAudioBufferCommitted,
    InputAudioBufferSpeechStarted,
    InputAudioBufferSpeechStopped,
    InputAudioBufferTimeoutTriggered,
    Item,
)
from ..agents.agent import DICTATION, Grammar, Idle, TurnEnded
from ..speech.vad import SpeechStart
from .buffer import InputBuffer
from .checks import Refused
from .conversation import CallerAudio, Conversation, Entry
from .formats import pack
from .idle import IdleTimer
from .inbox import Inbox
from .outbox import Hear, Outbox
from .settings import Settings
from .transcription import UNINTELLIGIBLE, failure, transcript

__all__ = ["Listener", "Signal"]

Pcm: TypeAlias = NDArray[np.int16]

_LEAST_MS: Final = 100  # of audio in a commit


class Signal(enum.Enum):
    """What happened on the caller's side that the service's side must know."""

    TURN_BEGAN = enum.auto()
    TURN_ENDED = enum.auto()
    IDLE = enum.auto()


class Listener:
    """Follows one caller; turns become items of the conversation."""

    def __init__(
        self, outbox: Outbox, conversation: Conversation, settings: Settings, inbox: Inbox
    ) -> None:
        self.idle = IdleTimer()
        self.buffer = InputBuffer(settings.input_format, settings.vad)
        self.last_turn: Pcm = np.zeros(0, np.int16)  # at `last_turn_rate`
        self.last_turn_rate = self.buffer.rate
        self.last_words = ""
        self._outbox = outbox
        self._conversation = conversation
        self._settings = settings
        self._inbox = inbox
        self._turn_id = ""
        self._turn_start_ms = 0
        self._jobs: dict[str, tuple[str, int]] = {}  # what is being understood: item, milliseconds

    def configure(self) -> None:
        """Apply the session's settings."""
        self.buffer.configure(self._settings.input_format, self._settings.vad)

    def append(
        self, audio: bytes, now: float, grammar: Grammar | None, *, may_interrupt: bool
    ) -> list[Signal]:
        """Write audio; while the caller may not interrupt, speech does not begin a turn."""
        signals = []
        for event in self.buffer.append(audio):
            if isinstance(event, SpeechStart):
                if not may_interrupt:
                    self.buffer.ignore_speech()
                    continue
                self._begin_turn(event.at_ms)
                signals.append(Signal.TURN_BEGAN)
            elif self._turn_id:
                self._end_turn(event.at_ms, grammar)
                signals.append(Signal.TURN_ENDED)
        silence = self.idle.check(self.buffer.clock_ms, now, self._settings.idle_timeout_ms)
        if silence is not None and not self.buffer.is_speaking:
            self._time_out(*silence)
            signals.append(Signal.IDLE)
        return signals

    def commit(self, grammar: Grammar | None) -> None:
        """Make a turn of what is held.

        Raises:
            Refused: It is less than 100 ms.

        """
        held_ms = self.buffer.held_ms
        if held_ms < _LEAST_MS:
            told = (
                "Error committing input audio buffer: buffer too small. Expected at least"
                f" {_LEAST_MS}ms of audio, but buffer only has {held_ms:.2f}ms of audio."
            )
            raise Refused("input_audio_buffer_commit_empty", told)
        item_id = self._turn_id or self._outbox.new_id("item")
        self._turn_id = ""
        self._commit(item_id, self.buffer.take_all(), grammar)

    def clear(self) -> None:
        """Drop what is not committed."""
        self._turn_id = ""
        self.buffer.clear()

    def heard(self, job: str, words: str) -> None:
        """Take in what a turn was understood to say; nothing where it was not understood."""
        item_id, duration_ms = self._jobs.pop(job, ("", 0))
        if not item_id:
            return
        self.last_words = words
        self._inbox.resolve(job, TurnEnded(words))
        entry = self._conversation.get(item_id)
        if entry is not None:
            entry.words = words
        if not self._settings.transcribes:
            return
        if not words:
            self._outbox.emit(failure(item_id, UNINTELLIGIBLE))
            return
        if entry is not None:
            content = [ContentPart(type="input_audio", transcript=words)]
            entry.item = msgspec.structs.replace(entry.item, content=content)
        for event in transcript(
            item_id,
            words,
            duration_ms=duration_ms,
            model=self._settings.transcription_model,
            segment_id=self._outbox.new_id("seg"),
        ):
            self._outbox.emit(event)

    def unheard(self, job: str, problem: ErrorDetail) -> None:
        """Take in why nobody listened to a turn; the answer goes on without its words."""
        item_id, _ = self._jobs.pop(job, ("", 0))
        if not item_id:
            return
        self._inbox.resolve(job, TurnEnded(""))
        if self._settings.transcribes:
            self._outbox.emit(failure(item_id, problem))

    def replay(self) -> Pcm:
        """Return the last turn: int16 at 24 kHz."""
        if self.last_turn_rate == 24000:
            return self.last_turn
        return StreamResampler(self.last_turn_rate, 24000).process(self.last_turn)

    def _begin_turn(self, at_ms: int) -> None:
        self.idle.disarm()
        self._turn_id = self._outbox.new_id("item")
        self._turn_start_ms = at_ms
        self._outbox.emit(
            InputAudioBufferSpeechStarted(item_id=self._turn_id, audio_start_ms=at_ms)
        )

    def _end_turn(self, at_ms: int, grammar: Grammar | None) -> None:
        item_id, self._turn_id = self._turn_id, ""
        self._outbox.emit(InputAudioBufferSpeechStopped(item_id=item_id, audio_end_ms=at_ms))
        self._commit(item_id, self.buffer.take(self._turn_start_ms, at_ms), grammar)

    def _time_out(self, start_ms: int, end_ms: int) -> None:
        item_id = self._outbox.new_id("item")
        self._outbox.emit(
            InputAudioBufferTimeoutTriggered(
                item_id=item_id, audio_start_ms=start_ms, audio_end_ms=end_ms
            )
        )
        self.buffer.clear()
        self._add_item(item_id, np.zeros(0, np.int16), end_ms - start_ms)
        self._inbox.add(Idle())

    def _commit(self, item_id: str, pcm: Pcm, grammar: Grammar | None) -> None:
        duration_ms = len(pcm) * 1000 // self.buffer.rate
        self.last_turn, self.last_turn_rate, self.last_words = pcm, self.buffer.rate, ""
        self._add_item(item_id, pcm, duration_ms)
        job = self._outbox.new_id("job")
        self._jobs[job] = (item_id, duration_ms)
        self._inbox.expect(job)
        if grammar is None and self._settings.transcribes:
            grammar = DICTATION
        if grammar is None:
            self.heard(job, "")
        else:
            self._outbox.request(Hear(job, pcm, self.buffer.rate, grammar))

    def _add_item(self, item_id: str, pcm: Pcm, duration_ms: int) -> None:
        item = Item(
            id=item_id,
            object="realtime.item",
            type="message",
            role="user",
            status="completed",
            content=[CallerAudio(type="input_audio")],
        )
        audio = bytearray(pack(self._settings.input_format, pcm))
        before = self._conversation.add(Entry(item, audio, duration_ms))
        emit = self._outbox.emit
        emit(InputAudioBufferCommitted(item_id=item_id, previous_item_id=before))
        emit(ConversationItemAdded(item=item, previous_item_id=before))
        emit(ConversationItemDone(item=item, previous_item_id=before))

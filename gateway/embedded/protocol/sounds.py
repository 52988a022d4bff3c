"""The output audio buffer: what the caller hears where the service carries the sound itself.

On WebRTC and SIP the speech of a response is no event: it goes to a player,
which says what the caller was really sent.  From that come the three
``output_audio_buffer`` events, and how much of an interrupted answer was heard.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from ...media.events import Heard, Mark, PlayoutFlushed, PlayoutStarted, PlayoutStopped
from ...realtime.events import (
    ConversationItemTruncated,
    OutputAudioBufferCleared,
    OutputAudioBufferStarted,
    OutputAudioBufferStopped,
)
from .conversation import Conversation
from .outbox import Outbox

__all__ = ["Finish", "Flush", "OutputBuffer", "Play", "Played", "Sound"]


@dataclass(frozen=True, slots=True)
class Play:
    """Queue speech: PCM of 16 bits at 24 kHz, of any length."""

    mark: Mark
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Finish:
    """No more speech of this response will come."""

    response_id: str


@dataclass(frozen=True, slots=True)
class Flush:
    """Drop what is queued, and say how much of it was heard."""


Sound: TypeAlias = Play | Finish | Flush
Played: TypeAlias = PlayoutStarted | PlayoutStopped | PlayoutFlushed

_FLUSH: Final = Flush()


class OutputBuffer:
    """Hands speech to the player, and tells the client what became of it."""

    def __init__(self, outbox: Outbox, conversation: Conversation) -> None:
        self._outbox = outbox
        self._conversation = conversation
        self._sounds: list[Sound] = []
        self._queued: list[str] = []  # responses the player has, or will have, speech of
        self._flushed: list[str] = []  # responses that a flush on its way will cut
        self._muted = ""  # a response of which nothing more is to be played

    @property
    def is_busy(self) -> bool:
        """Whether the caller hears a response, or is about to."""
        return bool(self._queued)

    def play(self, mark: Mark, pcm: bytes) -> bool:
        """Queue speech; false where it comes too late: its response was cut."""
        if mark.response_id == self._muted:
            return False
        if mark.response_id not in self._queued:
            self._queued.append(mark.response_id)
        self._sounds.append(Play(mark, pcm))
        return True

    def finish(self, response_id: str) -> None:
        """Say that a response is over; the player tells when the caller has heard it."""
        if response_id in self._queued:
            self._sounds.append(Finish(response_id))

    def clear(self) -> None:
        """Cut what the caller hears now, and what is left of that response."""
        if not self._queued:
            return
        self._muted = self._queued[-1]
        self._flushed += self._queued
        self._queued.clear()
        self._sounds.append(_FLUSH)

    def sounds(self) -> list[Sound]:
        """Drain what the player is to do."""
        sounds, self._sounds = self._sounds, []
        return sounds

    def played(self, event: Played) -> None:
        """Take in what the player did."""
        match event:
            case PlayoutStarted(response_id=response_id):
                self._outbox.emit(OutputAudioBufferStarted(response_id=response_id))
            case PlayoutStopped(response_id=response_id):
                if self._forget(response_id):
                    self._outbox.emit(OutputAudioBufferStopped(response_id=response_id))
            case PlayoutFlushed(items=items):
                cut, self._flushed = self._flushed, []
                for response_id in cut:
                    self._outbox.emit(OutputAudioBufferCleared(response_id=response_id))
                for heard in items:
                    self._truncate(heard)

    def _forget(self, response_id: str) -> bool:
        for responses in (self._queued, self._flushed):
            if response_id in responses:
                responses.remove(response_id)
                return True
        return False

    def _truncate(self, heard: Heard) -> None:
        """Keep of an item what the caller was sent; one heard whole stays as it is."""
        entry = self._conversation.get(heard.item_id)
        if entry is None or heard.sent_ms >= entry.audio_ms:
            return
        self._conversation.truncate(heard.item_id, heard.content_index, heard.sent_ms)
        self._outbox.emit(
            ConversationItemTruncated(
                item_id=heard.item_id,
                content_index=heard.content_index,
                audio_end_ms=heard.sent_ms,
            )
        )

"""What a client is told of the caller's words, by the model it asked for.

Models of the ``gpt`` family stream, the diarizing one tells who spoke when,
and the others give the whole at once.
"""

from collections.abc import Iterator
from typing import Any, Final

from ...realtime.events import (
    ConversationItemInputAudioTranscriptionCompleted,
    ConversationItemInputAudioTranscriptionDelta,
    ConversationItemInputAudioTranscriptionFailed,
    ConversationItemInputAudioTranscriptionSegment,
    ErrorDetail,
    ServerEvent,
)
from .conversation import AUDIO_TOKEN_MS, text_tokens

__all__ = ["UNINTELLIGIBLE", "failure", "transcript"]

UNINTELLIGIBLE: Final = ErrorDetail(
    type="transcription_error",
    code="audio_unintelligible",
    message="The audio could not be transcribed.",
)
_SPEAKER: Final = "A"  # a telephone call has one caller


def transcript(
    item_id: str, words: str, *, duration_ms: int, model: str, segment_id: str
) -> Iterator[ServerEvent]:
    """Yield the events that tell what was said in an item of ``duration_ms``."""
    if model.endswith("-diarize"):
        yield ConversationItemInputAudioTranscriptionSegment(
            item_id=item_id,
            content_index=0,
            id=segment_id,
            speaker=_SPEAKER,
            start=0.0,
            end=duration_ms / 1000,
            text=words,
        )
    elif _streams(model):
        for index, word in enumerate(words.split()):
            delta = f" {word}" if index else word
            yield ConversationItemInputAudioTranscriptionDelta(
                item_id=item_id, content_index=0, delta=delta
            )
    yield ConversationItemInputAudioTranscriptionCompleted(
        item_id=item_id,
        content_index=0,
        transcript=words,
        usage=_usage(words, duration_ms, in_tokens=_streams(model)),
    )


def failure(item_id: str, problem: ErrorDetail) -> ServerEvent:
    """Return the event that tells why an item has no text."""
    return ConversationItemInputAudioTranscriptionFailed(
        item_id=item_id, content_index=0, error=problem
    )


def _streams(model: str) -> bool:
    return model.startswith("gpt-")


def _usage(words: str, duration_ms: int, *, in_tokens: bool) -> dict[str, Any]:
    if not in_tokens:
        return {"type": "duration", "seconds": duration_ms / 1000}
    heard, said = duration_ms // AUDIO_TOKEN_MS["user"], text_tokens(words)
    return {
        "type": "tokens",
        "input_tokens": heard,
        "input_token_details": {"audio_tokens": heard, "text_tokens": 0},
        "output_tokens": said,
        "total_tokens": heard + said,
    }

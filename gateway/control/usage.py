"""What a call used of the service: tokens by kind, seconds of speech, money, and its haste.

Tokens are counted once per response and once per transcribed item.  What was cached is part
of what was put in, and cheaper; tokens whose kind is not told count as text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

from ..config import PriceSettings
from ..realtime.events import (
    ConversationItemInputAudioTranscriptionCompleted,
    InputAudioBufferCleared,
    InputAudioBufferSpeechStarted,
    InputAudioBufferSpeechStopped,
    OutputAudioBufferCleared,
    OutputAudioBufferStarted,
    OutputAudioBufferStopped,
    RateLimit,
    RateLimitsUpdated,
    ResponseDone,
)
from .actions import Request
from .context import Context
from .events import Event
from .latency import Latency

__all__ = ["Tokens", "Usage"]

_MOST_SEEN: Final = 512  # responses and items told before
_MOST_STATUSES: Final = 16
_MOST_LIMITS: Final = 16
_MOST_SECONDS: Final = 86_400  # of one item
_SECONDS_PER_TOKEN: Final = 0.1  # of the caller's sound

V = TypeVar("V")


@dataclass(slots=True)
class Tokens:
    """Tokens by kind; ``cached`` ones are part of ``input`` ones."""

    text_input: int = 0
    text_cached: int = 0
    text_output: int = 0
    audio_input: int = 0
    audio_cached: int = 0
    audio_output: int = 0

    @property
    def total(self) -> int:
        """All that went in and came out."""
        return self.text_input + self.audio_input + self.text_output + self.audio_output

    def add(self, usage: Mapping[str, Any]) -> None:
        """Count what one response used, as ``response.done`` tells it."""
        put_in, put_out = usage.get("input_token_details"), usage.get("output_token_details")
        audio, cached = _count(put_in, "audio_tokens"), _count(put_in, "cached_tokens")
        known = _count(put_in, "text_tokens") + _count(put_in, "image_tokens")
        text = max(known, _count(usage, "input_tokens") - audio)
        split = put_in.get("cached_tokens_details") if isinstance(put_in, dict) else None
        audio_cached = min(_count(split, "audio_tokens"), audio, cached)
        if not isinstance(split, dict):
            audio_cached = min(max(0, cached - text), audio)
        said = _count(put_out, "audio_tokens")
        written = max(_count(put_out, "text_tokens"), _count(usage, "output_tokens") - said)
        self.text_input += text
        self.audio_input += audio
        self.text_cached += min(cached - audio_cached, text)
        self.audio_cached += audio_cached
        self.text_output += written
        self.audio_output += said

    def cost(self, prices: PriceSettings) -> float:
        """Return what they cost, in the money of ``prices``."""
        return (
            (self.text_input - self.text_cached) * prices.text_input
            + self.text_cached * prices.text_cached
            + self.text_output * prices.text_output
            + (self.audio_input - self.audio_cached) * prices.audio_input
            + self.audio_cached * prices.audio_cached
            + self.audio_output * prices.audio_output
        ) / 1e6


class Usage:
    """Counts what a call uses.

    Attributes:
        tokens: Of the responses.
        transcription_tokens: Of the texts made of the caller's speech, where told in tokens.
        transcribed_seconds: How much of the caller's speech was made text of.
        caller_seconds: How long the caller spoke, by the service's clock.
        agent_seconds: How long the caller heard the agent.
        responses: Responses by how they ended.
        rate_limits: What was last told of each quota.

    """

    def __init__(self, context: Context) -> None:
        self.tokens = Tokens()
        self.transcription_tokens = 0
        self.transcribed_seconds = 0.0
        self.caller_seconds = 0.0
        self.agent_seconds = 0.0
        self.responses: dict[str, int] = {}
        self.rate_limits: dict[str, RateLimit] = {}
        self._context = context
        self._latency = Latency()
        self._counted: dict[str, None] = {}
        self._spoken: dict[str, int] = {}  # the caller's turns, and when they began (ms)
        self._playing: dict[str, float] = {}

    @property
    def cost(self) -> float:
        """What the call cost so far, by the configured prices."""
        prices = self._context.settings.prices
        transcribed = self.transcribed_seconds / 60 * prices.transcription_minute
        return self.tokens.cost(prices) + transcribed + self._context.tool_cost

    @property
    def total_tokens(self) -> int:
        """All tokens of the call, those of transcription included."""
        return self.tokens.total + self.transcription_tokens

    def as_dict(self) -> dict[str, Any]:
        """Return it all as JSON-ready data."""
        return {
            "tokens": asdict(self.tokens) | {"total": self.tokens.total},
            "transcription_tokens": self.transcription_tokens,
            "transcribed_seconds": round(self.transcribed_seconds, 3),
            "caller_seconds": round(self.caller_seconds, 3),
            "agent_seconds": round(self.agent_seconds, 3),
            "cost": round(self.cost, 6),
            "responses": dict(self.responses),
            "rate_limits": {
                name: {"limit": limit.limit, "remaining": limit.remaining}
                for name, limit in self.rate_limits.items()
            },
            "latency": self._latency.as_dict(),
        }

    def handle(self, event: Event) -> Sequence[Request]:
        """Take in what is told of speech, of a response, or of limits."""
        now = self._context.now
        self._latency.handle(event, now)
        match event:
            case InputAudioBufferSpeechStarted():
                _keep(self._spoken, event.item_id, event.audio_start_ms)
            case InputAudioBufferSpeechStopped():
                self._end_speech(event)
            case InputAudioBufferCleared():
                self._spoken.clear()
            case OutputAudioBufferStarted():
                if event.response_id not in self._playing:
                    _keep(self._playing, event.response_id, now)
            case OutputAudioBufferStopped() | OutputAudioBufferCleared():
                started = self._playing.pop(event.response_id, now)
                self.agent_seconds += now - started
            case ResponseDone():
                self._count_response(event)
            case ConversationItemInputAudioTranscriptionCompleted():
                self._count_transcription(event)
            case RateLimitsUpdated():
                for limit in event.rate_limits:
                    _keep(self.rate_limits, limit.name or "", limit, most=_MOST_LIMITS)
                self.rate_limits.pop("", None)
            case _:
                pass
        return ()

    def _end_speech(self, event: InputAudioBufferSpeechStopped) -> None:
        began = self._spoken.get(event.item_id)
        if began is not None and event.audio_end_ms > began:
            self.caller_seconds += (event.audio_end_ms - began) / 1000
            self._spoken[event.item_id] = event.audio_end_ms  # told twice, it counts once

    def _count_response(self, event: ResponseDone) -> None:
        response = event.response
        if not self._is_new(f"response {response.id}" if response.id else ""):
            return
        status = response.status or "unknown"
        if status in self.responses or len(self.responses) < _MOST_STATUSES:
            self.responses[status] = self.responses.get(status, 0) + 1
        self.tokens.add(response.usage or {})

    def _count_transcription(self, event: ConversationItemInputAudioTranscriptionCompleted) -> None:
        usage = event.usage
        if not usage or not self._is_new(f"item {event.item_id} {event.content_index}"):
            return
        seconds = usage.get("seconds")
        if isinstance(seconds, int | float) and 0 < seconds < _MOST_SECONDS:
            self.transcribed_seconds += seconds
            return
        sound = _count(usage.get("input_token_details"), "audio_tokens")
        put_in = _count(usage, "input_tokens")
        self.transcribed_seconds += (sound or put_in) * _SECONDS_PER_TOKEN
        self.transcription_tokens += max(
            _count(usage, "total_tokens"), put_in + _count(usage, "output_tokens")
        )

    def _is_new(self, name: str) -> bool:
        """Tell whether this was not counted before; what has no name always counts."""
        if name in self._counted:
            return False
        if name:
            _keep(self._counted, name, None)
        return True


def _count(table: object, name: str) -> int:
    """Read a count out of a usage, where nothing is certain to be there."""
    value = table.get(name) if isinstance(table, dict) else None
    return value if isinstance(value, int) and value > 0 else 0


def _keep(table: dict[str, V], name: str, value: V, *, most: int = _MOST_SEEN) -> None:
    """Note something, and forget the oldest where there are many."""
    table[name] = value
    if len(table) > most:
        del table[next(iter(table))]

"""Server events about the session, the conversation and both audio buffers."""

from typing import Any, Literal

import msgspec

from .items import ErrorDetail, Item, RateLimit, Session

__all__ = [
    "ConversationCreated",
    "ConversationItemAdded",
    "ConversationItemCreated",
    "ConversationItemDeleted",
    "ConversationItemDone",
    "ConversationItemInputAudioTranscriptionCompleted",
    "ConversationItemInputAudioTranscriptionDelta",
    "ConversationItemInputAudioTranscriptionFailed",
    "ConversationItemInputAudioTranscriptionSegment",
    "ConversationItemRetrieved",
    "ConversationItemTruncated",
    "ErrorEvent",
    "Event",
    "InputAudioBufferCleared",
    "InputAudioBufferCommitted",
    "InputAudioBufferDtmfEventReceived",
    "InputAudioBufferSpeechStarted",
    "InputAudioBufferSpeechStopped",
    "InputAudioBufferTimeoutTriggered",
    "McpListToolsCompleted",
    "McpListToolsFailed",
    "McpListToolsInProgress",
    "OutputAudioBufferCleared",
    "OutputAudioBufferStarted",
    "OutputAudioBufferStopped",
    "RateLimitsUpdated",
    "SessionCreated",
    "SessionUpdated",
    "TranscriptionSessionUpdated",
]


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """What every server event has.

    ``origin`` says who made it: the service, or the gateway on behalf of a
    service that does not send this event on this link.  It is never on the wire.
    """

    event_id: str = ""
    origin: Literal["service", "gateway"] = msgspec.field(default="service", name="_origin")


class ErrorEvent(Event, frozen=True, kw_only=True, tag="error"):
    """The client or the service is at fault; most errors leave the session open."""

    error: ErrorDetail


class SessionCreated(Event, frozen=True, kw_only=True, tag="session.created"):
    """The connection is up; the session has its defaults."""

    session: Session


class SessionUpdated(Event, frozen=True, kw_only=True, tag="session.updated"):
    """A ``session.update`` was accepted; the full effective session."""

    session: Session


class TranscriptionSessionUpdated(
    Event, frozen=True, kw_only=True, tag="transcription_session.updated"
):
    """The preview protocol's answer to ``transcription_session.update``."""

    session: Session


class ConversationCreated(Event, frozen=True, kw_only=True, tag="conversation.created"):
    """The default conversation exists; not every service says so."""

    conversation: dict[str, Any]


class ConversationItemAdded(Event, frozen=True, kw_only=True, tag="conversation.item.added"):
    """An item entered the conversation; the model's own begin empty."""

    item: Item
    previous_item_id: str | None = None


class ConversationItemCreated(Event, frozen=True, kw_only=True, tag="conversation.item.created"):
    """The preview protocol's name for ``conversation.item.added``."""

    item: Item
    previous_item_id: str | None = None


class ConversationItemDone(Event, frozen=True, kw_only=True, tag="conversation.item.done"):
    """An item is final: all of its content but the audio."""

    item: Item
    previous_item_id: str | None = None


class ConversationItemRetrieved(
    Event, frozen=True, kw_only=True, tag="conversation.item.retrieved"
):
    """An item that was asked for, audio included."""

    item: Item


class ConversationItemTruncated(
    Event, frozen=True, kw_only=True, tag="conversation.item.truncated"
):
    """The model now believes the caller heard this item only to ``audio_end_ms``."""

    item_id: str
    content_index: int
    audio_end_ms: int


class ConversationItemDeleted(Event, frozen=True, kw_only=True, tag="conversation.item.deleted"):
    """An item is gone from the conversation."""

    item_id: str


class ConversationItemInputAudioTranscriptionDelta(
    Event, frozen=True, kw_only=True, tag="conversation.item.input_audio_transcription.delta"
):
    """Some more of what the caller said, in text."""

    item_id: str
    content_index: int | None = None
    delta: str | None = None
    logprobs: list[Any] | None = None


class ConversationItemInputAudioTranscriptionSegment(
    Event, frozen=True, kw_only=True, tag="conversation.item.input_audio_transcription.segment"
):
    """A stretch of the caller's speech with times (seconds in the item) and a speaker's label."""

    item_id: str
    content_index: int
    id: str
    speaker: str
    start: float
    end: float
    text: str


class ConversationItemInputAudioTranscriptionCompleted(
    Event, frozen=True, kw_only=True, tag="conversation.item.input_audio_transcription.completed"
):
    """All of what the caller said in one item, in text."""

    item_id: str
    content_index: int
    transcript: str
    usage: dict[str, Any] = {}
    languages: list[Any] | None = None
    logprobs: list[Any] | None = None


class ConversationItemInputAudioTranscriptionFailed(
    Event, frozen=True, kw_only=True, tag="conversation.item.input_audio_transcription.failed"
):
    """One item has no text; the speech model heard the audio all the same."""

    item_id: str
    content_index: int
    error: ErrorDetail


class InputAudioBufferCommitted(
    Event, frozen=True, kw_only=True, tag="input_audio_buffer.committed"
):
    """The caller's turn is closed and will be the item ``item_id``."""

    item_id: str
    previous_item_id: str | None = None


class InputAudioBufferCleared(Event, frozen=True, kw_only=True, tag="input_audio_buffer.cleared"):
    """Audio not yet committed was dropped on request."""


class InputAudioBufferSpeechStarted(
    Event, frozen=True, kw_only=True, tag="input_audio_buffer.speech_started"
):
    """The caller began to speak; milliseconds of audio written, padding included."""

    item_id: str
    audio_start_ms: int


class InputAudioBufferSpeechStopped(
    Event, frozen=True, kw_only=True, tag="input_audio_buffer.speech_stopped"
):
    """The caller fell silent; milliseconds of audio written, the silence included."""

    item_id: str
    audio_end_ms: int


class InputAudioBufferTimeoutTriggered(
    Event, frozen=True, kw_only=True, tag="input_audio_buffer.timeout_triggered"
):
    """The caller said nothing for ``idle_timeout_ms`` after the last response was played."""

    item_id: str
    audio_start_ms: int
    audio_end_ms: int


class InputAudioBufferDtmfEventReceived(
    Event, frozen=True, kw_only=True, tag="input_audio_buffer.dtmf_event_received"
):
    """The caller pressed a key: ``event`` is one of ``0-9 * # A-D``.

    The published descriptions disagree on the field's name; where only
    ``digit`` came, ``event`` holds it too.
    """

    event: str = ""
    digit: str | None = None
    received_at: int | None = None

    def __post_init__(self) -> None:
        if not self.event:
            if not self.digit:
                raise ValueError("neither `event` nor `digit` names the key")
            msgspec.structs.force_setattr(self, "event", self.digit)


class OutputAudioBufferStarted(Event, frozen=True, kw_only=True, tag="output_audio_buffer.started"):
    """The first audio of a response went out to the caller."""

    response_id: str


class OutputAudioBufferStopped(Event, frozen=True, kw_only=True, tag="output_audio_buffer.stopped"):
    """The caller was sent all of a response."""

    response_id: str


class OutputAudioBufferCleared(Event, frozen=True, kw_only=True, tag="output_audio_buffer.cleared"):
    """What was left of a response will not be played."""

    response_id: str


class McpListToolsInProgress(Event, frozen=True, kw_only=True, tag="mcp_list_tools.in_progress"):
    """The service began to import tools from an MCP server."""

    item_id: str


class McpListToolsCompleted(Event, frozen=True, kw_only=True, tag="mcp_list_tools.completed"):
    """The tools of an MCP server are known."""

    item_id: str


class McpListToolsFailed(Event, frozen=True, kw_only=True, tag="mcp_list_tools.failed"):
    """The tools of an MCP server could not be had."""

    item_id: str


class RateLimitsUpdated(Event, frozen=True, kw_only=True, tag="rate_limits.updated"):
    """What is left of the quotas."""

    rate_limits: list[RateLimit]

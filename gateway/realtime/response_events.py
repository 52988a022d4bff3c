"""Server events about one response, from its start to its end."""

from .conversation_events import Event
from .items import ContentPart, Item, ResponseInfo

__all__ = [
    "ResponseContentPartAdded",
    "ResponseContentPartDone",
    "ResponseCreated",
    "ResponseDone",
    "ResponseFunctionCallArgumentsDelta",
    "ResponseFunctionCallArgumentsDone",
    "ResponseMcpCallArgumentsDelta",
    "ResponseMcpCallArgumentsDone",
    "ResponseMcpCallCompleted",
    "ResponseMcpCallFailed",
    "ResponseMcpCallInProgress",
    "ResponseOutputAudioDelta",
    "ResponseOutputAudioDone",
    "ResponseOutputAudioTranscriptDelta",
    "ResponseOutputAudioTranscriptDone",
    "ResponseOutputItemAdded",
    "ResponseOutputItemDone",
    "ResponseOutputTextDelta",
    "ResponseOutputTextDone",
]


class ResponseCreated(Event, frozen=True, kw_only=True, tag="response.created"):
    """The model began to answer."""

    response: ResponseInfo


class ResponseDone(Event, frozen=True, kw_only=True, tag="response.done"):
    """The model's answer is over, whatever its outcome; audio may still be playing."""

    response: ResponseInfo


class ResponseOutputItemAdded(Event, frozen=True, kw_only=True, tag="response.output_item.added"):
    """A new item inside a response."""

    response_id: str
    output_index: int
    item: Item


class ResponseOutputItemDone(Event, frozen=True, kw_only=True, tag="response.output_item.done"):
    """An item of a response is final."""

    response_id: str
    output_index: int
    item: Item


class _Content(Event, frozen=True, kw_only=True):
    """Where in a response a piece of content belongs."""

    response_id: str
    item_id: str
    output_index: int
    content_index: int


class ResponseContentPartAdded(
    _Content, frozen=True, kw_only=True, tag="response.content_part.added"
):
    """A new part in the model's message: ``audio`` or ``text``."""

    part: ContentPart


class ResponseContentPartDone(
    _Content, frozen=True, kw_only=True, tag="response.content_part.done"
):
    """A part is final; an audio part shows its transcript."""

    part: ContentPart = ContentPart()


class ResponseOutputTextDelta(
    _Content, frozen=True, kw_only=True, tag="response.output_text.delta"
):
    """Some more text, where text was asked for in place of speech."""

    delta: str


class ResponseOutputTextDone(_Content, frozen=True, kw_only=True, tag="response.output_text.done"):
    """All the text of one part."""

    text: str


class ResponseOutputAudioDelta(
    _Content, frozen=True, kw_only=True, gc=False, tag="response.output_audio.delta"
):
    """A piece of speech, faster than real time; base64 on the wire, raw bytes here."""

    delta: bytes


class ResponseOutputAudioDone(
    _Content, frozen=True, kw_only=True, tag="response.output_audio.done"
):
    """No more speech will come for this part."""


class ResponseOutputAudioTranscriptDelta(
    _Content, frozen=True, kw_only=True, gc=False, tag="response.output_audio_transcript.delta"
):
    """Some more of what the model says, in text; runs ahead of what is heard."""

    delta: str


class ResponseOutputAudioTranscriptDone(
    _Content, frozen=True, kw_only=True, tag="response.output_audio_transcript.done"
):
    """All of what one part says, in text."""

    transcript: str


class ResponseFunctionCallArgumentsDelta(
    Event, frozen=True, kw_only=True, tag="response.function_call_arguments.delta"
):
    """Some more of a function call's arguments (JSON text)."""

    response_id: str
    item_id: str
    call_id: str
    delta: str
    output_index: int | None = None


class ResponseFunctionCallArgumentsDone(
    Event, frozen=True, kw_only=True, tag="response.function_call_arguments.done"
):
    """A function is to be called; the preview protocol leaves ``name`` out."""

    response_id: str
    item_id: str
    call_id: str
    arguments: str
    name: str = ""
    output_index: int | None = None


class ResponseMcpCallArgumentsDelta(
    Event, frozen=True, kw_only=True, tag="response.mcp_call_arguments.delta"
):
    """Some more of an MCP call's arguments."""

    response_id: str
    item_id: str
    output_index: int
    delta: str
    obfuscation: str | None = None


class ResponseMcpCallArgumentsDone(
    Event, frozen=True, kw_only=True, tag="response.mcp_call_arguments.done"
):
    """All of an MCP call's arguments."""

    response_id: str
    item_id: str
    output_index: int
    arguments: str


class ResponseMcpCallInProgress(
    Event, frozen=True, kw_only=True, tag="response.mcp_call.in_progress"
):
    """The service runs an MCP tool."""

    item_id: str
    output_index: int


class ResponseMcpCallCompleted(Event, frozen=True, kw_only=True, tag="response.mcp_call.completed"):
    """An MCP tool gave its result."""

    item_id: str
    output_index: int


class ResponseMcpCallFailed(Event, frozen=True, kw_only=True, tag="response.mcp_call.failed"):
    """An MCP tool failed; the reason is in its item."""

    item_id: str
    output_index: int

"""The parts realtime events are made of: items, responses, errors, limits.

They are read loosely: every field is optional, so that a dialect which leaves
one out, or a service newer than this gateway, still gives a usable event.
"""

from typing import Any

import msgspec

__all__ = [
    "ContentPart",
    "ErrorDetail",
    "Item",
    "RateLimit",
    "ResponseInfo",
    "Session",
    "StatusDetails",
]

# The effective session, exactly as the service says it: `id`, `expires_at`, `audio`, `tools`, ...
Session = dict[str, Any]


class _Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of what events carry: absent fields stay absent when written."""


class ContentPart(_Part, frozen=True, kw_only=True):
    """One piece of an item: ``audio``, ``text``, ``input_audio``, ``output_text`` and so on."""

    type: str = ""
    text: str | None = None
    audio: str | None = None
    transcript: str | None = None
    image_url: str | None = None
    detail: str | None = None
    format: Any = None


class Item(_Part, frozen=True, kw_only=True):
    """An entry of the conversation: a message, a function call, its output, an MCP step."""

    id: str | None = None
    object: str | None = None
    type: str = ""
    role: str | None = None
    status: str | None = None
    content: list[ContentPart] | None = None
    name: str | None = None
    arguments: str | None = None
    call_id: str | None = None
    output: Any = None
    server_label: str | None = None
    tools: list[Any] | None = None
    approval_request_id: str | None = None
    approve: bool | None = None
    reason: str | None = None
    error: Any = None

    @property
    def transcript(self) -> str:
        """Everything said or written in this item, joined by blanks."""
        pieces = (part.transcript or part.text for part in self.content or ())
        return " ".join(piece for piece in pieces if piece)


class ErrorDetail(_Part, frozen=True, kw_only=True):
    """What went wrong; ``event_id`` is that of the command at fault."""

    type: str = ""
    code: str | None = None
    message: str | None = ""
    param: str | None = None
    event_id: str | None = None


class StatusDetails(_Part, frozen=True, kw_only=True):
    """Why a response is not ``completed``."""

    type: str | None = None
    reason: str | None = None
    error: ErrorDetail | None = None


class ResponseInfo(_Part, frozen=True, kw_only=True):
    """A response as ``response.created`` and ``response.done`` show it."""

    id: str | None = None
    object: str | None = None
    status: str | None = None
    status_details: StatusDetails | str | None = None
    output: list[Item] | None = None
    conversation_id: str | None = None
    output_modalities: list[str] | None = None
    max_output_tokens: int | str | None = None
    audio: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None

    @property
    def reason(self) -> str | None:
        """Why it was cancelled or left incomplete: ``turn_detected``, ``client_cancelled``, ..."""
        details = self.status_details
        return details.reason if isinstance(details, StatusDetails) else details


class RateLimit(_Part, frozen=True, kw_only=True):
    """What is left of one quota: ``requests`` or ``tokens``."""

    name: str | None = None
    limit: int | None = None
    remaining: int | None = None
    reset_seconds: float | None = None

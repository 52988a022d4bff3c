"""What a fault of the service means for the call: nothing, try again, or give up.

There is no published list of error codes, so the tables hold those that were
seen in the field, and what they do not hold is benign: a caller is never hung
up for a code nobody knows.
"""

import ssl
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import msgspec

from ..errors import LinkError
from .items import ErrorDetail

__all__ = [
    "CLOSES",
    "FAULTS",
    "MESSAGES",
    "STATUSES",
    "TYPES",
    "Severity",
    "classify",
    "explain_certificate",
    "explain_close",
    "explain_status",
]

Severity: TypeAlias = Literal["benign", "retry", "terminal"]

# An error by its code.
FAULTS: Final[Mapping[str, Severity]] = {
    # Races between us and the service: what was asked for is so already.
    "response_cancel_not_active": "benign",
    "input_audio_buffer_commit_empty": "benign",
    "item_truncate_invalid_audio_end_ms": "benign",
    "item_truncate_invalid_item_id": "benign",
    "item_delete_invalid_item_id": "benign",
    "item_not_found": "benign",
    # Our mistake, or words newer or older than the service: the command is lost, not the call.
    "invalid_event": "benign",
    "invalid_value": "benign",
    "invalid_type": "benign",
    "unknown_parameter": "benign",
    "missing_required_parameter": "benign",
    "audio_unintelligible": "benign",
    "conversation_already_has_active_response": "retry",
    "inference_rate_limit_exceeded": "retry",
    "rate_limit_exceeded": "retry",
    "server_error": "retry",
    "session_expired": "terminal",
    "insufficient_quota": "terminal",
    "invalid_api_key": "terminal",
    "call_id_not_found": "terminal",
}

# Where the code says nothing: how the message begins.
MESSAGES: Final[Mapping[str, Severity]] = {
    "Cancellation failed": "benign",
    "Audio content of": "benign",
    "Error committing input audio buffer": "benign",
    "Conversation already has an active response": "retry",
    "Ephemeral token expired": "retry",  # each connection has a fresh one
    "Your session hit the maximum duration": "terminal",
    "Incorrect API key": "terminal",
}

# Where neither does: the type.
TYPES: Final[Mapping[str, Severity]] = {
    "invalid_request_error": "benign",
    "transcription_error": "benign",
    "server_error": "retry",
    "rate_limit_error": "retry",
    "authentication_error": "terminal",
}

# The HTTP answers that are worth another try, or not; others by their hundred.
STATUSES: Final[Mapping[int, Severity]] = {
    300: "terminal",  # our key goes nowhere else
    400: "terminal",
    408: "retry",
    409: "retry",
    425: "retry",
    429: "retry",
    500: "retry",
}

# The codes with which a connection is closed after which no other will go better.
CLOSES: Final[Mapping[int, Severity]] = {
    1002: "terminal",
    1003: "terminal",
    1007: "terminal",
    1008: "terminal",
    1009: "terminal",
    1010: "terminal",
}

_ANSWERS: Final = {
    401: "refuses the key",
    403: "forbids this",
    404: "knows no such address, deployment or call",
    429: "has no capacity for us now",
}
_ABOUT_US: Final = frozenset({401, 403})  # their texts may show part of the key
_LONGEST: Final = 200


class _Refusal(msgspec.Struct, frozen=True):
    error: ErrorDetail = ErrorDetail()


def classify(error: ErrorDetail) -> Severity:
    """Say whether an error is a harmless race, worth another try, or the end of the session."""
    if error.code is not None and error.code in FAULTS:
        return FAULTS[error.code]
    for start, severity in MESSAGES.items():
        if (error.message or "").startswith(start):
            return severity
    return TYPES.get(error.type, "benign")


def explain_status(status: int, body: bytes = b"", where: str = "the service") -> LinkError:
    """Return what an HTTP answer that is not the one hoped for means."""
    try:
        error = msgspec.json.decode(body, type=_Refusal).error
    except (ValueError, RecursionError):
        error = ErrorDetail()
    message = "" if status in _ABOUT_US else error.message
    said = " ".join(f"{error.code or ''} {message or ''}".split())[:_LONGEST]
    told = f"{status}{': ' if said else ''}{said}"
    reason = f"{where} {_ANSWERS[status]} ({told})" if status in _ANSWERS else None
    severity = STATUSES.get(status) or STATUSES.get(status // 100 * 100, "retry")
    retryable = severity != "terminal" and classify(error) != "terminal"
    return LinkError(reason or f"{where} answered {told}", retryable=retryable, status=status)


def explain_certificate(where: str, error: ssl.SSLCertVerificationError) -> LinkError:
    """Return what it means that the service does not prove who it is."""
    told = f"{where} shows a certificate we do not trust: {error.verify_message}"
    return LinkError(told, retryable=False)


def explain_close(code: int, reason: str) -> LinkError:
    """Return what the end of a connection means; 1006 stands for an end without a word.

    A session that reached its longest duration is gone, but another may begin.
    """
    told = f"the service closed the connection ({code}{': ' if reason else ''}{reason[:_LONGEST]})"
    return LinkError(told, retryable=CLOSES.get(code) != "terminal")

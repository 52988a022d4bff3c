"""What a fault of the service means for the call: nothing, try again, or give up.

There is no published list of error codes, so the table holds those that were
seen in the field, and what it does not hold is benign: a caller is never hung
up for a code nobody knows.
"""

import ssl
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from ..errors import LinkError
from .items import ErrorDetail

__all__ = [
    "FAULTS",
    "Severity",
    "classify",
    "explain_certificate",
    "explain_close",
    "explain_status",
]

Severity: TypeAlias = Literal["benign", "retry", "terminal"]

FAULTS: Final[Mapping[str, Severity]] = {
    "response_cancel_not_active": "benign",
    "input_audio_buffer_commit_empty": "benign",
    "item_truncate_invalid_audio_end_ms": "benign",
    "item_truncate_invalid_item_id": "benign",
    "item_delete_invalid_item_id": "benign",
    "item_not_found": "benign",
    "conversation_already_has_active_response": "retry",
    "inference_rate_limit_exceeded": "retry",
    "rate_limit_exceeded": "retry",
    "server_error": "retry",
    "session_expired": "terminal",
    "insufficient_quota": "terminal",
    "invalid_api_key": "terminal",
}

# Where no code came: how the message begins.
_MESSAGES: Final[Mapping[str, Severity]] = {
    "Cancellation failed": "benign",
    "Audio content of": "benign",
    "Error committing input audio buffer": "benign",
    "Conversation already has an active response": "retry",
    "Ephemeral token expired": "terminal",
}

_TERMINAL_STATUS: Final = frozenset({400, 401, 403, 404})
_TERMINAL_CLOSE: Final = frozenset({1002, 1003, 1007, 1008, 1009, 1010})


def classify(error: ErrorDetail) -> Severity:
    """Say whether an error is a harmless race, worth another try, or the end of the session."""
    if error.code is not None and error.code in FAULTS:
        return FAULTS[error.code]
    for start, severity in _MESSAGES.items():
        if (error.message or "").startswith(start):
            return severity
    return FAULTS.get(error.type, "benign")


def explain_status(status: int) -> LinkError:
    """Return what an HTTP answer other than 101 to the handshake means."""
    told = {
        401: "the service refuses the key (401)",
        403: "the service forbids this (403)",
        404: "the service knows no such address, deployment or call (404)",
        429: "the service has no capacity for us now (429)",
    }
    reason = told.get(status, f"the service answered {status} in place of a connection")
    return LinkError(reason, retryable=status not in _TERMINAL_STATUS, status=status)


def explain_certificate(where: str, error: ssl.SSLCertVerificationError) -> LinkError:
    """Return what it means that the service does not prove who it is."""
    told = f"{where} shows a certificate we do not trust: {error.verify_message}"
    return LinkError(told, retryable=False)


def explain_close(code: int, reason: str) -> LinkError:
    """Return what the end of a connection means; 1006 stands for an end without a word.

    A session that reached its longest duration is gone, but a new one may begin.
    """
    told = f"the service closed the connection ({code}{': ' if reason else ''}{reason})"
    return LinkError(told, retryable=code not in _TERMINAL_CLOSE)

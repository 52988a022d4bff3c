"""What every fault that was seen in the field means."""

import json

import pytest

from gateway.realtime.faults import (
    CLOSES,
    FAULTS,
    MESSAGES,
    STATUSES,
    TYPES,
    Severity,
    classify,
    explain_close,
    explain_status,
)
from gateway.realtime.items import ErrorDetail

# By code, as seen in the field; the tables must say the same, and nothing beside.
CODES: dict[str, Severity] = {
    "response_cancel_not_active": "benign",
    "input_audio_buffer_commit_empty": "benign",
    "item_truncate_invalid_audio_end_ms": "benign",
    "item_truncate_invalid_item_id": "benign",
    "item_delete_invalid_item_id": "benign",
    "item_not_found": "benign",
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
TOLD: dict[str, Severity] = {
    "Cancellation failed: no active response found": "benign",
    "Audio content of 1500ms is already shorter than 1800ms": "benign",
    "Error committing input audio buffer: buffer too small.": "benign",
    "Conversation already has an active response in progress: resp_1.": "retry",
    "Ephemeral token expired": "retry",
    "Your session hit the maximum duration of 60 minutes.": "terminal",
    "Incorrect API key provided: sk-1***. You can find your API key at …": "terminal",
}


@pytest.mark.parametrize(("code", "severity"), CODES.items())
def test_a_code_says_what_an_error_means(code: str, severity: Severity) -> None:
    assert classify(ErrorDetail(type="invalid_request_error", code=code)) == severity
    assert CODES.keys() == FAULTS.keys()


@pytest.mark.parametrize(("message", "severity"), TOLD.items())
def test_without_a_code_the_message_does(message: str, severity: Severity) -> None:
    assert classify(ErrorDetail(type="invalid_request_error", message=message)) == severity
    assert classify(ErrorDetail(code="never_seen", message=message)) == severity
    assert len(TOLD) == len(MESSAGES)


@pytest.mark.parametrize(
    ("kind", "severity"),
    [
        ("invalid_request_error", "benign"),
        ("transcription_error", "benign"),
        ("server_error", "retry"),
        ("rate_limit_error", "retry"),
        ("authentication_error", "terminal"),
        ("never_seen", "benign"),
        ("", "benign"),
    ],
)
def test_without_either_the_type_does(kind: str, severity: Severity) -> None:
    assert classify(ErrorDetail(type=kind, code="never_seen", message=None)) == severity
    assert kind in TYPES or severity == "benign"


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        (200, True), (302, False), (400, False), (401, False), (403, False), (404, False),
        (405, False), (408, True), (409, True), (410, False), (422, False), (425, True),
        (429, True), (500, True), (502, True), (503, True), (504, True),
    ],
)  # fmt: skip
def test_an_http_answer_says_whether_another_try_may_help(status: int, retryable: bool) -> None:
    fault = explain_status(status)
    assert (fault.retryable, fault.status) == (retryable, status)
    assert str(status) in str(fault)
    assert set(STATUSES.values()) == {"retry", "terminal"}


def test_the_code_in_an_answer_counts_more_than_its_status() -> None:
    body = json.dumps({"error": {"code": "insufficient_quota", "message": "no money left"}})
    fault = explain_status(429, body.encode(), "https://h/v1/realtime/calls")
    assert not fault.retryable
    told = "has no capacity for us now (429: insufficient_quota no money left)"
    assert str(fault) == f"https://h/v1/realtime/calls {told}"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"error":"no"}', b"[" * 9999])
def test_whatever_stands_in_an_answer_its_status_is_told(body: bytes) -> None:
    assert str(explain_status(503, body)) == "the service answered 503"


def test_no_key_and_no_novel_is_told_of_an_answer() -> None:
    error = {"code": "invalid_api_key", "message": "Incorrect API key provided: sk-secret"}
    assert "secret" not in str(explain_status(401, json.dumps({"error": error}).encode()))
    long = json.dumps({"error": {"message": "x" * 5000}}).encode()
    assert len(str(explain_status(500, long))) < 300


@pytest.mark.parametrize(
    ("code", "reason", "retryable"),
    [
        (1000, "", True),
        (1001, "Your session hit the maximum duration of 60 minutes.", True),
        (1001, "going away", True),
        (1006, "", True),
        (1011, "internal error", True),
        (1012, "", True),
        (1013, "try again later", True),
        *((code, "", False) for code in (1002, 1003, 1007, 1008, 1009, 1010)),
        (4000, "whatever", True),
    ],
)
def test_the_end_of_a_connection_says_whether_another_may_go_better(
    code: int, reason: str, retryable: bool
) -> None:
    fault = explain_close(code, reason)
    assert fault.retryable is retryable
    assert str(code) in str(fault)
    assert reason in str(fault)
    assert set(CLOSES.values()) == {"terminal"}

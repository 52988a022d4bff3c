"""Addresses, keys and headers for each kind of service."""

from typing import Any

import pytest
from pydantic import SecretStr

from gateway.config import RealtimeSettings
from gateway.realtime.credentials import Key
from gateway.realtime.endpoint import EMBEDDED_URL, Endpoint
from gateway.realtime.faults import FAULTS, classify, explain_close, explain_status
from gateway.realtime.items import ErrorDetail


def endpoint(provider: str, **fields: Any) -> Endpoint:
    return Endpoint.of(RealtimeSettings(provider=provider, **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("provider", "url", "model", "expected"),
    [
        ("openai", "", "", "wss://api.openai.com/v1/realtime?model=gpt-realtime"),
        ("openai", "https://eu.x.com/v1/", "m 1", "wss://eu.x.com/v1/realtime?model=m+1"),
        ("azure", "https://r.openai.azure.com", "d", "wss://r.openai.azure.com/openai/v1/realtime?model=d"),
        ("azure", "https://r.openai.azure.com/openai/v1/", "d", "wss://r.openai.azure.com/openai/v1/realtime?model=d"),
        ("azure", "wss://r.openai.azure.com/openai/v1/realtime", "d", "wss://r.openai.azure.com/openai/v1/realtime?model=d"),
        ("embedded", "", "", EMBEDDED_URL),
        ("custom", "ws://[::1]:9000", "", "ws://[::1]:9000/v1/realtime"),
        ("custom", "wss://h/v1/realtime?call_id=rtc_1", "m", "wss://h/v1/realtime?call_id=rtc_1"),
    ],
)  # fmt: skip
def test_each_provider_has_its_address(provider: str, url: str, model: str, expected: str) -> None:
    assert endpoint(provider, url=url, model=model).url == expected


async def test_each_provider_has_its_header() -> None:
    key = SecretStr("secret")
    bearer = {"Authorization": "Bearer secret"}
    azure = {"url": "https://r.azure.com", "model": "d", "api_key": key}
    assert await endpoint("azure", **azure).headers() == {"api-key": "secret"}
    assert await endpoint("azure", auth="bearer", **azure).headers() == bearer
    assert await endpoint("openai", api_key=key).headers() == bearer
    assert await endpoint("custom", url="wss://h", api_key=key).headers() == bearer
    assert await endpoint("embedded").headers() == {}


def test_the_key_is_never_shown() -> None:
    endpoint = Endpoint(
        "wss://user:pw@host:1/v1/realtime?api-key=az-secret", Key("az-secret", "api-key")
    )
    for shown in (repr(endpoint), str(endpoint), f"{endpoint}", repr(endpoint.credentials)):
        assert "secret" not in shown
        assert "pw" not in shown


@pytest.mark.parametrize(
    ("error", "severity"),
    [
        (ErrorDetail(code="response_cancel_not_active"), "benign"),
        (ErrorDetail(message="Cancellation failed: no active response found"), "benign"),
        (ErrorDetail(type="server_error"), "retry"),
        (ErrorDetail(code="insufficient_quota"), "terminal"),
        (ErrorDetail(code="never_heard_of", message=None), "benign"),
    ],
)
def test_errors_have_a_severity(error: ErrorDetail, severity: str) -> None:
    assert classify(error) == severity
    assert set(FAULTS.values()) == {"benign", "retry", "terminal"}


def test_a_refusal_says_whether_another_try_may_help() -> None:
    assert not explain_status(401).retryable
    assert not explain_status(404).retryable
    assert explain_status(429).retryable
    assert explain_status(503).retryable
    assert explain_close(1006, "").retryable
    assert explain_close(1001, "Your session hit the maximum duration of 60 minutes.").retryable
    assert not explain_close(1008, "policy").retryable

"""Addresses, keys and headers for each kind of service."""

import pytest

from gateway.errors import ConfigError
from gateway.realtime.endpoint import EMBEDDED_URL, Endpoint, is_loopback
from gateway.realtime.faults import FAULTS, classify, explain_close, explain_status
from gateway.realtime.items import ErrorDetail

KEYS = {"OPENAI_API_KEY": "sk-secret", "AZURE_OPENAI_API_KEY": "az-secret"}


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
    endpoint = Endpoint.from_settings(provider, url=url, model=model, environ=KEYS)
    assert endpoint.url == expected


def test_each_provider_has_its_header() -> None:
    openai = Endpoint.from_settings("openai", environ=KEYS)
    azure = Endpoint.from_settings("azure", url="https://r.azure.com", model="d", environ=KEYS)
    bare = Endpoint.from_settings("embedded", environ=KEYS)
    assert openai.headers == {"Authorization": "Bearer sk-secret"}
    assert azure.headers == {"api-key": "az-secret"}
    assert bare.headers == {}


def test_the_names_users_know_are_honoured() -> None:
    environ = {
        **KEYS,
        "AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com/",
        "AZURE_OPENAI_DEPLOYMENT": "mine",
        "OPENAI_BASE_URL": "http://127.0.0.1:1/v1",
        "MY_KEY": "mine",
    }
    azure = Endpoint.from_settings("azure", environ=environ, api_key_env="MY_KEY")
    assert azure.url == "wss://r.openai.azure.com/openai/v1/realtime?model=mine"
    assert azure.headers == {"api-key": "mine"}
    openai = Endpoint.from_settings("openai", environ=environ, api_key="given")
    assert openai.url == "ws://127.0.0.1:1/v1/realtime?model=gpt-realtime"
    assert openai.headers == {"Authorization": "Bearer given"}


@pytest.mark.parametrize(
    ("provider", "url", "environ", "what"),
    [
        ("openai", "", {}, "OPENAI_API_KEY is not set"),
        ("openai", "", {"OPENAI_API_KEY": "sk\n1"}, "odd characters"),
        ("azure", "", KEYS, "resource's address"),
        ("azure", "https://r.x/openai/realtime?api-version=1", KEYS, "api-version"),
        ("azure", "https://r.x", KEYS, "deployment"),
        ("custom", "", KEYS, "realtime.url"),
        ("custom", "ws://example.org/v1/realtime", KEYS, "wss://"),
        ("custom", "example.org", KEYS, "not an address"),
        ("custom", "wss://h:99999/", KEYS, "not an address"),
        ("bell", "", KEYS, "realtime.provider"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(
    provider: str, url: str, environ: dict[str, str], what: str
) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        Endpoint.from_settings(provider, url=url, environ=environ)
    assert "\n" not in str(caught.value)


def test_the_key_is_never_shown() -> None:
    endpoint = Endpoint(
        "wss://user:pw@host:1/v1/realtime?api-key=az-secret", {"api-key": "az-secret"}
    )
    for shown in (repr(endpoint), str(endpoint), f"{endpoint}"):
        assert "secret" not in shown
        assert "pw" not in shown


def test_loopback_is_told_from_the_rest() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.9", "::1")))
    assert not any(map(is_loopback, ("127.example.org", "10.0.0.1", "")))


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

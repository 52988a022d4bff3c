"""Addresses and headers for each kind of service."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import SecretStr

from gateway.config import RealtimeSettings
from gateway.errors import LinkError
from gateway.realtime.credentials import Key
from gateway.realtime.dialect import GA, PREVIEW
from gateway.realtime.endpoint import EMBEDDED_URL, Endpoint


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
    ("fields", "expected"),
    [
        (
            {
                "provider": "azure",
                "url": "https://r.openai.azure.com",
                "model": "d 1",
                "api_version": "2025-04-01-preview",
            },
            "wss://r.openai.azure.com/openai/realtime?api-version=2025-04-01-preview&deployment=d+1",
        ),
        (
            {
                "provider": "azure",
                "url": "wss://r.openai.azure.com/openai/v1/realtime",
                "model": "d",
                "api_version": "2024-10-01-preview",
            },
            "wss://r.openai.azure.com/openai/realtime?api-version=2024-10-01-preview&deployment=d",
        ),
        ({"provider": "openai", "model": "m"}, "wss://api.openai.com/v1/realtime?model=m"),
    ],
)
async def test_the_preview_has_addresses_and_a_header_of_its_own(
    fields: dict[str, Any], expected: str
) -> None:
    found = endpoint(protocol="preview", **fields)
    assert (found.url, found.dialect) == (expected, PREVIEW)
    assert (await found.headers())["OpenAI-Beta"] == "realtime=v1"
    assert endpoint("openai").dialect is GA


@pytest.mark.parametrize(
    ("provider", "url", "model", "calls", "live"),
    [
        (
            "openai", "", "m",
            "https://api.openai.com/v1/realtime/calls/rtc%2F1/accept",
            "https://api.openai.com/v1/live/sessions/rtc%2F1/accept",
        ),
        (
            "azure", "https://r.azure.com", "d",
            "https://r.azure.com/openai/v1/realtime/calls/rtc%2F1/accept",
            "https://r.azure.com/openai/v1/live/sessions/rtc%2F1/accept",
        ),
        (
            "custom", "ws://127.0.0.1:9/v1/realtime?tenant=7&model=m", "",
            "http://127.0.0.1:9/v1/realtime/calls/rtc%2F1/accept?tenant=7",
            "http://127.0.0.1:9/v1/live/sessions/rtc%2F1/accept?tenant=7",
        ),
    ],
)  # fmt: skip
def test_requests_go_beside_the_socket(
    provider: str, url: str, model: str, calls: str, live: str
) -> None:
    found = endpoint(provider, url=url, model=model)
    assert found.rest("calls", "rtc/1", "accept") == calls
    assert found.live("rtc/1", "accept") == live
    assert found.model == (model or "m")


def test_a_call_the_service_holds_is_watched_by_its_name_alone() -> None:
    found = endpoint("custom", url="wss://h/v1/realtime?model=m&intent=transcription&tenant=7")
    assert found.for_call("rtc 1").url == "wss://h/v1/realtime?tenant=7&call_id=rtc+1"
    assert found.for_call("l1", "live").url == "wss://h/v1/live/sessions/l1/attach"


@pytest.mark.parametrize(
    ("fields", "takes_forms"),
    [
        ({"provider": "openai"}, True),
        ({"provider": "azure", "url": "https://r.openai.azure.com", "model": "d"}, False),
        ({"provider": "custom", "url": "wss://r.openai.azure.com/openai/v1/realtime"}, False),
        ({"provider": "custom", "url": "wss://azure.com.example/v1/realtime"}, True),
    ],
)
def test_azure_takes_no_key_with_an_offer(fields: dict[str, Any], takes_forms: bool) -> None:
    assert endpoint(**fields).takes_forms is takes_forms


class Passes:
    """Credentials of which each is good until it is refused."""

    def __init__(self, *passes: str) -> None:
        self.passes = list(passes)

    async def headers(self) -> dict[str, str]:
        return {"Authorization": self.passes[0]}

    def refused(self) -> None:
        if len(self.passes) > 1:
            del self.passes[0]


async def refuse_all_but(good: str, headers: Mapping[str, str]) -> str:
    if headers["Authorization"] != good:
        raise LinkError("refused", status=401)
    return good


async def test_a_token_that_is_refused_is_replaced_once() -> None:
    admit = Endpoint("wss://h/", Passes("old", "new")).admit
    assert await admit(lambda headers: refuse_all_but("new", headers)) == "new"
    with pytest.raises(LinkError):
        await Endpoint("wss://h/", Passes("old", "older", "new")).admit(
            lambda headers: refuse_all_but("new", headers)
        )


async def test_a_key_that_is_refused_is_not_tried_again() -> None:
    tried: list[str] = []

    async def refuse(headers: Mapping[str, str]) -> None:
        tried.append(headers["Authorization"])
        raise LinkError("refused", status=401)

    with pytest.raises(LinkError):
        await Endpoint("wss://h/", Key("k")).admit(refuse)
    assert tried == ["Bearer k"]

"""Keys and tokens: asked for at each connection, fresh when they must be, and never shown."""

import asyncio
import sys
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from gateway.config import RealtimeSettings
from gateway.errors import ConfigError, LinkError
from gateway.realtime.credentials import NOBODY, EntraToken, Key, credentials_of


class Entra:
    """Gives a token an hour long for each time it is asked."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0
        self.fault: Exception | None = None
        self.token = EntraToken(self.fetch, clock=lambda: self.now)

    async def fetch(self) -> tuple[str, float]:
        await asyncio.sleep(0)
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        return f"token{self.asked}", self.now + 3600

    async def header(self) -> str:
        return (await self.token.headers())["Authorization"]


@pytest.fixture
def entra() -> Entra:
    return Entra()


async def test_a_key_is_sent_as_its_service_wants_it() -> None:
    assert await Key("k").headers() == {"Authorization": "Bearer k"}
    assert await Key("k", "api-key").headers() == {"api-key": "k"}
    assert await NOBODY.headers() == {}


async def test_a_token_serves_until_five_minutes_before_its_end(entra: Entra) -> None:
    assert await entra.header() == "Bearer token1"
    entra.now = 3299.0
    assert await entra.header() == "Bearer token1"
    entra.now = 3300.0
    assert await entra.header() == "Bearer token2"


async def test_many_connections_at_once_ask_for_one_token(entra: Entra) -> None:
    headers = await asyncio.gather(*(entra.header() for _ in range(20)))
    assert set(headers) == {"Bearer token1"}
    assert entra.asked == 1


async def test_a_refused_token_is_not_shown_again(entra: Entra) -> None:
    await entra.header()
    entra.token.refused()
    assert await entra.header() == "Bearer token2"


async def test_while_entra_is_away_the_token_at_hand_serves_to_its_end(entra: Entra) -> None:
    await entra.header()
    entra.fault = OSError("no route")
    entra.now = 3599.0
    assert await entra.header() == "Bearer token1"
    entra.now = 3600.0
    with pytest.raises(LinkError, match="Entra gave no token: no route") as away:
        await entra.header()
    assert away.value.retryable
    entra.fault = None
    assert await entra.header() == "Bearer token4"


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (RuntimeError("first line\nsecond line"), "first line"),
        (RuntimeError(""), "RuntimeError"),
        (RuntimeError("x" * 999), "x" * 200),
    ],
)
async def test_why_there_is_no_token_is_told_in_a_line(
    entra: Entra, fault: Exception, told: str
) -> None:
    entra.fault = fault
    with pytest.raises(LinkError) as away:
        await entra.header()
    assert str(away.value) == f"Microsoft Entra gave no token: {told}"


def test_no_secret_is_in_any_repr(entra: Entra) -> None:
    asyncio.run(entra.header())
    assert "token1" not in repr(entra.token)
    assert "sk-1" not in repr(Key("sk-1"))


@pytest.mark.parametrize(
    ("provider", "auth", "expected"),
    [
        ("openai", "key", Key("k")),
        ("azure", "key", Key("k", "api-key")),
        ("azure", "bearer", Key("k")),
        ("custom", "bearer", Key("k")),
    ],
)
def test_the_settings_say_which_it_is(provider: str, auth: str, expected: Key) -> None:
    settings = RealtimeSettings(
        provider=provider,  # type: ignore[arg-type]
        auth=auth,  # type: ignore[arg-type]
        url="https://r.azure.com",
        model="d",
        api_key=SecretStr("k"),
    )
    assert credentials_of(settings) == expected


def test_without_the_package_for_entra_it_is_said_how_to_get_it(
    hide: Callable[[str], None],
) -> None:
    hide("azure")
    settings = RealtimeSettings(provider="azure", auth="entra", url="https://r.com", model="d")
    with pytest.raises(ConfigError, match=r'pip install "voice-gateway\[azure\]"'):
        credentials_of(settings)


@pytest.fixture
def hide(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have a package not be installed."""

    def hide(package: str) -> None:
        for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)

    return hide


@pytest.mark.parametrize("written", ["sk-1\n", "\r\n sk-1 ", "sk-1\t"])
def test_the_line_end_of_a_file_is_no_part_of_the_key_in_it(written: str) -> None:
    settings = RealtimeSettings(provider="openai", api_key=SecretStr(written))
    assert credentials_of(settings) == Key("sk-1")


@pytest.mark.parametrize("key", ["sk-1\r\nX-Evil: 1", "sk\0"])
def test_a_key_that_would_be_more_than_a_header_is_refused_and_not_shown(key: str) -> None:
    settings = RealtimeSettings(provider="openai", api_key=SecretStr(key))
    with pytest.raises(ConfigError) as refused:
        credentials_of(settings)
    assert "sk" not in str(refused.value)

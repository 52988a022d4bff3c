"""Webhooks and tools in the configuration: reachable, signed by the environment, told nowhere."""

import pytest

from gateway.config import Settings, load
from gateway.errors import ConfigError

HOOK = '[webhooks.crm]\nurl = "https://crm.example/calls"\n'
TOOL = '[tools.weather]\ndescription = "The weather"\n'
SECRET = "whsec_dGhlIHNlY3JldCBvZiB0aGUgdGVzdHM="


def loaded(text: str, **env: str) -> Settings:
    return load(env={"GATEWAY_CONFIG_BODY": text, **env})


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ('[webhooks.a]\nurl = "crm.example"', "webhooks.a.url", "write https://HOST/PATH"),
        ('[webhooks.a]\nurl = ""', "webhooks.a.url", "write https://HOST/PATH"),
        ('[webhooks.a]\nurl = "ftp://crm.example"', "webhooks.a.url", "write https://HOST/PATH"),
        ('[webhooks.a]\nurl = "https://"', "webhooks.a.url", "write https://HOST/PATH"),
        ('[webhooks.a]\nurl = "https://crm.example:x/"', "webhooks.a.url", "write https://HOST"),
        ('[webhooks.a]\nurl = "https://crm.example/a b"', "webhooks.a.url", "write https://HOST"),
        ('[webhooks.a]\nurl = "http://crm.example/"', "webhooks.a.url", "in clear"),
        ('[webhooks.a]\nurl = "https://me:pw@crm.example/"', "webhooks.a.url", "use secret_env"),
        ("[webhooks.a]\nretries = 1", "webhooks.a.url", "is missing"),
        (f'{HOOK}secret = "s"', "webhooks.crm.secret", "variable in secret_env"),
        (f'{TOOL}url = "https://x.example"\nsecret = "s"', "tools.weather.secret", "secret_env"),
        (f'{TOOL}url = "http://192.0.2.1/"', "tools.weather.url", "in clear"),
        (f'{TOOL}entry = "shop.weather"', "tools.weather.entry", "package.module:function"),
        (f'{TOOL}entry = "shop:1"', "tools.weather.entry", "package.module:function"),
        (f'{TOOL}entry = "shop:f"\nsecret_env = "K"', "tools.weather", "remove secret_env"),
    ],
)
def test_what_cannot_be_posted_to_or_signed_is_refused_with_its_place(
    text: str, where: str, said: str
) -> None:
    with pytest.raises(ConfigError) as refusal:
        loaded(text, K=SECRET)
    message = str(refusal.value)
    assert message.startswith("GATEWAY_CONFIG_BODY:")
    assert f" {where}: " in message
    assert said in message
    assert "\n" not in message
    assert "pw" not in message


@pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost", "[::1]:9"])
def test_this_machine_may_be_told_in_clear(host: str) -> None:
    settings = loaded(f'[webhooks.a]\nurl = "http://{host}/"')
    assert settings.webhooks["a"].url == f"http://{host}/"


@pytest.mark.parametrize("table", [HOOK, f'{TOOL}url = "https://x.example/"\n'])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "the environment has no SIGNING"),
        ("", "the environment has no SIGNING"),
        ("two words", "SIGNING holds blanks"),
        ("whsec_%%%", "SIGNING holds no base64"),
    ],
)
def test_a_secret_that_is_not_there_or_none_is_refused_and_not_shown(
    table: str, value: str | None, said: str
) -> None:
    env = {} if value is None else {"SIGNING": value}
    with pytest.raises(ConfigError) as refusal:
        loaded(f'{table}secret_env = "SIGNING"', **env)
    message = str(refusal.value)
    assert ".secret_env: " in message
    assert said in message
    assert not value or value not in message


@pytest.mark.parametrize("kind", ["webhooks", "tools"])
def test_the_secret_comes_from_the_environment_and_is_shown_nowhere(kind: str) -> None:
    text = f'{HOOK}secret_env = "S"\n{TOOL}url = "https://x.example/"\nsecret_env = "S"'
    settings = loaded(text, S=SECRET)
    one = settings.webhooks["crm"] if kind == "webhooks" else settings.tools["weather"]
    assert one.secret is not None
    assert one.secret.get_secret_value() == SECRET
    assert SECRET[6:] not in f"{settings!r} {one!r} {settings.model_dump()}"
    assert "secret" not in one.model_dump()

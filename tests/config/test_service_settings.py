"""What the settings of the speech service may be, and what is said of those that may not."""

import pytest

from gateway.config import Settings, load
from gateway.errors import ConfigError

AZURE = 'provider = "azure"\nurl = "https://r.openai.azure.com"\nmodel = "m"\n'
CRM = 'tools = [{{ type = "mcp", server_url = "https://crm.example", {} = "CRM_KEY" }}]'
KEY = {"AZURE_OPENAI_API_KEY": "k", "OPENAI_API_KEY": "k"}


def loaded(text: str, **env: str) -> Settings:
    return load(env={"GATEWAY_CONFIG_BODY": text, **KEY, **env})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[realtime]\nprovider = "openai"\nauth = "entra"', "azure"),
        (f'[realtime]\n{AZURE}protocol = "preview"', "api_version"),
        (f'[realtime]\n{AZURE}api_version = "2025-04-01-preview"', "preview"),
        ('[realtime]\nprovider = "openai"\napi_version = "x"', "azure"),
        ('[realtime]\nprovider = "openai"\nprotocol = "preview"\nlink = "webrtc"', "websocket"),
        ('[realtime]\nlink = "carrier pigeon"', "sideband"),
        ('[realtime]\nlink = "sideband"', "OPENAI_WEBHOOK_SECRET"),
        ('[realtime]\nlink = "sideband"\nwebhook_secret_env = "MINE"', "MINE"),
        ('[realtime]\nwebhook_secret = "whsec_abc"', "secrets stay out of files"),
        ('[fallback]\nkeys = { "12" = ["hangup"] }', "'12' is no key"),
        ('[fallback]\nkeys = { "1" = [] }', "key 1 does nothing"),
        ('[fallback]\nkeys = { "1" = ["jump"] }', "unknown action 'jump'"),
        ('[mcp]\napprove = ["crm"]', "'crm/*'"),
        ("[call]\nmax_cost = 2.5", "[prices]"),
        ('[session]\ntools = [{ type = "mcp", server_label = "crm" }]', "server_url"),
        (f"[session]\n{CRM.format('authorization')}", "secrets stay out of files"),
        (f"[session]\n{CRM.format('authorization_env')}", "no CRM_KEY"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        loaded(text)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_secret_of_webhooks_comes_from_the_environment_and_is_never_shown() -> None:
    settings = loaded('[realtime]\nlink = "sideband"', OPENAI_WEBHOOK_SECRET="whsec_c2VjcmV0")
    secret = settings.realtime.webhook_secret
    assert secret is not None
    assert secret.get_secret_value() == "whsec_c2VjcmV0"
    assert "whsec" not in repr(settings)
    assert "webhook_secret" not in settings.realtime.model_dump()


def test_the_key_of_an_mcp_server_comes_from_the_environment() -> None:
    settings = loaded(f"[session]\n{CRM.format('authorization_env')}", CRM_KEY="s3cret")
    (tool,) = settings.session["tools"]
    assert tool == {"type": "mcp", "server_url": "https://crm.example", "authorization": "s3cret"}


def test_entra_needs_no_key() -> None:
    text = f'[realtime]\n{AZURE}auth = "entra"'
    settings = load(env={"GATEWAY_CONFIG_BODY": text})
    assert settings.realtime.api_key is None


def test_the_preview_protocol_is_chosen_by_the_file() -> None:
    version = "2025-04-01-preview"
    settings = loaded(f'[realtime]\n{AZURE}protocol = "preview"\napi_version = "{version}"')
    assert settings.realtime.protocol == "preview"
    assert settings.realtime.api_version == version

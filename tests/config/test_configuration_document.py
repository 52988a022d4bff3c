"""The document names every setting there is."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from gateway.config import Rule, Settings
from gateway.config.flows import (
    CollectSettings,
    CustomTool,
    MenuSettings,
    Profile,
    Target,
    WebhookSettings,
)
from gateway.config.sip import NumberSettings, TlsSettings, TrunkSettings
from gateway.config.web import IceServer, TokenSettings

SECRETS = (
    "api_key",
    "webhook_secret",
    "secret",
    "token",
    "password",
    "signing_key",
    "credential",
    "database_secret",
)  # they have no key in the file
NAMED: list[tuple[str, type[BaseModel]]] = [
    ("sip.tls", TlsSettings),
    ("trunks", TrunkSettings),
    ("trunks.numbers", NumberSettings),
    ("rules", Rule),
    ("targets", Target),
    ("menus", MenuSettings),
    ("collects", CollectSettings),
    ("tools", CustomTool),
    ("webhooks", WebhookSettings),
    ("profiles", Profile),
    ("http.tokens", TokenSettings),
    ("webrtc.ice_servers", IceServer),
]
TEXT = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()


def sections() -> list[tuple[str, type[BaseModel]]]:
    named = list(NAMED)
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, BaseModel):
            named.append((name, type(field.default)))
    return named


@pytest.mark.parametrize("section", Settings.model_fields)
def test_every_table_is_described(section: str) -> None:
    assert f"[{section}]" in TEXT or f"[{section}.NAME]" in TEXT


@pytest.mark.parametrize(
    ("section", "key"),
    [
        (name, field.alias or key)
        for name, model in sections()
        for key, field in model.model_fields.items()
        if key not in SECRETS
    ],
)
def test_every_key_is_described(section: str, key: str) -> None:
    rows = [line.split("|")[1] for line in TEXT.splitlines() if line.startswith("| `")]
    assert any(f"`{key}`" in row or f"`{section}.{key}`" in row for row in rows)

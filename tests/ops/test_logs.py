"""No secret is ever written to the log."""

import pytest

from gateway.ops.logs import redact


@pytest.mark.parametrize("name", ["api_key", "Authorization", "client_secret", "password", "token"])
def test_values_named_like_secrets_are_hidden(name: str) -> None:
    assert redact(None, "info", {name: "hunter2"})[name] == "•••"


@pytest.mark.parametrize(
    "text",
    ["Authorization: Bearer abcdef123456", "sk-proj-abcdef123456", "wss://h/?api-key=abcdef123456"],
)
def test_texts_shaped_like_keys_are_hidden(text: str) -> None:
    assert "abcdef123456" not in redact(None, "info", {"event": text})["event"]


def test_ordinary_words_are_left_alone() -> None:
    event = {"event": "call answered", "keys_pressed": 3, "caller": "sip:ann@pbx.example"}
    assert redact(None, "info", dict(event)) == event

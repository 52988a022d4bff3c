"""What is said of who may see and do what over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.cli.access_check import look_at_access
from gateway.config import Settings, load
from gateway.errors import ConfigError


def access(**http: Any) -> list[tuple[str, bool, bool]]:
    found = look_at_access(Settings.model_validate({"http": http}))
    return [(finding.detail, finding.is_good, finding.is_warning) for finding in found]


def token(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "role": "viewer", "token_env": "T", "token": "t", **more}


def test_where_nobody_has_a_token_it_is_said_what_others_see() -> None:
    ((detail, is_good, _),) = access(bind="0.0.0.0:8080")
    assert is_good
    assert "health and the pages alone" in detail
    assert "http.token_env" in detail
    ((detail, _, is_warning),) = access(bind="[::1]:8080")
    assert "this machine may look" in detail
    assert "behind any proxy" in detail
    assert is_warning
    ((detail, _, is_warning),) = access(bind="[::1]:8080", trusted_proxies=["::1"])
    assert "health and the pages alone" in detail
    assert not is_warning


def test_tokens_are_counted_and_no_listener_lets_nobody_in() -> None:
    assert "for 1 token" in access(token="t")[0][0]
    assert "for 2 tokens" in access(token="t", tokens=[token("wall")])[0][0]
    assert "http.signing_key_env" in access(signing_key="k" * 32)[0][0]
    assert access(bind="") == []


def test_a_token_that_ends_is_told_of_in_time() -> None:
    now = datetime.now(UTC)
    found = access(
        tokens=[
            token("old", expires=now - timedelta(days=1)),
            token("late", expires=now + timedelta(days=3)),
            token("good", expires=(now + timedelta(days=300)).replace(tzinfo=None)),
            token("ever"),
        ]
    )
    assert [(is_good, is_late) for _, is_good, is_late in found[1:]] == [
        (False, False), (True, True), (True, False),
    ]  # fmt: skip


def test_a_token_that_could_be_guessed_opens_nothing(tmp_path: Any) -> None:
    path = tmp_path / "gateway.toml"
    for table, where in (
        ('[http]\ntoken_env = "T"\n', "http.token_env"),
        (
            '[[http.tokens]]\nname = "a"\nrole = "viewer"\ntoken_env = "T"\n',
            r"http.tokens\[0\].token_env",
        ),
    ):
        path.write_text(table)
        with pytest.raises(ConfigError, match=rf"{where}.*16 characters.*openssl rand"):
            load(path, {"T": "x" * 15})
        load(path, {"T": "x" * 16})
        load(path, {}, needs_secrets=False)


def test_a_key_that_could_be_guessed_signs_nothing(tmp_path: Any) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text('[http]\nsigning_key_env = "SIGN"\n')
    with pytest.raises(ConfigError, match=r"SIGN.*32 characters"):
        load(path, {"SIGN": "short"})
    assert load(path, {"SIGN": "k" * 32}).http.signing_key is not None
    assert load(path, {}, needs_secrets=False).http.signing_key is not None

"""Whom a token belongs to: configured, signed by the gateway, forged, cut short, expired."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Settings
from gateway.http import Keyring, Role, configured_tokens
from gateway.http.keyring import ConfiguredToken
from gateway.http.operation import Visitor

ADMIN = Visitor("admin", Role.ADMIN)
KEY = b"a key that is long enough"


def keyring(key: bytes = KEY) -> Keyring:
    return Keyring([ConfiguredToken("s3cret", ADMIN)], key)


def test_a_configured_token_is_its_holder_s_and_no_other_s() -> None:
    assert keyring().visitor("s3cret", 0.0) == ADMIN
    for other in ("", "s3cre", "s3cret ", "S3CRET", "s3cretx", "s3cret\x00", "\udcff", "é" * 10):
        assert keyring().visitor(other, 0.0) is None


def test_a_token_that_was_signed_says_who_may_do_what_and_for_how_long() -> None:
    token = keyring().make("Ann <b>", Role.SUPERVISOR, 1000)
    assert keyring().visitor(token, 0.0) == Visitor("Ann <b>", Role.SUPERVISOR, 1000)
    assert keyring(b"another key").visitor(token, 0.0) is None


def test_a_token_cut_short_or_changed_anywhere_is_nobody_s() -> None:
    token = keyring().make("ann", Role.CALLER, 1000)
    for end in range(len(token)):
        assert keyring().visitor(token[:end], 0.0) is None
    for place in range(len(token)):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert keyring().visitor(changed, 0.0) is None


def test_nobody_makes_themselves_an_admin() -> None:
    prefix, claims, signature = keyring().make("ann", Role.CALLER, 1000).split(".")
    told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    told["role"] = "admin"
    forged = base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()
    for token in (
        f"{prefix}.{forged}.{signature}",
        f"{prefix}.{forged}.",
        f"{prefix}.{forged}",
        f"none.{forged}.{signature}",
    ):
        assert keyring().visitor(token, 0.0) is None


@given(st.text(max_size=2000))
def test_whatever_is_shown_is_nobody_s(token: str) -> None:
    assert keyring().visitor(token, 0.0) is None


def test_the_configuration_s_tokens_have_the_names_roles_and_ends_it_gives_them() -> None:
    rows = [
        {"name": "wall", "role": "viewer", "expires": "2027-01-01T00:00:00"},
        {"name": "desk", "role": "supervisor"},
    ]
    rows = [{**row, "token_env": "T", "token": row["name"]} for row in rows]
    http = Settings.model_validate({"http": {"token": "a", "tokens": rows}}).http
    found = {one.token: one.visitor for one in configured_tokens(http)}
    ends = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    assert found["a"] == ADMIN
    assert found["wall"] == Visitor("wall", Role.VIEWER, ends)
    assert found["desk"] == Visitor("desk", Role.SUPERVISOR, None)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.NOBODY])
def test_each_role_can_be_given(role: Role) -> None:
    found = keyring().visitor(keyring().make("x", role, 1), 0.0)
    assert found is not None
    assert found.role is role

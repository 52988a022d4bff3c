"""What reception says to those who must show a password, and to those who are too many."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.app import Gateway
from gateway.clock import CountedIds
from gateway.config import Settings
from gateway.sip.admission import Verdict
from gateway.sip.credentials.account import Account, Tries
from gateway.sip.flow import Flow
from gateway.sip.wire.message import Headers, Request, Response

ROWS: list[dict[str, Any]] = [
    {"name": "slow", "hosts": ["192.0.2.7"], "calls_per_second": 1},
    {
        "name": "bob", "authenticate": "digest", "users": ["support"],
        "username": "bob", "password_env": "B", "password": "sesame",
    },
]  # fmt: skip


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with asyncio.Runner() as runner:

        async def make() -> Gateway:
            tables: dict[str, Any] = {
                "sip": {"bind": ["udp:127.0.0.1:0"]},
                "http": {"bind": ""},
                "trunks": ROWS,
            }
            return Gateway(Settings.model_validate(tables))

        gateway = runner.run(make())
        yield gateway
        runner.run(gateway.close())


def ask(gateway: Gateway, host: str, user: str, account: Account | None = None) -> Verdict:
    lines = (
        ("CSeq", "1 INVITE"),
        ("Call-ID", "1@pbx"),
        ("From", "<sip:ann@pbx>;tag=1"),
        ("To", f"<sip:{user}@gw>"),
    )
    asked = Request("INVITE", f"sip:{user}@gw", Headers(*lines))
    if account is not None:
        account.authorize(asked, CountedIds("c"))
    return gateway.reception.accepts(asked, Flow("udp", ("127.0.0.1", 5060), (host, 5060)))


def test_a_stranger_is_asked_for_a_password_and_let_in_with_it(gateway: Gateway) -> None:
    account = Account("bob", "sesame")
    asked = ask(gateway, "198.51.100.1", "support")
    assert (asked.status, asked.headers[0][0]) == (401, "WWW-Authenticate")
    account.learn(Response(401, headers=Headers(*asked.headers)), Tries())
    verdict = ask(gateway, "198.51.100.1", "support", account)
    assert (verdict.status, verdict.policy.trunk) == (200, "bob")
    assert ask(gateway, "198.51.100.1", "sales", account).status == 404


def test_calls_beyond_the_pace_are_told_when_to_come_again(gateway: Gateway) -> None:
    assert ask(gateway, "192.0.2.7", "demo").policy.trunk == "slow"
    refused = ask(gateway, "192.0.2.7", "demo")
    assert (refused.status, refused.headers) == (503, (("Retry-After", "5"),))

"""Who may call, whom they may reach, and where they are told to send their voice."""

import asyncio
from collections.abc import Iterator

import pytest

from gateway.app import Gateway
from gateway.config import load
from gateway.sip.flow import Flow
from gateway.sip.message import Request, parse

INVITE = (
    b"%(method)s sip:%(user)s@gw.example SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1;rport\r\n"
    b"From: <sip:ann@pbx.example>;tag=1\r\nTo: <sip:%(user)s@gw.example>\r\n"
    b"Call-ID: 1@pbx.example\r\nCSeq: 1 %(method)s\r\nContact: <sip:ann@192.0.2.7>\r\n"
    b"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)
CONFIG = """
[sip]
bind = ["udp:127.0.0.1:0"]
[[trunks]]
name = "pbx"
hosts = ["192.0.2.0/24"]
users = ["+1555*", "support"]
[http]
bind = ""
"""


def request(user: bytes, method: bytes = b"INVITE") -> Request:
    message = parse(INVITE % {b"user": user, b"method": method})
    assert isinstance(message, Request)
    return message


def flow(host: str) -> Flow:
    return Flow("udp", ("127.0.0.1", 5060), (host, 5060))


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with asyncio.Runner() as runner:

        async def make() -> Gateway:
            return Gateway(load(None, {"GATEWAY_CONFIG_BODY": CONFIG}))

        gateway = runner.run(make())
        yield gateway
        runner.run(gateway.close())


@pytest.mark.parametrize(
    ("host", "user", "status"),
    [
        ("192.0.2.7", b"+15550100", 200),
        ("192.0.2.7", b"support", 200),
        ("192.0.2.7", b"sales", 404),
        ("198.51.100.1", b"support", 403),
    ],
)
def test_only_trunks_may_call_and_only_known_users(
    gateway: Gateway, host: str, user: bytes, status: int
) -> None:
    assert gateway.reception.accepts(request(user), flow(host)).status == status


def test_a_stranger_is_not_even_told_our_health(gateway: Gateway) -> None:
    asked = request(b"anyone", b"OPTIONS")
    assert gateway.reception.accepts(asked, flow("198.51.100.1")).status == 403

"""Who may call, whom they may reach, and where they are told to send their voice."""

import asyncio
from collections.abc import Iterator
from typing import Any, NoReturn, cast

import pytest

from gateway.app import Gateway
from gateway.config import load
from gateway.errors import CapacityError
from gateway.media.engine import MediaEngine
from gateway.sip.flow import Flow
from gateway.sip.transport.endpoint import SipEndpoint
from gateway.sip.wire.message import Request, parse
from gateway.testing.sip import VirtualNetwork

INVITE = (
    b"%(method)s sip:%(user)s@gw.example SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1;rport\r\n"
    b"From: <sip:ann@pbx.example>;tag=1\r\nTo: <sip:%(to)s@gw.example>\r\n"
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
username = "account"
[trunks.numbers]
country = "1"
international_prefix = "011"
national_prefix = "1"
[http]
bind = ""
"""


def request(user: bytes, method: bytes = b"INVITE", to: bytes = b"") -> Request:
    message = parse(INVITE % {b"user": user, b"method": method, b"to": to or user})
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


@pytest.mark.parametrize(
    ("user", "to", "status"),
    [
        (b"15550100999", b"15550100999", 200),
        (b"0115550100999", b"support", 404),
        (b"support", b"sales", 200),
        (b"account", b"+15550100999", 200),
        (b"account", b"sales", 404),
    ],
)
def test_patterns_are_of_the_number_called_as_the_world_writes_it(
    gateway: Gateway, user: bytes, to: bytes, status: int
) -> None:
    verdict = gateway.reception.accepts(request(user, to=to), flow("192.0.2.7"))
    assert verdict.status == status


def test_a_stranger_is_not_even_told_our_health(gateway: Gateway) -> None:
    asked = request(b"anyone", b"OPTIONS")
    assert gateway.reception.accepts(asked, flow("198.51.100.1")).status == 403


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        (b"v=0", "488 INVITE"),
        (b"nonsense", "400 INVITE"),
        (
            b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
            b"m=audio 4000 RTP/AVP 31\r\n",
            "488 INVITE",
        ),
    ],
)
def test_an_offer_that_cannot_be_used_costs_no_port(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, offer: bytes, answer: str
) -> None:
    def no_port(*_: Any) -> NoReturn:
        raise CapacityError("no free RTP port pair")

    monkeypatch.setattr(MediaEngine, "open", no_port)
    network = VirtualNetwork()
    ann, bob = network.phone("192.0.2.1"), network.phone("192.0.2.2")
    bob.on_invite = lambda session: gateway.reception.take(session, cast("SipEndpoint", bob))
    ann.call(bob, offer)
    network.run(0.1)
    assert answer in {sent.title for sent in network.sent}

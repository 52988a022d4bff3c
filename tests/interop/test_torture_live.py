"""Odd, broken and foreign messages, each sent to a running gateway: it answers as the RFC says.

A call goes on all the while, and another must be possible at the end.
"""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.sip.wire.message import Response, parse, read
from gateway.testing.loopback import sip_address
from gateway.testing.torture import BROKEN, ODD_BUT_RIGHT
from gateway.testing.witness import Scene, witnessed

pytestmark = pytest.mark.interop

SHARED = Path(__file__).parents[2].parent / "shared" / "sip"
TORTURE = sorted(SHARED.glob("torture/*.dat"))
CAPTURES = sorted(SHARED.glob("captures/*.sip"))
PBX: Final = "127.9.9.9"
WAIT: Final = 1.5  # seconds, in which everything is sent and answered

# Probes with the oddities of our own set, each a transaction of its own.
OURS: Final = [
    data.replace(b"INVITE", b"OPTIONS")
    .replace(b"z9hG4bK", b"z9hG4bK%d." % number)
    .replace(b"tort@", b"tort%d@" % number)
    for number, data in enumerate([*(odd[0] for odd in ODD_BUT_RIGHT.values()), *BROKEN.values()])
]

# What a gateway that takes every user of loopback and is no registrar says to each message of the
# RFC.  Where the RFC leaves a choice: it accepts RFC 2543 and an unreadable Date.
ANSWERS: Final = {
    "badbranch": 200, "baddate": 200, "baddn": 400, "badinv01": 400, "badvers": 505,
    "bext01": 420, "bigcode": None, "clerr": 400, "cparam02": 405, "esc01": 200, "esc02": 501,
    "escnull": 405, "insuf": 400, "intmeth": 501, "inv2543": 200, "invut": 415, "longreq": 200,
    "ltgtruri": 400, "lwsruri": 400, "lwsstart": 400, "mcl01": 400, "mismatch01": 400,
    "mpart01": 405, "ncl": 400, "noreason": None, "novelsc": 416, "quotbal": 400,
    "regaut01": 405, "regbadct": 400, "scalar02": 400, "sdp01": 406, "transports": 200,
    "trws": 400, "unksm2": 405, "unreason": None, "wsinv": 481, "zeromf": 200,
}  # fmt: skip


async def answers(scene: Scene, data: bytes, source: str) -> list[Response]:
    """Send one datagram and return the final responses that come back in time, once each."""
    loop = asyncio.get_running_loop()
    final: dict[bytes, Response] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        sock.connect(sip_address(scene.gateway))
        sock.setblocking(False)
        await loop.sock_sendall(sock, data)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT):
                while True:
                    came = await loop.sock_recv(sock, 65_535)
                    message = read(came)
                    assert isinstance(message, Response)
                    if message.status >= 200:
                        final[came] = message
    return list(final.values())


async def statuses(
    scene: Scene, messages: Iterable[bytes], source: Callable[[int], str] = lambda number: PBX
) -> list[int | None]:
    """Send each message from a socket of its own, and return what each is answered."""
    asked: list[Awaitable[list[Response]]] = [
        answers(scene, data, source(number)) for number, data in enumerate(messages)
    ]
    came = await asyncio.gather(*asked)
    assert all(len(responses) <= 1 for responses in came), came
    return [responses[0].status if responses else None for responses in came]


def pbx(**tables: Any) -> contextlib.AbstractAsyncContextManager[Scene]:
    return witnessed(host=PBX, trunks=[{"name": "pbx", "hosts": [PBX]}], **tables)


async def test_our_own_torture_gets_its_verdicts() -> None:
    wanted = dict.fromkeys(ODD_BUT_RIGHT, 200) | dict.fromkeys(BROKEN, 400)
    async with pbx() as scene:
        told = await statuses(scene, OURS)
        assert dict(zip([*ODD_BUT_RIGHT, *BROKEN], told, strict=True)) == wanted


@pytest.mark.skipif(not TORTURE, reason="the RFC's messages are not beside this tree")
async def test_the_torture_of_the_rfc_gets_its_verdicts() -> None:
    verdicts = json.loads((SHARED / "torture" / "expected.json").read_text())
    assert {path.stem for path in TORTURE} == {*verdicts}
    async with pbx() as scene:
        told = await statuses(scene, [path.read_bytes() for path in TORTURE])
        said = dict(zip((path.stem for path in TORTURE), told, strict=True))
        assert said == {name: ANSWERS[name] for name in said}
    for name, status in said.items():
        allowed = verdicts[name]["uas"]
        if choices := re.findall(r"\b[1-6]\d\d\b", allowed):
            is_liberal = "liberal" in allowed or "accept" in allowed or "2543" in allowed
            assert str(status) in choices or (is_liberal and status == 200) or status == 405, name


@pytest.mark.parametrize("stealth", [False, True])
async def test_strangers_get_a_word_at_most_for_their_torture(stealth: bool) -> None:
    async with pbx(guard={"stealth": stealth}) as scene:
        told = await statuses(scene, OURS, lambda number: f"127.7.0.{number + 1}")
        odd, broken = told[: len(ODD_BUT_RIGHT)], told[len(ODD_BUT_RIGHT) :]
        assert {*odd} == {None if stealth else 403}
        assert {*broken} == {None if stealth else 400}


@pytest.mark.skipif(not CAPTURES, reason="the captured requests are not beside this tree")
async def test_the_first_requests_of_real_clients_are_served() -> None:
    async with pbx() as scene:
        came = await asyncio.gather(*(answers(scene, path.read_bytes(), PBX) for path in CAPTURES))
        for path, responses in zip(CAPTURES, came, strict=True):
            (response,) = responses
            assert response.status == 200, path.name
            if response.cseq.method == "INVITE":
                assert response.content_type == "application/sdp", path.name
                assert b"\nm=audio " in response.body, path.name
                assert parse(bytes(response)).body == response.body

"""Those who look for open gateways: what they find of this one, and what its callers notice."""

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.sip.guard import visitors
from gateway.sip.wire.message import parse
from gateway.testing.loopback import sip_address
from gateway.testing.witness import Scene, witnessed

pytestmark = pytest.mark.interop

PBX: Final = "127.9.9.9"  # where the callers are; everybody else is a stranger
TRUNKS: Final = [{"name": "pbx", "hosts": [PBX]}]
ATTACKS: Final = (
    "svmap -p{port} 127.0.0.1",
    "svmap -p{port} -m INVITE 127.0.0.1",
    "svwar -p{port} --force --maximumtime=1 -m REGISTER -e 100-400 127.0.0.1",
    "svwar -p{port} --force --maximumtime=1 -m INVITE -e 100-400 127.0.0.1",
)


async def attack(command: str, folder: Path) -> str:
    """Run one of sipvicious' programs, and return what it tells."""
    program, *arguments = command.split()
    found = shutil.which(program)
    assert found, f"{program} is missing: apt-get install sipvicious"
    process = await asyncio.create_subprocess_exec(
        found, *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, env={**os.environ, "HOME": str(folder)}, cwd=folder,
    )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return told.decode()


@pytest.mark.parametrize("stealth", [False, True])
async def test_sipvicious_finds_nothing_and_nobody_notices(tmp_path: Path, stealth: bool) -> None:
    async with witnessed(host=PBX, trunks=TRUNKS, guard={"stealth": stealth}) as scene:
        _, port = sip_address(scene.gateway)
        told = await asyncio.gather(
            *(attack(command.format(port=port), tmp_path) for command in ATTACKS)
        )
        for text in told:
            assert "found nothing" in text, text
        counted = scene.gateway.facts()["counted"]["sip"]
        assert counted["dropped_scanner"] >= len(ATTACKS)
        assert counted["strangers_answered"] == 0


async def test_sipvicious_finds_a_gateway_that_takes_it_for_a_trunk(tmp_path: Path) -> None:
    async with witnessed() as scene:
        _, port = sip_address(scene.gateway)
        told = await attack(ATTACKS[0].format(port=port), tmp_path)
        assert f"127.0.0.1:{port}" in told


@contextlib.contextmanager
def probe(scene: Scene, source: str) -> Iterator[socket.socket]:
    """Open a socket that sends to the gateway from an address which is no trunk's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        sock.connect(sip_address(scene.gateway))
        sock.setblocking(False)
        yield sock


async def answers(sock: socket.socket, data: bytes) -> list[bytes]:
    """Send a datagram and return all that comes back within four of Timer A's periods."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, data)
    came: list[bytes] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2.0):
            while True:
                came.append(await loop.sock_recv(sock, 65_535))
    return came


def request(method: str, user: str) -> bytes:
    lines = [
        f"{method} sip:{user}@127.0.0.1 SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.2.1;branch=z9hG4bK{method}{user};rport",
        "From: <sip:ann@127.0.2.1>;tag=a",
        f"To: <sip:{user}@127.0.0.1>",
        f"Call-ID: {method}-{user}",
        f"CSeq: 1 {method}",
        "Contact: <sip:ann@127.0.2.1>",
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


async def test_a_stranger_learns_not_who_is_there_nor_what_answers() -> None:
    trunks: list[dict[str, Any]] = [{**TRUNKS[0], "users": ["demo"]}]
    async with witnessed(host=PBX, trunks=trunks) as scene:
        told: dict[str, set[tuple[int, str]]] = {"demo": set(), "nobody": set()}
        tries = [(method, user) for method in ("INVITE", "OPTIONS", "REGISTER") for user in told]

        async def ask(number: int, method: str, user: str) -> None:
            with probe(scene, f"127.0.2.{number}") as sock:
                (answer,) = await answers(sock, request(method, user))
                told[user].add((parse(answer).status, method))  # type: ignore[union-attr]
                assert b"gateway" not in answer
                assert len(answer) < len(request(method, user)) + 120

        await asyncio.gather(*(ask(n, *pair) for n, pair in enumerate(tries, 1)))
        assert told["demo"] == told["nobody"]
        assert {status for status, _ in told["demo"]} == {403}


async def test_in_stealth_a_stranger_hears_nothing_at_all() -> None:
    async with witnessed(host=PBX, trunks=TRUNKS, guard={"stealth": True}) as scene:
        tries = [
            request("INVITE", "demo"),
            request("OPTIONS", "demo"),
            request("BYE", "demo"),
            request("OPTIONS", "demo").replace(b"Content-Length: 0", b"Content-Length: x"),
            b"\0" * 200,
        ]

        async def ask(number: int, data: bytes) -> list[bytes]:
            with probe(scene, f"127.0.3.{number}") as sock:
                return await answers(sock, data)

        assert await asyncio.gather(*(ask(n, data) for n, data in enumerate(tries, 1))) == [[]] * 5


async def test_a_loud_stranger_is_banned_and_told_of_in_the_facts() -> None:
    async with witnessed(host=PBX, trunks=TRUNKS, guard={"ban_after": 3}) as scene:
        with probe(scene, "127.0.4.1") as sock:
            for _ in range(200):
                sock.send(request("REGISTER", "demo"))
            assert len(await answers(sock, request("OPTIONS", "demo"))) == 3
        (ban,) = scene.gateway.facts()["banned"]
        assert (ban["source"], ban["why"]) == ("127.0.4.1", "of no trunk")
        assert 590 < ban["seconds_left"] <= 600


async def connections(scene: Scene, count: int) -> list[tuple[Any, Any]]:
    address = sip_address(scene.gateway, "tcp")
    return [await asyncio.open_connection(*address) for _ in range(count)]


async def left(held: list[tuple[Any, Any]], *, within: float = 5.0) -> int:
    """Wait until connections are closed from afar, and return how many are not by then."""
    reads = [asyncio.ensure_future(reader.read()) for reader, _ in held]
    _, pending = await asyncio.wait(reads, timeout=within)
    for read in pending:
        read.cancel()
    await asyncio.gather(*reads, return_exceptions=True)
    for _, writer in held:
        writer.close()
    return len(pending)


async def test_a_stranger_holds_few_connections_and_leaves_room_for_the_trunk() -> None:
    async with witnessed(host=PBX, trunks=TRUNKS) as scene:
        held = await connections(scene, 20)
        assert await left(held, within=0.5) == 8
        assert scene.gateway.facts()["counted"]["sip"]["dropped_connections"] == 12


async def test_a_stranger_who_says_nothing_more_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "_PATIENCE", 0.2)
    async with witnessed(host=PBX, trunks=TRUNKS) as scene:
        held = await connections(scene, 2)
        for _, writer in held:
            writer.write(request("OPTIONS", "demo"))
        assert await left(held) == 0


async def test_a_stranger_who_is_banned_is_cut_off_and_may_not_come_back() -> None:
    async with witnessed(host=PBX, trunks=TRUNKS, guard={"ban_after": 3}) as scene:
        held = await connections(scene, 1)
        held[0][1].write(request("REGISTER", "demo") * 5)
        assert await left(held) == 0
        assert await left(await connections(scene, 3)) == 0
        (ban,) = scene.gateway.facts()["banned"]
        assert ban["source"] == "127.0.0.1"

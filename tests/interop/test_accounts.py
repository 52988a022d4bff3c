"""Passwords both ways with real neighbours: Kamailio as registrar and proxy, baresip as caller."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from peers import free_port
from phones import phone

from gateway.app import Gateway
from gateway.calls.softphone import Softphone
from gateway.cli.account_check import reach_account
from gateway.errors import SipError
from gateway.sip.credentials.account import Account
from gateway.testing.hearing import tone_share
from gateway.testing.loopback import loopback_gateway, sip_address
from gateway.testing.service import LoopbackService

pytestmark = pytest.mark.interop

CONFIG = Path(__file__).parent / "kamailio" / "registrar.cfg"
CALLER, CALLEE = 620.0, 880.0  # Hz
PASSWORD, GUESS = "sesame", "open-says-me"


@pytest.fixture(scope="module")
def registrar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Kamailio, for all tests here; the port it listens on."""
    program = shutil.which("kamailio")
    assert program, "kamailio is missing: apt-get install kamailio"
    folder, port = tmp_path_factory.mktemp("kamailio"), free_port()
    command = [
        program, "-DD", "-E", "-f", str(CONFIG), "-w", str(folder), "-P", str(folder / "pid"),
        "-Y", str(folder), "-m", "64", "-M", "8",
        "-l", f"udp:127.0.0.1:{port}", "-l", f"tcp:127.0.0.1:{port}",
    ]  # fmt: skip
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        _until_alive(port, process, log)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _until_alive(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        probe.settimeout(0.2)
        host = f"127.0.0.1:{probe.getsockname()[1]}"
        ask = (
            f"OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host};branch=z9hG4bKalive\r\n"
            f"From: <sip:probe@{host}>;tag=1\r\nTo: <sip:127.0.0.1:{port}>\r\nCall-ID: alive\r\n"
            "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and process.poll() is None:
            try:
                probe.sendto(ask.encode(), ("127.0.0.1", port))
                if probe.recv(4096).startswith(b"SIP/2.0 200"):
                    return
            except (TimeoutError, ConnectionRefusedError):
                time.sleep(0.05)
    raise AssertionError(f"kamailio did not start:\n{log.read_text()}")


def trunk(
    port: int, password: str = PASSWORD, transport: str = "udp", **more: Any
) -> dict[str, Any]:
    """Return the table of a trunk at the registrar, which it does not know by its address."""
    return {
        "name": "pbx",
        "server": f"sip:127.0.0.1:{port}" + (";transport=tcp" if transport == "tcp" else ""),
        "register": True,
        "register_seconds": 60,  # less than it allows: it says 423
        "username": "gateway",
        "password_env": "PBX_PASSWORD",
        "password": password,
        **more,
    }


@asynccontextmanager
async def gateway_at(
    service: LoopbackService, *trunks: dict[str, Any], **tables: Any
) -> AsyncIterator[Gateway]:
    async with loopback_gateway(service.url, trunks=list(trunks), **tables) as gateway:
        yield gateway


async def facts_when(gateway: Gateway, **wanted: Any) -> dict[str, Any]:
    """Wait until the facts of the first trunk hold what is wanted."""
    async with asyncio.timeout(15):
        while True:
            facts: dict[str, Any] = gateway.facts()["trunks"][0]
            if wanted.items() <= facts.items():
                return facts
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_to_the_registered_name_reaches_the_gateway(
    registrar: int, tmp_path: Path, transport: str
) -> None:
    async with LoopbackService([CALLEE]) as service:
        row = trunk(registrar, transport=transport, options_seconds=1)
        async with gateway_at(service, row) as gateway:
            facts = await facts_when(gateway, registered=True, alive=True)
            assert 60 < facts["expires_in"] <= 90
            with phone(tmp_path / "phone", CALLER, calls=f"sip:gateway@127.0.0.1:{registrar}"):
                session = await service.session(0)
                heard = await session.hears(1.0)
                await _hang_up(gateway)
            (record,) = gateway.registry.records()
        assert record.called == "gateway"
        assert tone_share(heard[-12_000:], CALLER, 24_000) > 0.9


async def test_two_accounts_at_one_server_are_told_apart(registrar: int, tmp_path: Path) -> None:
    rows = [
        trunk(registrar, name=name, username=name, users=[name], hosts=["127.0.0.1"])
        for name in ("first", "second")
    ]
    async with LoopbackService([CALLEE]) as service, gateway_at(service, *rows) as gateway:
        async with asyncio.timeout(15):
            while not all(facts["registered"] for facts in gateway.facts()["trunks"]):
                await asyncio.sleep(0.02)
        with phone(tmp_path / "phone", CALLER, calls=f"sip:second@127.0.0.1:{registrar}"):
            await service.session(0)
            await _hang_up(gateway)
        (record,) = gateway.registry.records()
    assert record.called == "second"  # whom the other trunk may not reach


async def test_a_stranger_is_not_let_in_by_the_registration_of_somebody_else(
    registrar: int, tmp_path: Path
) -> None:
    async with LoopbackService() as service, gateway_at(service, trunk(registrar)) as gateway:
        await facts_when(gateway, registered=True)
        host, port = sip_address(gateway)
        log = tmp_path / "phone" / "log"
        with phone(tmp_path / "phone", CALLER, calls=f"sip:gateway@{host}:{port}"):
            await _until_in(log, "403 Forbidden")


async def test_a_call_by_the_proxy_shows_it_the_password(registrar: int, tmp_path: Path) -> None:
    async with LoopbackService([CALLEE]) as service:
        with phone(tmp_path / "phone", CALLER) as callee:
            tables: dict[str, Any] = {
                "targets": {"bob": callee.uri},
                "http": {"bind": "127.0.0.1:0", "token": "t"},
            }
            async with gateway_at(service, trunk(registrar), **tables) as gateway:
                await facts_when(gateway, registered=True)
                await _dial(gateway, "bob")
                session = await service.session(0)
                heard = await session.hears(1.0)
                await _hang_up(gateway)
                (record,) = gateway.registry.records()
    assert "leg.answered" in [entry["name"] for entry in record.timeline]
    assert tone_share(heard[-12_000:], CALLER, 24_000) > 0.9


async def _dial(gateway: Gateway, to: str) -> None:
    headers = {"Authorization": "Bearer t"}
    async with (
        ClientSession(gateway.page, headers=headers) as session,
        session.post("/v1/calls", json={"to": to}) as response,
    ):
        assert response.status == 201, await response.text()


async def test_a_wrong_password_is_told_and_never_shown(
    registrar: int, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = "it does not believe our password (401 Unauthorized)"
    async with (
        LoopbackService() as service,
        gateway_at(service, trunk(registrar, GUESS)) as gateway,
    ):
        facts = await facts_when(gateway, registered=False, registration=refused)
    log = "".join(capsys.readouterr())
    assert refused in log
    assert GUESS not in log + repr(gateway.settings) + repr(facts)


async def test_the_check_says_whether_the_password_is_believed(registrar: int) -> None:
    async with LoopbackService() as service, gateway_at(service, trunk(registrar)) as gateway:
        await facts_when(gateway, registered=True)
        (ours,) = gateway.settings.trunks
        found = await reach_account(gateway.settings, ours)
        assert (found.is_good, found.detail[:23]) == (True, "takes us for 'gateway';")
        wrong = type(ours).model_validate(trunk(registrar, GUESS))
        found = await reach_account(gateway.settings, wrong)
        assert not found.is_good
        assert "does not believe our password (401" in found.detail
        assert gateway.facts()["trunks"][0]["registered"]
    found = await reach_account(gateway.settings, ours)
    assert found.detail == "takes us for 'gateway'; 0 bindings there now"


@pytest.mark.parametrize(("password", "told"), [(PASSWORD, ""), (GUESS, "403 Forbidden")])
async def test_a_phone_comes_in_by_its_password_alone(
    tmp_path: Path, password: str, told: str
) -> None:
    row = {
        "name": "phones",
        "authenticate": "digest",
        "username": "bob",
        "password_env": "BOB_PASSWORD",
        "password": PASSWORD,
        "digests": ["MD5"],  # this baresip gives up at any other
    }
    async with LoopbackService([CALLEE]) as service, gateway_at(service, row) as gateway:
        host, port = sip_address(gateway)
        folder = tmp_path / "phone"
        account = f";auth_user=bob;auth_pass={password}"
        with phone(folder, CALLER, calls=f"sip:demo@{host}:{port}", account=account):
            if told:
                await _until_in(folder / "log", told)
                assert not len(gateway.registry)
                return
            session = await service.session(0)
            heard = await session.hears(1.0)
            await _hang_up(gateway)
            assert tone_share(heard[-12_000:], CALLER, 24_000) > 0.9


async def test_a_call_from_the_command_line_shows_its_password() -> None:
    row = {
        "name": "phones",
        "authenticate": "digest",
        "username": "bob",
        "password_env": "BOB_PASSWORD",
        "password": PASSWORD,
    }
    async with LoopbackService([CALLEE]) as service, gateway_at(service, row) as gateway:
        host, port = sip_address(gateway)
        command = [sys.executable, "-m", "gateway", "call", f"sip:demo@{host}:{port}", "--json"]
        command += ["--seconds", "0.5", "--username", "bob", "--password-env", "BOB"]
        process = await asyncio.create_subprocess_exec(
            *command, env=os.environ | {"BOB": PASSWORD}, stdout=subprocess.PIPE
        )
        out, _ = await process.communicate()
        assert json.loads(out)["status"] == 200
        async with Softphone(account=Account("bob", GUESS)) as wrong:
            with pytest.raises(SipError, match="403"):
                await wrong.dial(f"sip:demo@{host}:{port}")


async def test_a_connection_that_is_cut_is_registered_over_anew() -> None:
    came: list[asyncio.StreamWriter] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer)
        while request := await _message(reader):
            wanted = ("via:", "from:", "to:", "call-id:", "cseq:", "contact:")
            lines = [line for line in request.split("\r\n") if line.lower().startswith(wanted)]
            head = "\r\n".join(["SIP/2.0 200 OK", *lines, "Expires: 600", "Content-Length: 0"])
            writer.write(f"{head}\r\n\r\n".encode())

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, LoopbackService() as service:
        async with gateway_at(service, trunk(port, transport="tcp")) as gateway:
            await facts_when(gateway, registered=True)
            came[0].transport.abort()
            await facts_when(gateway, registered=False)
            await facts_when(gateway, registered=True)
            assert len(came) == 2
        for writer in came:
            writer.close()


async def _message(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.readuntil(b"\r\n\r\n")).decode().lstrip()
    except (asyncio.IncompleteReadError, ConnectionError):
        return ""


async def _hang_up(gateway: Gateway) -> None:
    """End the call, and wait until the phone knows: it is ended from outside the loop."""
    (call,) = gateway.registry
    call.hang_up("done")
    async with asyncio.timeout(10):
        while len(gateway.registry):
            await asyncio.sleep(0.02)


async def _until_in(log: Path, text: str) -> None:
    async with asyncio.timeout(15):
        while text not in log.read_text(errors="replace"):
            await asyncio.sleep(0.05)

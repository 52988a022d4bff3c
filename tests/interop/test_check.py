"""`voice-gateway check` against real neighbours: what it passes, a call survives."""

import asyncio
import contextlib
import json
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from name_server import name_server
from structlog.testing import capture_logs
from stun_server import stun_server
from turn_server import turn_server

from gateway.app import Gateway
from gateway.cli import neighbours
from gateway.cli.browser_check import reach_ice_servers
from gateway.cli.neighbours import (
    is_gateway_at,
    reach_server,
    reach_stun,
    reach_target,
    reach_trunk,
)
from gateway.config import Settings, TlsSettings, TrunkSettings
from gateway.embedded.server import EmbeddedService
from gateway.sip.transport.certificates import Certificates
from gateway.sip.transport.resolver import Resolver
from gateway.sip.ways.locate import Target
from gateway.sip.wire.uri import Uri
from gateway.testing.bare_phone import BarePhone
from gateway.testing.loopback import loopback_gateway, sip_address
from gateway.testing.service import LoopbackService

pytestmark = pytest.mark.interop

FREE = "'udp:127.0.0.1:0'"
BELIEVING = Certificates(TlsSettings())
NONSENSE = "\n[session]\nnonsense = 1\n"


@contextlib.asynccontextmanager
async def embedded() -> AsyncIterator[EmbeddedService]:
    service = EmbeddedService("127.0.0.1", 0)
    await service.start()
    yield service
    await service.close()


async def find(uri: Uri) -> list[Target]:
    """Say where an address leads from here."""
    return await Resolver().targets(uri, [("udp", "A"), ("tcp", "A"), ("tls", "A")])


async def check(folder: Path, url: str, more: str = "", bind: str = FREE) -> tuple[int, Any]:
    """Run the command; return its exit code and its findings by the first word of each."""
    path = folder / "gateway.toml"
    path.write_text(
        f'[sip]\nbind = [{bind}]\n[http]\nbind = ""\n'
        f'[realtime]\nprovider = "custom"\nurl = "{url}"\nconnect_seconds = 2\n{more}'
    )
    program = (sys.executable, "-m", "gateway", "check", "--json", "-c", str(path))
    process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    findings = json.loads(out)["findings"]
    return process.returncode or 0, {f["what"].split()[0]: f for f in findings}


# The service


async def test_a_session_that_the_service_takes_is_passed(tmp_path: Path) -> None:
    async with embedded() as service:
        code, found = await check(tmp_path, service.url, '[session]\ninstructions = "Hi."\n')
    assert code == 0
    assert found["configuration"]["detail"] == "1 trunk, 0 rules"
    assert found["service"]["detail"] == "takes the session as configured"


async def test_a_session_that_the_service_refuses_is_wrong_and_its_line_is_told(
    tmp_path: Path,
) -> None:
    async with embedded() as service:
        code, found = await check(tmp_path, service.url, NONSENSE)
    assert code == 1
    assert not found["service"]["ok"]
    detail = found["service"]["detail"]
    assert detail.startswith(f"{tmp_path}/gateway.toml:11: session.nonsense: ")
    assert "Unknown parameter" in detail


async def test_a_call_whose_session_is_refused_gets_503_at_once() -> None:
    async with embedded() as service:
        tables = {"session": {"nonsense": 1}}
        async with loopback_gateway(service.url, **tables) as gateway:
            async with BarePhone(sip_address(gateway)) as phone, asyncio.timeout(2.0):
                assert (await phone.dial()).status == 503
            (record,) = gateway.registry.records()
    assert any("Unknown parameter" in str(entry["detail"]) for entry in record.timeline)


async def test_a_service_that_never_confirms_the_session_is_wrong(tmp_path: Path) -> None:
    async with LoopbackService() as service:
        service.welcome = "ignore"
        code, found = await check(tmp_path, service.url)
    assert code == 1
    assert "connected, but no session.updated within 2 s" in found["service"]["detail"]


async def test_a_service_that_is_not_there_is_wrong(tmp_path: Path, closed_port: int) -> None:
    code, found = await check(tmp_path, f"ws://127.0.0.1:{closed_port}")
    assert code == 1
    assert not found["service"]["ok"]


# Our own ports


def binds(gateway: Gateway) -> str:
    return ", ".join(f"'{address}'" for address in gateway.sip_addresses)


async def test_a_gateway_that_already_runs_there_is_no_fault(tmp_path: Path) -> None:
    async with embedded() as service, loopback_gateway(service.url) as gateway:
        code, found = await check(tmp_path, service.url, bind=binds(gateway))
    assert code == 0
    assert "in use, by a gateway that already runs" in found["ports"]["detail"]


async def test_a_port_that_another_program_has_is_wrong(tmp_path: Path) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        bind = f"'udp:127.0.0.1:{other.getsockname()[1]}'"
        async with embedded() as service:
            code, found = await check(tmp_path, service.url, bind=bind)
    assert code == 1
    detail = found["ports"]["detail"]
    assert "in use" in detail
    assert "perhaps a gateway already runs there" in detail


async def test_a_port_at_an_address_that_is_not_ours_is_wrong(tmp_path: Path) -> None:
    async with embedded() as service:
        code, found = await check(tmp_path, service.url, bind="'udp:192.0.2.1:0'")
    assert code == 1
    assert "write an address of this machine" in found["ports"]["detail"]


async def test_a_gateway_that_refuses_us_is_known_all_the_same() -> None:
    trunks = [{"name": "far", "hosts": ["192.0.2.1"]}]
    async with loopback_gateway("ws://127.0.0.1:9", trunks=trunks) as gateway:
        for address in gateway.sip_addresses:
            assert await is_gateway_at([address])
            assert await is_gateway_at([address.replace("127.0.0.1", "0.0.0.0")])


# Targets and trunks


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_target_that_answers_is_there(transport: str) -> None:
    async with loopback_gateway("ws://127.0.0.1:9") as gateway:
        host, port = sip_address(gateway, transport)
        uri = f"sip:desk@{host}:{port};transport={transport}"
        finding = await reach_target("desk", uri, BELIEVING, find)
    assert finding.is_good
    assert finding.detail == "SIP/2.0 200 OK"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_target_that_is_not_there_is_wrong(transport: str, closed_port: int) -> None:
    uri = f"sip:desk@127.0.0.1:{closed_port};transport={transport}"
    finding = await reach_target("desk", uri, BELIEVING, find)
    assert not finding.is_good
    assert "check" in finding.detail


@pytest.mark.parametrize("uri", ["tel:+15550100", "sip:desk@pbx;transport=ws"])
async def test_a_target_that_cannot_be_asked_is_said_to_be_not_probed(uri: str) -> None:
    finding = await reach_target("desk", uri, BELIEVING, find)
    assert finding.is_good
    assert finding.detail.startswith("not probed")


@pytest.mark.parametrize("uri", ["sip:", "sip:desk@no such host"])
async def test_a_target_that_is_no_address_is_wrong(uri: str) -> None:
    finding = await reach_target("desk", uri, BELIEVING, find)
    assert not finding.is_good
    assert "write sip:USER@HOST" in finding.detail


@pytest.mark.parametrize(
    ("host", "why"), [("192.0.2.0/24", "a network"), ("127.0.0.1", "this"), ("::1/128", "this")]
)
async def test_a_trunk_without_an_address_of_its_own_is_said_to_be_not_probed(
    host: str, why: str
) -> None:
    finding = await reach_trunk(TrunkSettings(name="pbx", hosts=[host]), host)
    assert finding.is_good
    assert finding.detail.startswith(f"not probed: {why}")


async def test_every_server_of_a_trunk_is_asked_and_told_of_in_order(
    tmp_path: Path, closed_port: int
) -> None:
    async with loopback_gateway("ws://127.0.0.1:9") as gateway:
        host, port = sip_address(gateway)
        records = {
            ("_sip._udp.pbx.test", "SRV"): [f"10 0 {port} a.test.", f"5 0 {closed_port} a.test."],
            ("a.test", "A"): [host],
        }
        trunk = '[[trunks]]\nname = "{0}"\nhosts = ["127.0.0.1"]\nserver = "sip:{0}.test"\n'
        with name_server(records) as names:
            bind = f"{FREE}]\nnameservers = ['{names.address}'"
            _, found = await check(tmp_path, "ws://127.0.0.1:9", trunk.format("pbx"), bind)
            first, second = found["trunk"]["detail"].split(", then ")
            assert first.startswith(f"udp {host}:{closed_port}: ")
            assert second == f"udp {host}:{port}: SIP/2.0 200 OK"
            assert found["trunk"]["ok"]
            code, found = await check(tmp_path, "ws://127.0.0.1:9", trunk.format("gone"), bind)
    assert code == 1
    assert "check its name" in found["trunk"]["detail"]


async def test_what_a_stun_server_says_of_us_is_told() -> None:
    async with stun_server() as (server, name):
        finding = await reach_stun("stun", name, "127.0.0.1", Resolver())
        assert (finding.is_good, finding.detail) == (True, "we are seen as 203.0.113.5")
        server.seen = None
        finding = await reach_stun("stun", name, "127.0.0.1", Resolver())
        assert not finding.is_good
        assert "no answer" in finding.detail


async def test_servers_that_help_browsers_are_asked_each_in_its_own_way(closed_port: int) -> None:
    async with stun_server() as (_, name):
        urls = [f"turn:127.0.0.1:{closed_port}?transport=tcp", name]
        settings = Settings.model_validate({"webrtc": {"ice_servers": [{"urls": urls}]}})
        relay, stun = await asyncio.gather(*reach_ice_servers(settings, Resolver()))
    assert not relay.is_good
    assert relay.what == f"webrtc.ice_servers ({urls[0]})"
    assert "that it may be reached" in relay.detail
    assert (stun.is_good, stun.detail) == (True, "we are seen as 203.0.113.5")


async def test_a_relay_that_says_nothing_is_told_of() -> None:
    async with stun_server() as (server, name):
        server.seen = None
        relay = {"urls": [name.replace("stun:", "turn:")], "username": "u", "credential": "c"}
        settings = Settings.model_validate({"webrtc": {"ice_servers": [relay]}})
        (finding,) = await asyncio.gather(*reach_ice_servers(settings, Resolver()))
    assert not finding.is_good
    assert finding.detail.startswith("no answer; check its name")


@pytest.mark.skipif(shutil.which("turnserver") is None, reason="coturn is not installed")
@pytest.mark.parametrize(
    ("password", "words"),
    [("secret", "relays for us at 127.0.0.1"), ("wrong", "it refuses our name or password")],
)
async def test_a_relay_is_asked_for_a_place(tmp_path: Path, password: str, words: str) -> None:
    with turn_server(tmp_path) as where:
        relay = {"urls": [f"turn:{where}"], "username": "ann", "credential": password}
        settings = Settings.model_validate({"webrtc": {"ice_servers": [relay]}})
        (finding,) = await asyncio.gather(*reach_ice_servers(settings, Resolver()))
    assert finding.is_good is (password == "secret")
    assert finding.detail.startswith(words)


async def test_a_trunk_with_an_address_of_its_own_is_asked(
    monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    monkeypatch.setattr(neighbours, "is_loopback", lambda _: False)
    trunk = TrunkSettings(name="pbx", hosts=["127.0.0.1"])
    async with loopback_gateway("ws://127.0.0.1:9") as gateway:
        monkeypatch.setattr(neighbours, "_PORT", sip_address(gateway)[1])
        assert (await reach_trunk(trunk, "127.0.0.1")).detail == "SIP/2.0 200 OK"
    monkeypatch.setattr(neighbours, "_PORT", closed_port)
    assert not (await reach_trunk(trunk, "127.0.0.1/32")).is_good


async def reach_over_tls(
    folder: Path, *names: str, is_expired: bool = False, is_known: bool = True
) -> tuple[bool, str]:
    """Ask a trunk that calls itself by these names; return whether it is good, and the words."""
    authority = Authority(folder)
    other = authority if is_known else Authority(folder, "other")
    shown = str(authority.certificate(*names, common_name="127.0.0.1", is_expired=is_expired))
    sip = {"bind": ["tls:127.0.0.1:0"], "tls": {"certificate": shown}}
    async with loopback_gateway("ws://127.0.0.1:9", sip=sip) as gateway:
        _, port = sip_address(gateway, "tls")
        server = f"sip:127.0.0.1:{port};transport=tls"
        trunk = TrunkSettings(name="carrier", hosts=["192.0.2.1"], server=server)
        believing = Certificates(TlsSettings(authorities=str(other.file)))
        finding = await reach_server(trunk, believing, find)
        assert await is_gateway_at([f"tls:127.0.0.1:{port}"])
    return finding.is_good, finding.detail


async def test_a_trunk_is_asked_over_tls_and_told_what_is_wrong_with_its_certificate(
    tmp_path: Path,
) -> None:
    assert await reach_over_tls(tmp_path, "127.0.0.1") == (True, "SIP/2.0 200 OK")
    is_good, words = await reach_over_tls(tmp_path, "127.0.0.1", is_expired=True)
    assert not is_good
    assert "has expired" in words
    is_good, words = await reach_over_tls(tmp_path, "pbx.example")
    assert not is_good
    assert "that of pbx.example, not of 127.0.0.1" in words
    is_good, words = await reach_over_tls(tmp_path, "127.0.0.1", is_known=False)
    assert not is_good
    assert "an authority that we do not know" in words


@pytest.mark.parametrize(
    ("is_expired", "words"), [(True, "renew it"), (False, "less than a day left; renew it soon")]
)
async def test_a_certificate_that_nobody_will_believe_is_wrong_and_one_soon_to_be_renewed_told(
    tmp_path: Path, is_expired: bool, words: str
) -> None:
    own = Authority(tmp_path).certificate("a.example", is_expired=is_expired)
    more = f"[sip.tls]\ncertificate = '{own}'\n"
    async with embedded() as service:
        code, found = await check(tmp_path, service.url, more, bind="'tls:127.0.0.1:0'")
    assert code == int(is_expired)
    finding = found["certificate"]
    assert (finding["ok"], finding["warning"]) == (not is_expired, not is_expired)
    assert finding["detail"].endswith(words)


async def test_a_gateway_says_that_its_certificate_has_expired(tmp_path: Path) -> None:
    own = Authority(tmp_path).certificate("a.example", is_expired=True)
    sip = {"bind": ["tls:127.0.0.1:0"], "tls": {"certificate": str(own)}}
    async with embedded() as service:
        with capture_logs() as logs:
            async with loopback_gateway(service.url, sip=sip):
                pass
    (line,) = (line for line in logs if line["event"] == "certificate is no good")
    assert line["file"] == str(own)
    assert line["problem"].startswith("it expired on")


async def test_a_key_that_belongs_to_another_certificate_is_told_at_once(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    bind = "'tls:127.0.0.1:0'"
    own, other = authority.certificate("a.example"), authority.certificate("b.example")
    tls = f"[sip.tls]\ncertificate = '{own}'\nkey = '{other}'\n"
    path = tmp_path / "gateway.toml"
    path.write_text(f"[sip]\nbind = [{bind}]\n{tls}")
    program = (sys.executable, "-m", "gateway", "check", "-c", str(path))
    process = await asyncio.create_subprocess_exec(*program, stderr=asyncio.subprocess.PIPE)
    _, err = await process.communicate()
    assert process.returncode == 2
    (line,) = err.decode().splitlines()
    assert f"sip.tls.certificate: {own}: the key is that of another certificate" in line


# The other links


def attached_by(link: str) -> str:
    return f'link = "{link}"\n'


async def test_a_service_is_reached_over_webrtc_where_calls_will_be(tmp_path: Path) -> None:
    async with embedded() as service:
        code, found = await check(tmp_path, service.url, attached_by("webrtc"))
        assert code == 0
        assert found["service"]["detail"] == "takes the session as configured"
        code, found = await check(tmp_path, service.url, attached_by("webrtc") + NONSENSE)
        assert code == 1
        assert not found["service"]["ok"]


async def test_a_service_that_will_hold_calls_is_asked_for_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", "whsec_c2VjcmV0")
    monkeypatch.setenv("GATEWAY_HTTP__BIND", "127.0.0.1:0")
    async with embedded() as service:
        code, found = await check(tmp_path, service.url, attached_by("sideband"))
    assert code == 0
    assert "client secret" in found["service"]["detail"]
    assert "/webhooks/realtime" in found["ports"]["detail"]


async def test_a_service_that_will_hold_calls_and_is_not_there_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", "whsec_c2VjcmV0")
    monkeypatch.setenv("GATEWAY_HTTP__BIND", "127.0.0.1:0")
    code, found = await check(
        tmp_path, f"ws://127.0.0.1:{closed_port}/v1/realtime", attached_by("sideband")
    )
    assert code == 1
    assert "cannot be reached" in found["service"]["detail"]

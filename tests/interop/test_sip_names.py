"""Names on the wire: what a resolver asks a real name server, and what it makes of the answers."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from name_server import NameServer, name_server
from peers import free_port

from gateway.sip.transport import resolver as resolving
from gateway.sip.transport.resolver import Resolver
from gateway.sip.ways.locate import Reach, Target
from gateway.sip.wire.uri import Uri

REACH: Reach = [("udp", "A"), ("tcp", "A")]
RECORDS = {
    ("pbx.test", "NAPTR"): ['10 10 "s" "SIP+D2T" "" _sip._tcp.pbx.test.'],
    ("_sip._tcp.pbx.test", "SRV"): ["10 0 5070 b.test.", "5 0 5060 a.test."],
    ("a.test", "A"): ["127.0.0.11"],
    ("b.test", "CNAME"): ["c.test."],
    ("c.test", "A"): ["127.0.0.12"],
    ("bare.test", "A"): ["127.0.0.13"],
}
PBX = [Target("tcp", "127.0.0.11", 5060), Target("tcp", "127.0.0.12", 5070)]


@pytest.fixture
def server() -> Iterator[NameServer]:
    with name_server(RECORDS) as server:
        yield server


async def test_services_servers_and_addresses_are_asked_for_in_turn(server: NameServer) -> None:
    resolver = Resolver([server.address])
    assert await resolver.targets(Uri.parse("sip:pbx.test"), REACH) == PBX
    assert server.asked[:2] == [("pbx.test", "NAPTR"), ("_sip._tcp.pbx.test", "SRV")]
    assert sorted(server.asked[2:]) == [("a.test", "A"), ("b.test", "A")]


async def test_an_alias_is_followed_whoever_has_to(server: NameServer) -> None:
    server.leaves_aliases = True
    resolver = Resolver([server.address])
    assert await resolver.targets(Uri.parse("sip:pbx.test"), REACH) == PBX


async def test_aliases_that_go_round_in_a_circle_lead_nowhere(server: NameServer) -> None:
    server.leaves_aliases = True
    server.records[("c.test", "CNAME")] = ["b.test."]
    del server.records[("c.test", "A")]
    resolver = Resolver([server.address])
    assert await resolver.targets(Uri.parse("sip:b.test:5060"), REACH) == []
    assert len(server.asked) <= 4


async def test_answers_are_remembered_and_that_there_is_none_too(server: NameServer) -> None:
    resolver = Resolver([server.address])
    for uri in ("sip:pbx.test", "sip:gone.test"):
        first = await resolver.targets(Uri.parse(uri), REACH)
        count = len(server.asked)
        assert await resolver.targets(Uri.parse(uri), REACH) == first
        assert len(server.asked) == count
    assert resolver.counters["dns_failures"] == 0


async def test_many_who_want_to_know_the_same_at_once_ask_once(server: NameServer) -> None:
    resolver = Resolver([server.address])
    uri = Uri.parse("sip:bare.test:5060")
    found = await asyncio.gather(*(resolver.targets(uri, REACH) for _ in range(50)))
    assert set(map(tuple, found)) == {(Target("udp", "127.0.0.13", 5060),)}
    assert server.asked == [("bare.test", "A")]


async def test_what_was_known_last_serves_when_the_server_falls_silent(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(resolving, "monotonic", lambda: clock[0])
    monkeypatch.setattr(resolving, "_QUESTION_SECONDS", 0.3)
    resolver = Resolver([server.address])
    uri = Uri.parse("sip:bare.test:5060")
    found = await resolver.targets(uri, REACH)
    server.is_silent, clock[0] = True, 100.0
    assert await resolver.targets(uri, REACH) == found
    assert resolver.counters["dns_failures"] == 1


async def test_a_server_that_never_answers_leaves_no_way(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "_QUESTION_SECONDS", 0.1)
    server.is_silent = True
    resolver = Resolver([server.address])
    assert await resolver.targets(Uri.parse("sip:pbx.test"), REACH) == []


async def test_names_of_this_machine_are_asked_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: NameServer
) -> None:
    resolver = Resolver([server.address])
    local = await resolver.targets(Uri.parse("sip:localhost"), REACH)
    assert local == [Target("udp", "127.0.0.1", 5060)]
    names = [n for line in Path("/etc/hosts").read_text().splitlines() for n in line.split()[1:]]
    assert "localhost" in names
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 pbx.test # ours\n")
    monkeypatch.setattr(resolving, "_HOSTS", hosts)
    await resolver.targets(Uri.parse("sip:pbx.test"), REACH)
    assert server.asked == []


async def test_a_name_server_of_others_is_understood(tmp_path: Path) -> None:
    """Dnsmasq, as many a router has it."""
    program = shutil.which("dnsmasq") or shutil.which("dnsmasq", path="/usr/sbin")
    assert program, "dnsmasq is missing: apt-get install dnsmasq-base"
    port = free_port()
    process = subprocess.Popen(
        [
            *(program, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv"),
            *("--no-hosts", f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces"),
            *("--user=", "--group=", f"--pid-file={tmp_path / 'pid'}", "--local=/test/"),
            "--naptr-record=pbx.test,10,10,s,SIP+D2U,,_sip._udp.pbx.test",
            "--srv-host=_sip._udp.pbx.test,a.test,5070,1",
            "--srv-host=_sip._udp.pbx.test,b.test,5080,2",
            *("--host-record=a.test,127.0.0.11", "--host-record=c.test,127.0.0.12"),
            "--cname=b.test,c.test",
        ]
    )
    try:
        resolver = Resolver([f"127.0.0.1:{port}"])
        found = []
        for _ in range(50):
            found = await resolver.targets(Uri.parse("sip:pbx.test"), REACH)
            if found:
                break
            resolver = Resolver([f"127.0.0.1:{port}"])  # it was not up: forget that
            await asyncio.sleep(0.1)
        assert found == [Target("udp", "127.0.0.11", 5070), Target("udp", "127.0.0.12", 5080)]
        assert await resolver.targets(Uri.parse("sip:nobody.test"), REACH) == []
    finally:
        process.terminate()
        process.wait(10)

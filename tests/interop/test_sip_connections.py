"""Connections of SIP on real sockets: which are used, how they end, and what is done about it."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from certificates import Authority
from stations import Station, until
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from gateway.calls.softphone import Softphone
from gateway.config import TlsSettings
from gateway.embedded.server import EmbeddedService
from gateway.sip.dialogs.session import Session
from gateway.sip.dialogs.session_events import Answered, Ended
from gateway.sip.transport import connection, streams
from gateway.testing.loopback import loopback_gateway

OPTIONS = """\
OPTIONS sip:probe@127.0.0.1 SIP/2.0\r
Via: SIP/2.0/{transport} df7jal23ls0d.invalid;branch=z9hG4bK-{number};rport\r
From: <sip:a@127.0.0.1>;tag=a\r
To: <sip:probe@127.0.0.1>\r
Call-ID: {number}\r
CSeq: 1 OPTIONS\r
Max-Forwards: 70\r
Content-Length: 0\r
\r
"""

# From a browser, whose address is nobody's; a WebSocket message needs no length.
INVITE = (
    OPTIONS.replace("OPTIONS", "INVITE")
    .replace("Max-Forwards", "Contact: <sip:a@df7jal23ls0d.invalid;transport=ws>\r\nMax-Forwards")
    .replace("Content-Length: 0\r\n\r\n", "Content-Type: application/sdp\r\n\r\noffer")
)


@pytest.fixture
def tls(tmp_path: Path) -> TlsSettings:
    """Return what everybody shows and believes here."""
    authority = Authority(tmp_path)
    own = authority.certificate("127.0.0.1", "::1", "localhost")
    return TlsSettings(certificate=str(own), authorities=str(authority.file))


@asynccontextmanager
async def stations(
    transport: str, tls: TlsSettings, host: str = "127.0.0.1"
) -> AsyncIterator[tuple[Station, Station]]:
    both = Station(transport, host, tls), Station(transport, host, tls)
    async with both[0], both[1]:
        yield both


async def connected(ann: Station, bob: Station) -> tuple[Session, Session]:
    """Have Ann call Bob and Bob answer; return both ends."""
    call = await ann.call(bob)
    await ann.wait_for(Answered)
    (taken,) = bob.endpoint.agent.sessions.values()
    await until(lambda: taken.state.name == "CONFIRMED")
    return call, taken


def break_off(station: Station) -> None:
    """End every connection of a station, as the network would."""
    for kind in station.endpoint._sockets:
        for one in list(getattr(kind, "_by_number", {}).values()):
            one._transport.abort()


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_a_call_goes_over_ipv6(transport: str, tls: TlsSettings) -> None:
    async with stations(transport, tls, "::1") as (ann, bob):
        call, taken = await connected(ann, bob)
        sent = taken.request.headers
        assert f"SIP/2.0/{transport.upper()} [::1]:{ann.port}" in (sent.get("Via") or "")
        assert f"<sip:[::1]:{ann.port}" in (sent.get("Contact") or "")
        assert taken.request.via.received == "::1"
        taken.hang_up(bob.endpoint.now())
        bob.endpoint.flush()
        await ann.wait_for(Ended)
        assert call.local_host == "::1"


async def test_a_phone_is_heard_over_ipv6() -> None:
    service = EmbeddedService("127.0.0.1", 0)
    await service.start()
    sip = {"bind": ["udp:[::1]:0"]}
    async with loopback_gateway(service.url, sip=sip) as gateway, Softphone("::1") as phone:
        await phone.dial(gateway.sip_uri("demo"))
        await phone.wait_ended(1.0)
        result = phone.result()
    await service.close()
    assert result.packets_sent > 0
    assert result.packets_received > 0


@pytest.mark.parametrize("is_caller", [True, False])
@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_a_call_outlives_its_connection(
    transport: str, is_caller: bool, tls: TlsSettings
) -> None:
    async with stations(transport, tls) as (ann, bob):
        call, taken = await connected(ann, bob)
        break_off(ann)
        await until(lambda: ann.connections == bob.connections == 0)
        assert call.is_live
        assert taken.is_live
        ending, station, other = (call, ann, bob) if is_caller else (taken, bob, ann)
        ending.hang_up(station.endpoint.now())
        station.endpoint.flush()
        assert await other.wait_for(Ended) == Ended("peer", 200, None)
        await until(lambda: not station.endpoint.agent.sessions)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_a_connection_leaves_from_the_address_that_is_bound(
    transport: str, tls: TlsSettings
) -> None:
    async with Station(transport, "127.0.0.2", tls) as ann, Station(transport, tls=tls) as bob:
        _, taken = await connected(ann, bob)
        assert taken.flow.remote[0] == "127.0.0.2"


async def test_who_connects_without_the_certificate_that_is_required_is_told_of_once(
    tls: TlsSettings,
) -> None:
    strict = tls.model_copy(update={"clients": "require"})
    nobody = TlsSettings(authorities=tls.authorities)
    with capture_logs() as logs:
        async with Station("tls", tls=strict) as bob, Station("tcp", tls=nobody) as ann:
            for _ in range(3):
                await ann.call(bob)
                await ann.wait_for(Ended)
    (line,) = (line for line in logs if line["event"] == "connection refused")
    assert line["problem"] == "it showed no certificate"
    assert line["address"] == "tls:127.0.0.1"


async def test_what_waits_on_a_connection_fails_with_it(tls: TlsSettings) -> None:
    async with stations("tcp", tls) as (ann, bob):
        bob.answers = False
        call = await ann.call(bob)
        await until(lambda: bool(bob.endpoint.agent.sessions))
        await bob.endpoint.close()
        ended = await ann.wait_for(Ended)
        assert isinstance(ended, Ended)
        assert ended.status == 503
        assert not call.is_live


async def test_a_caller_whose_connection_broke_is_answered_over_another(tls: TlsSettings) -> None:
    async with stations("tcp", tls) as (ann, bob):
        bob.answers = False
        _, writer = await asyncio.open_connection("127.0.0.1", bob.port)
        invite = OPTIONS.replace("OPTIONS", "INVITE").replace(
            "Max-Forwards", f"Contact: <sip:a@127.0.0.1:{ann.port}>\r\nMax-Forwards"
        )
        heard = asyncio.Queue[bytes]()

        async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            message = await reader.readuntil(b"\r\n\r\n")
            await _closed(writer)
            heard.put_nowait(message)

        server = await asyncio.start_server(hear, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        head = invite.format(transport="TCP", number=7)
        writer.write(head.replace("df7jal23ls0d.invalid", f"127.0.0.1:{port}").encode())
        await until(lambda: bool(bob.endpoint.agent.sessions))
        writer.transport.abort()
        await until(lambda: bob.connections == 0)
        (session,) = bob.endpoint.agent.sessions.values()
        session.hang_up(bob.endpoint.now())
        bob.endpoint.flush()
        async with asyncio.timeout(5):
            assert (await heard.get()).startswith(b"SIP/2.0 480 ")
        server.close()


# Signs of life


async def test_a_connection_that_we_opened_is_kept_alive_and_given_up_when_nobody_answers(
    monkeypatch: pytest.MonkeyPatch, tls: TlsSettings
) -> None:
    monkeypatch.setattr(connection, "SHORTEST_REST", 0.05)
    monkeypatch.setattr(connection, "LONGEST_REST", 0.06)
    monkeypatch.setattr("gateway.sip.wire.keepalive._PATIENCE", 1.0)
    pings, is_answering, is_over = 0, True, asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal pings
        while data := await reader.read(4096):
            pings += data == b"\r\n\r\n"
            if is_answering and data == b"\r\n\r\n":
                writer.write(b"\r\n")
        await _closed(writer)
        is_over.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Station("tcp", tls=tls) as ann:
        flow = await ann.endpoint.resolve(ann.uri.replace(port=port))
        ann.endpoint.agent.invite(ann.uri, flow, ann.endpoint.now(), from_uri=ann.uri, sdp=b"offer")
        ann.endpoint.flush()
        await until(lambda: pings >= 3)
        assert ann.connections == 1
        is_answering = False
        await until(lambda: ann.connections == 0)
        assert ann.endpoint.counters["tcp_broken"] == 1
        async with asyncio.timeout(5):
            await is_over.wait()
        server.close()


async def test_the_system_tells_soon_of_a_machine_that_has_gone(tls: TlsSettings) -> None:
    async with stations("tls", tls) as (ann, bob):
        await connected(ann, bob)
        for station in (ann, bob):
            (one,) = (
                one
                for kind in station.endpoint._sockets
                for one in getattr(kind, "_by_number", {}).values()
            )
            sock = one._transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000


# Those who are slow, and those who are many


@pytest.mark.parametrize("transport", ["tls", "ws", "wss"])
async def test_a_handshake_that_does_not_end_is_ended(
    monkeypatch: pytest.MonkeyPatch, transport: str, tls: TlsSettings
) -> None:
    monkeypatch.setattr(connection, "_HANDSHAKE", 0.1)
    async with Station(transport, tls=tls) as bob:
        reader, writer = await asyncio.open_connection("127.0.0.1", bob.port)
        async with asyncio.timeout(5):
            assert await _rest_of(reader) == b""
        await _closed(writer)
        assert bob.endpoint.counters[f"{transport}_broken"] == 1


async def test_only_so_many_handshakes_go_on_at_a_time(
    monkeypatch: pytest.MonkeyPatch, tls: TlsSettings
) -> None:
    monkeypatch.setattr(streams, "_MOST_BEGINNING", 2)
    async with stations("tls", tls) as (ann, bob):
        idle = [await asyncio.open_connection("127.0.0.1", bob.port) for _ in range(5)]
        await until(lambda: bob.endpoint.counters["tls_turned_away"] == 3)
        for _, writer in idle:
            await _closed(writer)
        await until(lambda: bob.connections == 0)
        await connected(ann, bob)


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _rest_of(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


async def test_a_message_that_does_not_end_is_not_awaited_for_ever(
    monkeypatch: pytest.MonkeyPatch, tls: TlsSettings
) -> None:
    monkeypatch.setattr(connection, "_PATIENCE", 0.2)
    async with Station("tcp", tls=tls) as bob:
        reader, writer = await asyncio.open_connection("127.0.0.1", bob.port)
        whole = OPTIONS.format(transport="TCP", number=1).encode()
        writer.write(whole + whole[:50])
        async with asyncio.timeout(5):
            answer = await _rest_of(reader)
        assert answer.startswith(b"SIP/2.0 200 OK")
        await _closed(writer)
        quiet_reader, quiet = await asyncio.open_connection("127.0.0.1", bob.port)
        quiet.write(OPTIONS.format(transport="TCP", number=2).encode())
        await quiet_reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.4)  # between messages there is no hurry
        quiet.write(OPTIONS.format(transport="TCP", number=3).encode())
        assert (await quiet_reader.readuntil(b"\r\n\r\n")).startswith(b"SIP/2.0 200 OK")
        await _closed(quiet)


async def test_one_host_may_not_take_every_connection(
    monkeypatch: pytest.MonkeyPatch, tls: TlsSettings
) -> None:
    monkeypatch.setattr(streams, "_MOST_OF_ONE", 3)
    async with Station("tcp", tls=tls) as bob:
        writers = [(await asyncio.open_connection("127.0.0.1", bob.port))[1] for _ in range(5)]
        await until(lambda: bob.endpoint.counters["tcp_turned_away"] == 2)
        assert bob.connections == 3
        for writer in writers:
            await _closed(writer)


async def test_a_connection_of_ours_that_is_of_no_use_makes_room_and_its_call_goes_on(
    monkeypatch: pytest.MonkeyPatch, tls: TlsSettings
) -> None:
    monkeypatch.setattr(streams, "_MOST_CONNECTIONS", 2)
    eve, dan = Station("tls", tls=tls), Station("tls", tls=tls)
    async with stations("tls", tls) as (ann, bob), eve, dan:
        call, _ = await connected(ann, bob)
        for other in (eve, dan):
            await connected(ann, other)
        await until(lambda: ann.connections == 2 and bob.connections == 0)
        assert (eve.connections, dan.connections) == (1, 1)
        call.hang_up(ann.endpoint.now())
        ann.endpoint.flush()
        assert await bob.wait_for(Ended) == Ended("peer", 200, None)


async def test_who_does_not_read_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, tls: TlsSettings
) -> None:
    monkeypatch.setattr(connection, "_MOST_UNSENT", 50_000)
    async with Station("tcp", tls=tls) as bob:
        _, writer = await asyncio.open_connection("127.0.0.1", bob.port, limit=1)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(20):
            number = 0
            while not bob.endpoint.counters["tcp_broken"]:
                for _ in range(500):
                    number += 1
                    writer.write(OPTIONS.format(transport="TCP", number=number).encode())
                await asyncio.sleep(0)
        writer.transport.abort()
        await until(lambda: bob.connections == 0)


# Browsers


@pytest.mark.parametrize("transport", ["ws", "wss"])
async def test_a_browser_is_answered_and_called_back_over_its_own_connection(
    transport: str, tls: TlsSettings, tmp_path: Path
) -> None:
    async with Station(transport, tls=tls) as bob:
        context = ssl.create_default_context(cafile=tls.authorities) if transport == "wss" else None
        url = f"{transport}://127.0.0.1:{bob.port}/"
        async with connect(url, subprotocols=[Subprotocol("sip")], ssl=context) as browser:
            await browser.send(OPTIONS.format(transport=transport.upper(), number=1))
            answer = await browser.recv()
            assert str(answer).startswith("SIP/2.0 200 OK")
            assert ";received=127.0.0.1" in str(answer)
            await browser.send(INVITE.format(transport=transport.upper(), number=2))
            answer = str(await browser.recv())
            while answer.startswith("SIP/2.0 100"):
                answer = str(await browser.recv())
            assert answer.startswith("SIP/2.0 200 OK")
            assert f"Contact: <sip:127.0.0.1:{bob.port};transport=ws>" in answer
            tag = next(line for line in answer.splitlines() if line.startswith("To:"))
            ack = OPTIONS.replace("OPTIONS", "ACK").format(transport=transport.upper(), number=2)
            await browser.send(ack.replace("To: <sip:probe@127.0.0.1>", tag))
            (session,) = bob.endpoint.agent.sessions.values()
            await until(lambda: session.state.name == "CONFIRMED")
            session.hang_up(bob.endpoint.now())
            bob.endpoint.flush()
            bye = str(await browser.recv())
            assert bye.startswith("BYE sip:a@df7jal23ls0d.invalid;transport=ws SIP/2.0")
            assert f"Via: SIP/2.0/{transport.upper()} 127.0.0.1:{bob.port};" in bye


async def test_a_call_to_a_browser_that_has_gone_fails_at_once(tls: TlsSettings) -> None:
    async with Station("ws", tls=tls) as bob:
        url = f"ws://127.0.0.1:{bob.port}/"
        async with connect(url, subprotocols=[Subprotocol("sip")]) as browser:
            await browser.send(INVITE.format(transport="WS", number=2))
            await browser.recv()
            (session,) = bob.endpoint.agent.sessions.values()
        await until(lambda: bob.connections == 0)
        assert bob.endpoint.counters["ws_broken"] == 0
        session.hang_up(bob.endpoint.now())
        bob.endpoint.flush()
        assert isinstance(await bob.wait_for(Ended), Ended)


async def test_who_does_not_speak_sip_in_a_websocket_is_refused(tls: TlsSettings) -> None:
    async with Station("ws", tls=tls) as bob:
        with pytest.raises(InvalidStatus):
            async with connect(f"ws://127.0.0.1:{bob.port}/"):
                pass
        await until(lambda: bob.connections == 0)

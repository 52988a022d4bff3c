"""The endpoint on real sockets of this machine: datagrams, connections, and their ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from peers import free_port
from stations import Station, until

from gateway.errors import SipError
from gateway.sip.dialogs.session_events import Answered, Ended, SessionEvent
from gateway.sip.wire.uri import Uri

OPTIONS = b"""\
OPTIONS sip:probe@127.0.0.1 SIP/2.0\r
Via: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK-%d;rport\r
From: <sip:a@127.0.0.1>;tag=a\r
To: <sip:probe@127.0.0.1>\r
Call-ID: %d\r
CSeq: 1 OPTIONS\r
Max-Forwards: 70\r
Content-Length: 0\r
\r
"""


@asynccontextmanager
async def stations(transport: str) -> AsyncIterator[tuple[Station, Station]]:
    ann, bob = Station(transport), Station(transport)
    async with ann, bob:
        yield ann, bob


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("is_caller", [True, False])
async def test_call_is_placed_answered_and_ended(transport: str, is_caller: bool) -> None:
    async with stations(transport) as (ann, bob):
        call = await ann.call(bob)
        assert await ann.wait_for(Answered) == Answered(b"answer")
        await until(lambda: all(s.is_live for s in bob.endpoint.agent.sessions.values()))
        (taken,) = bob.endpoint.agent.sessions.values()
        ending, station = (call, ann) if is_caller else (taken, bob)
        await until(lambda: ending.state.name == "CONFIRMED")
        ending.hang_up(station.endpoint.now())
        station.endpoint.flush()
        ended = [await ann.wait_for(Ended), await bob.wait_for(Ended)]
        assert {e.by for e in ended if isinstance(e, Ended)} == {"gateway", "peer"}
        await until(lambda: not ann.endpoint.agent.sessions and not bob.endpoint.agent.sessions)


async def test_calls_share_one_connection() -> None:
    async with stations("tcp") as (ann, bob):
        calls = [await ann.call(bob) for _ in range(20)]
        for _ in calls:
            await ann.wait_for(Answered)
        flows = {session.flow.id for session in bob.endpoint.agent.sessions.values()}
        assert len(flows) == 1


async def test_connection_that_nobody_takes_fails_the_call_at_once() -> None:
    async with stations("tcp") as (ann, bob):
        await bob.endpoint.close()
        gone = Uri("sip", "bob", "127.0.0.1", ann.port ^ 1, {"transport": "tcp"})
        flow = await ann.endpoint.resolve(gone)
        session = ann.endpoint.agent.invite(
            gone, flow, ann.endpoint.now(), from_uri=ann.uri, sdp=b"offer"
        )
        ann.endpoint.listen(session, ann.events.put_nowait)
        ann.endpoint.flush()
        ended = await ann.wait_for(Ended)
        assert isinstance(ended, Ended)
        assert ended.status == 503


async def test_stream_is_cut_into_messages_however_it_arrives() -> None:
    async with stations("tcp") as (ann, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", ann.port)
        for byte in OPTIONS % (1, 1):
            writer.write(bytes([byte]))
            await writer.drain()
        writer.write(b"\r\n\r\n" + OPTIONS % (2, 2) + OPTIONS % (3, 3))
        received = b""
        async with asyncio.timeout(5):
            while received.count(b"SIP/2.0 200 OK") < 3:
                received += await reader.read(4096)
        writer.close()
        await writer.wait_closed()
        # The keep-alive is answered by an empty line, before or between the responses.
        assert (b"\r\n\r\n" + received).count(b"\r\n\r\n\r\nSIP/2.0") == 1


async def test_connection_that_talks_nonsense_is_closed_and_others_are_not() -> None:
    async with stations("tcp") as (ann, bob):
        await ann.call(bob)
        await ann.wait_for(Answered)
        reader, writer = await asyncio.open_connection("127.0.0.1", bob.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with suppress(ConnectionResetError):
            async with asyncio.timeout(5):
                assert await reader.read() == b""
        writer.close()
        assert len(bob.endpoint.agent.sessions) == 1


async def test_garbage_datagrams_are_survived() -> None:
    async with stations("udp") as (ann, bob):
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=("127.0.0.1", bob.port)
        )
        for data in (b"", b"\r\n\r\n", b"\x00" * 1500, b"INVITE", b"x" * 60_000):
            transport.sendto(data)
        await ann.call(bob)
        await ann.wait_for(Answered)
        transport.close()
        assert bob.endpoint.counters["malformed"] >= 2


async def test_datagrams_that_nobody_takes_fail_a_call_and_cost_others_nothing() -> None:
    async with stations("udp") as (ann, bob):
        gone = Uri("sip", "bob", "127.0.0.1", free_port())
        flows = await ann.endpoint.resolve(gone)
        session = ann.endpoint.agent.invite(
            gone, flows, ann.endpoint.now(), from_uri=ann.uri, sdp=b"offer"
        )
        ended: list[SessionEvent] = []
        ann.endpoint.listen(session, ended.append)
        ann.endpoint.flush()
        call = await ann.call(bob)  # the refusal of the other datagram is due at this one
        assert await ann.wait_for(Answered) == Answered(b"answer")
        await until(lambda: bool(ended))
        assert ended == [Ended("peer", 503, None)]
        assert call.is_live
        sent = ann.endpoint.counters["udp_errors"]
        assert sent >= 2


async def test_there_is_no_way_to_a_host_that_does_not_exist() -> None:
    async with stations("udp") as (ann, _):
        with pytest.raises(SipError):
            await ann.endpoint.resolve(Uri.parse("sip:x@no-such-host.invalid:5060"))
        with pytest.raises(SipError):
            await ann.endpoint.resolve(Uri.parse("sip:x@127.0.0.1;transport=tcp"))


async def test_events_before_anyone_listens_are_kept() -> None:
    async with stations("udp") as (ann, bob):
        session = await ann.call(bob)
        await ann.wait_for(Answered)
        (taken,) = bob.endpoint.agent.sessions.values()
        heard: list[SessionEvent] = []
        del bob.endpoint._listeners[taken]
        session.hang_up(ann.endpoint.now())
        ann.endpoint.flush()
        await until(lambda: not taken.is_live)
        bob.endpoint.listen(taken, heard.append)
        assert Ended("peer", 200, None) in heard

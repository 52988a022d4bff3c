"""What an endpoint does on real sockets where something fails: alike on both event loops."""

import asyncio
import errno
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import uvloop
from certificates import Authority
from stations import Station, until

from gateway.config import TlsSettings
from gateway.sip.dialogs.session_events import Answered, Ended
from gateway.sip.transport import connection
from gateway.sip.transport.address import Bind
from gateway.sip.transport.udp import UdpSocket

Play: TypeAlias = Callable[[Coroutine[Any, Any, None]], None]

OPTIONS = b"""\
OPTIONS sip:probe@127.0.0.1 SIP/2.0\r
Via: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bK-1\r
From: <sip:a@127.0.0.1>;tag=a\r
To: <sip:probe@127.0.0.1>\r
Call-ID: 1\r
CSeq: 1 OPTIONS\r
Max-Forwards: 70\r
Content-Length: 0\r
\r
"""


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest) -> Play:
    """Return what runs a scene; nothing in it may come to the loop's own notice as a fault."""

    def run(scene: Coroutine[Any, Any, None]) -> None:
        faults: list[object] = []
        with asyncio.Runner(loop_factory=request.param) as runner:
            loop = runner.get_loop()
            loop.set_exception_handler(lambda _, told: faults.append(told.get("exception")))
            runner.run(scene)
        assert faults == []

    return run


async def connected(ann: Station, bob: Station) -> str:
    """Have Ann call Bob; return what names the call."""
    call = await ann.call(bob)
    await ann.wait_for(Answered)
    session = next(s for s in bob.endpoint.agent.sessions.values() if s.call_id == call.call_id)
    await until(lambda: session.state.name == "CONFIRMED")
    return call.call_id


def hang_up_both(ann: Station, bob: Station, lost: str) -> None:
    """Have Bob end every call at once, one of them towards where none of his sockets reaches."""
    sessions = list(bob.endpoint.agent.sessions.values())
    for session in sorted(sessions, key=lambda session: session.call_id != lost):
        if session.call_id == lost:
            assert session.dialog is not None
            session.dialog.target = ann.uri.replace(host="[::1]", port=9)
        session.hang_up(bob.endpoint.now())
    bob.endpoint.flush()


def test_a_message_that_no_socket_can_send_fails_alone(play: Play) -> None:
    async def scene() -> None:
        async with Station("udp") as ann, Station("udp") as bob:
            lost = await connected(ann, bob)
            await connected(ann, bob)
            hang_up_both(ann, bob, lost)
            await ann.wait_for(Ended)
            await until(lambda: not bob.endpoint.agent.sessions)
            assert bob.endpoint.counters["unsent"] == 1

    play(scene())


def test_a_fault_in_sending_one_message_leaves_the_others_alone(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        async with Station("udp") as ann, Station("udp") as bob:
            lost = await connected(ann, bob)
            await connected(ann, bob)
            send = UdpSocket.send

            def fail(self: UdpSocket, data: bytes, flow: Any) -> None:
                if data.startswith(b"BYE") and lost.encode() in data:
                    raise ValueError("the loop does not like that address")
                send(self, data, flow)

            monkeypatch.setattr(UdpSocket, "send", fail)
            for session in list(bob.endpoint.agent.sessions.values()):
                session.hang_up(bob.endpoint.now())
            bob.endpoint.flush()
            await ann.wait_for(Ended)
            await until(lambda: not bob.endpoint.agent.sessions)
            assert bob.endpoint.counters["unsent"] == 1

    play(scene())


def test_a_message_goes_out_by_the_socket_of_its_family(play: Play) -> None:
    async def scene() -> None:
        async with Station("udp") as ann, Station("udp", "::1") as other, Station("udp") as bob:
            await connected(ann, bob)
            v6 = UdpSocket(bob.endpoint._receive, bob.endpoint._refuse)
            await v6.open(Bind("udp", "::1", 0))
            bob.endpoint._sockets.append(v6)
            (session,) = bob.endpoint.agent.sessions.values()
            assert session.dialog is not None
            session.dialog.target = other.uri
            session.hang_up(bob.endpoint.now())
            bob.endpoint.flush()
            await until(lambda: other.endpoint.counters["unknown_dialog"] == 1)

    play(scene())


def test_a_connection_whose_encryption_cannot_begin_takes_no_plain_text(
    play: Play, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(connection, "_notice_silence", fail)
    own = Authority(tmp_path).certificate("127.0.0.1")
    tls = TlsSettings(certificate=str(own), authorities=str(own))

    async def scene() -> None:
        async with Station("tls", tls=tls) as bob:
            reader, writer = await asyncio.open_connection("127.0.0.1", bob.port)
            writer.write(OPTIONS)
            async with asyncio.timeout(5):
                with suppress(ConnectionError):
                    assert await reader.read() == b""
            writer.close()
            assert bob.endpoint.counters["tls_broken"] == 1
            assert bob.connections == 0

    play(scene())

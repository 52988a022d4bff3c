"""SIP over TLS on real sockets: who is believed, who is not, and which connections are used."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from certificates import Authority
from stations import Station, until
from structlog.testing import capture_logs

from gateway.config import TlsSettings
from gateway.sip.dialogs.session_events import Answered, Ended
from gateway.sip.wire.uri import Uri


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def member(authority: Authority, *names: str, **more: str) -> TlsSettings:
    """Return the settings of somebody who believes the authority, and has its certificate."""
    own = {"certificate": str(authority.certificate(*names))} if names else {}
    return TlsSettings.model_validate({"authorities": str(authority.file), **own, **more})


@asynccontextmanager
async def stations(ann: TlsSettings, bob: TlsSettings) -> AsyncIterator[tuple[Station, Station]]:
    both = Station("tls", tls=ann), Station("tls", tls=bob)
    async with both[0], both[1]:
        yield both


async def why_refused(ann: Station, bob: Station, host: str = "127.0.0.1") -> str:
    """Have Ann call Bob in vain; return what the log says of it."""
    with capture_logs() as logs:
        await ann.call(bob, host)
        ended = await ann.wait_for(Ended)
    assert isinstance(ended, Ended)
    assert ended.status == 503
    assert not bob.endpoint.agent.sessions
    return " ".join(str(line.get("problem")) for line in logs)


# Who is believed


async def test_a_call_is_placed_answered_and_ended_over_one_connection(
    authority: Authority,
) -> None:
    settings = member(authority, "127.0.0.1"), member(authority, "127.0.0.1", "pbx.example")
    async with stations(*settings) as (ann, bob):
        call = await ann.call(bob)
        await ann.wait_for(Answered)
        (taken,) = bob.endpoint.agent.sessions.values()
        assert taken.flow.names == ("127.0.0.1",)
        await until(lambda: taken.state.name == "CONFIRMED")
        taken.hang_up(bob.endpoint.now())
        bob.endpoint.flush()
        await ann.wait_for(Ended)
        assert set(call.flow.names) == {"127.0.0.1", "pbx.example"}
        assert (await bob.wait_for(Ended)) == Ended("gateway", 200, None)
        assert bob.connections == ann.connections == 1


async def test_a_server_whose_certificate_is_that_of_another_gets_no_call(
    authority: Authority, tmp_path: Path
) -> None:
    bob_is = authority.certificate("pbx.example", common_name="127.0.0.1")
    settings = member(authority, "ann.example"), member(authority, certificate=str(bob_is))
    async with stations(*settings) as (ann, bob):
        assert "that of pbx.example, not of 127.0.0.1" in await why_refused(ann, bob)
        assert "that of pbx.example, not of localhost" in await why_refused(ann, bob, "localhost")
        stranger = Authority(tmp_path, "stranger")
        bob_is.write_bytes(stranger.certificate("127.0.0.1").read_bytes())
        assert "an authority that we do not know" in await why_refused(ann, bob)
        bob_is.write_bytes(authority.certificate("sip:localhost").read_bytes())
        await ann.call(bob, "localhost")
        await ann.wait_for(Answered)
    late = authority.certificate("127.0.0.1", is_expired=True)
    settings = member(authority, "ann.example"), member(authority, certificate=str(late))
    async with stations(*settings) as (ann, bob):
        assert "has expired" in await why_refused(ann, bob)


async def test_a_caller_with_a_certificate_that_nobody_we_know_signed_is_not_heard(
    authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger").certificate("127.0.0.1", file="ann.pem")
    ann_is = TlsSettings(certificate=str(stranger), authorities=str(authority.file))
    async with stations(ann_is, member(authority, "127.0.0.1", clients="require")) as (ann, bob):
        await ann.call(bob)
        ended = await ann.wait_for(Ended)
        assert isinstance(ended, Ended)
        assert ended.status == 503
        assert not bob.endpoint.agent.sessions
        assert bob.endpoint.counters["tls_broken"] == 1


async def test_the_server_is_told_whom_is_called(authority: Authority) -> None:
    asked: asyncio.Queue[str | None] = asyncio.Queue()
    context = authority.server("localhost")
    context.sni_callback = lambda _, name, __: asked.put_nowait(name)  # type: ignore[assignment]
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with Station("tls", tls=member(authority, "127.0.0.1")) as ann:
        target = Uri.parse(f"sips:bob@localhost:{port}")
        flow = await ann.endpoint.resolve(target)
        call = ann.endpoint.agent.invite(
            target, flow, ann.endpoint.now(), from_uri=ann.uri, sdp=b"offer"
        )
        ann.endpoint.flush()
        async with asyncio.timeout(5):
            assert await asked.get() == "localhost"
        assert (call.request.headers.get("Contact") or "").startswith("<sips:127.0.0.1:")
        server.close()


@pytest.mark.parametrize(
    ("version", "is_spoken"), [("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)]
)
async def test_only_versions_of_tls_from_1_2_on_are_spoken(
    authority: Authority, version: str, is_spoken: bool
) -> None:
    program = shutil.which("openssl")
    assert program, "openssl is missing: apt-get install openssl"
    async with Station("tls", tls=member(authority, "127.0.0.1")) as bob:
        process = await asyncio.create_subprocess_exec(
            *(program, "s_client", "-connect", f"127.0.0.1:{bob.port}", version),
            *("-CAfile", str(authority.file), "-cipher", "ALL:@SECLEVEL=0"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(20):
            out, _ = await process.communicate()
        assert (b"Cipher is (NONE)" not in out) == is_spoken
        assert (b"alert protocol version" in out) != is_spoken


# Which connections are used


async def test_a_connection_is_used_towards_who_opened_it_and_proved_to_be_there(
    authority: Authority,
) -> None:
    settings = member(authority, "127.0.0.1"), member(authority, "127.0.0.1")
    async with stations(*settings) as (ann, bob):
        await ann.call(bob)
        await ann.wait_for(Answered)
        await bob.call(ann)
        await bob.wait_for(Answered)
        assert ann.connections == bob.connections == 1


async def test_a_connection_is_not_used_towards_who_only_says_to_be_there(
    authority: Authority,
) -> None:
    settings = member(authority, "127.0.0.1"), member(authority, "127.0.0.1", clients="ignore")
    async with stations(*settings) as (ann, bob):
        await ann.call(bob)
        await ann.wait_for(Answered)
        await bob.call(ann)
        await bob.wait_for(Answered)
        assert ann.connections == bob.connections == 2


async def test_a_connection_is_not_used_towards_one_that_its_opener_has_not_proved_to_be(
    authority: Authority,
) -> None:
    settings = member(authority, "ann.example"), member(authority, "127.0.0.1")
    async with stations(*settings) as (ann, bob):
        await ann.call(bob)
        await ann.wait_for(Answered)
        await bob.call(ann)
        ended = await bob.wait_for(Ended)
        assert isinstance(ended, Ended)
        assert ended.status == 503

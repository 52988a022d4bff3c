"""SIP over TLS on real sockets: who is believed, who is not, and what is used again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from certificates import Authority
from stations import Station, until

from gateway.config import TlsSettings
from gateway.sip.session_events import Answered, Ended


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def believing(authority: Authority, *names: str, clients: str = "ask") -> TlsSettings:
    """Return the settings of somebody of these names who believes the authority."""
    own = str(authority.certificate(*names)) if names else ""
    return TlsSettings.model_validate(
        {"certificate": own, "authorities": str(authority.file), "clients": clients}
    )


@asynccontextmanager
async def stations(ann: TlsSettings, bob: TlsSettings) -> AsyncIterator[tuple[Station, Station]]:
    both = Station("tls", tls=ann), Station("tls", tls=bob)
    for station in both:
        await station.endpoint.start()
    try:
        yield both
    finally:
        for station in both:
            await station.endpoint.close()


async def refused(ann: Station, bob: Station, host: str = "127.0.0.1") -> bool:
    """Have Ann call Bob, and tell whether the connection came to nothing."""
    await ann.call(bob, host)
    ended = await ann.wait_for(Ended)
    assert isinstance(ended, Ended)
    return ended.status == 503 and not bob.endpoint.agent.sessions


async def test_a_call_is_placed_answered_and_ended_and_both_know_each_other(
    authority: Authority,
) -> None:
    settings = believing(authority, "127.0.0.1"), believing(authority, "127.0.0.1", "pbx.example")
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

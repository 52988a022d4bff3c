"""The programs of :mod:`peers`, as fixtures."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers import Gateway, Sipp, free_port, running


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway and its embedded service, as `voice-gateway demo` runs them."""
    log = tmp_path_factory.mktemp("demo") / "log"
    with running(["demo", "--port", "0", "--http-port", "0", "--json"], log) as gateway:
        yield gateway
        assert "Traceback" not in log.read_text()


@pytest.fixture
def sipp(tmp_path: Path) -> Sipp:
    return Sipp(tmp_path)


@pytest.fixture
def silent_service() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


@pytest.fixture
def closed_port() -> int:
    """A port that refuses connections."""
    return free_port()

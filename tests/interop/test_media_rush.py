"""Many calls that begin at one moment: their sockets are linked a few at a time, none is deaf."""

import socket
from collections.abc import Iterator

import pytest

from gateway.media.engine import Lane, MediaEngine
from gateway.media.ports import PortPool
from gateway.rtp.packet import RtpPacket
from gateway.sdp.codecs import Codec
from gateway.sdp.negotiate import Negotiated

pytestmark = pytest.mark.interop

PCMU = Codec("PCMU", 8000)
CALLS = 20


@pytest.fixture
def phones() -> Iterator[list[socket.socket]]:
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(CALLS)]
    for sock in socks:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
    yield socks
    for sock in socks:
        sock.close()


@pytest.fixture
def engine() -> Iterator[MediaEngine]:
    engine = MediaEngine(PortPool("32000-32999"))
    yield engine
    engine.close()


def linked(lanes: list[Lane]) -> int:
    return sum(lane._seat.outlet.order is not None for lane in lanes)


def test_calls_that_begin_together_are_linked_a_few_at_a_tick_and_lose_nothing(
    engine: MediaEngine, phones: list[socket.socket]
) -> None:
    lanes = [engine.open(lambda _: None, lambda _: None) for _ in phones]
    for lane, phone in zip(lanes, phones, strict=True):
        lane.configure(Negotiated(phone.getsockname(), None, PCMU, {0: PCMU}))
    engine.tick(0, 0.0)
    most = 0
    for n in range(20):
        for lane, phone in zip(lanes, phones, strict=True):
            frame = RtpPacket(0, n, n * 160, 7, bytes(160))
            phone.sendto(bytes(frame), (lane.host, lane.port))
        for group in range(4):
            before = linked(lanes)
            engine.tick(group, 0.02 * n + 0.005 * group)
            most = max(most, linked(lanes) - before)
    assert 0 < most < CALLS
    assert linked(lanes) == CALLS
    assert [lane.stats().packets_received for lane in lanes] == [20] * CALLS
    assert all(lane.stats().wrong_source == 0 for lane in lanes)


def test_a_caller_who_waits_for_a_link_is_sent_to_where_they_are(
    engine: MediaEngine, phones: list[socket.socket]
) -> None:
    elsewhere = ("127.0.0.1", 9)  # what a caller behind a NAT believes of themselves
    lanes = [engine.open(lambda _: None, lambda _: None) for _ in phones]
    for lane in lanes:
        lane.configure(Negotiated(elsewhere, None, PCMU, {0: PCMU}))
    for n in range(5):  # four packets are needed to believe it
        for lane, phone in zip(lanes, phones, strict=True):
            frame = RtpPacket(0, n, n * 160, 7, bytes(160))
            phone.sendto(bytes(frame), (lane.host, lane.port))
        engine.tick(0, 0.02 * n)
    assert linked(lanes) < CALLS
    for group in range(4):
        engine.tick(group, 0.1 + 0.005 * group)
    assert all(len(phone.recv(2000)) == 172 for phone in phones)

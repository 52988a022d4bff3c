"""Two of our peers meet on this machine's loopback: sound, messages, and the end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.errors import RtcError
from gateway.rtc import Peer, PeerState
from gateway.rtp.packet import RtpPacket

pytestmark = pytest.mark.interop


class Side:
    """A peer that keeps what it was told."""

    def __init__(self, codecs: tuple[str, ...] = ("opus", "PCMU", "PCMA")) -> None:
        self.packets: list[RtpPacket] = []
        self.messages: list[str] = []
        self.states: list[PeerState] = []
        self.changed = asyncio.Condition()
        self.peer = Peer(
            on_rtp=self.packets.append,
            on_message=self.messages.append,
            on_state=self.states.append,
            codecs=codecs,
            is_local=True,
        )

    async def reach(self, state: PeerState) -> None:
        async with asyncio.timeout(10):
            while state not in self.states:
                await asyncio.sleep(0.005)


async def until(condition: object, seconds: float = 10) -> None:
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Side, Side]]:
    ours, theirs = Side(), Side()
    await ours.peer.accept(await theirs.peer.answer(await ours.peer.offer()))
    await asyncio.gather(ours.reach(PeerState.OPEN), theirs.reach(PeerState.OPEN))
    yield ours, theirs
    await asyncio.gather(ours.peer.close(), theirs.peer.close())
    assert len(asyncio.all_tasks()) == 1
    for side in (ours, theirs):
        assert side.states == [PeerState.OPEN, PeerState.CLOSED]


async def test_sound_goes_both_ways_as_the_packets_that_were_sent(pair: tuple[Side, Side]) -> None:
    ours, theirs = pair
    opus, pcmu = 111, 0
    for number in range(5):
        ours.peer.send_audio(bytes([number]) * 40, payload_type=opus, samples=960)
        theirs.peer.send_audio(bytes([number]) * 160, payload_type=pcmu, samples=160)
    await until(lambda: len(ours.packets) == len(theirs.packets) == 5)
    assert [p.payload[0] for p in theirs.packets] == [0, 1, 2, 3, 4]
    first = theirs.packets[0]
    assert [p.timestamp - first.timestamp for p in theirs.packets] == [0, 960, 1920, 2880, 3840]
    assert [p.sequence - first.sequence for p in theirs.packets] == [0, 1, 2, 3, 4]
    assert [p.marker for p in theirs.packets] == [True, False, False, False, False]
    assert [p.payload_type for p in ours.packets] == [pcmu] * 5
    assert ours.peer.stats.packets_sent == theirs.peer.stats.packets_received == 5


async def test_messages_go_both_ways_whole_and_in_order(pair: tuple[Side, Side]) -> None:
    ours, theirs = pair
    long = "x" * 250_000
    ours.peer.send("first")
    ours.peer.send(long)
    theirs.peer.send("späßchen")
    await until(lambda: len(theirs.messages) == 2 and ours.messages)
    assert theirs.messages == ["first", long]
    assert ours.messages == ["späßchen"]


async def test_a_message_longer_than_the_other_side_takes_is_refused(
    pair: tuple[Side, Side],
) -> None:
    ours, _ = pair
    with pytest.raises(RtcError, match="262145 bytes"):
        ours.peer.send("x" * 262_145)


async def test_the_end_of_one_side_is_told_to_the_other(pair: tuple[Side, Side]) -> None:
    ours, theirs = pair
    await theirs.peer.close()
    await ours.reach(PeerState.CLOSED)
    assert "the other side" in ours.peer.reason
    assert theirs.peer.reason == ""
    with pytest.raises(RtcError, match="not open"):
        ours.peer.send("too late")
    ours.peer.send_audio(b"", payload_type=0, samples=160)  # goes nowhere, and harms nobody


async def test_the_first_codec_both_sides_have_is_preferred() -> None:
    ours, theirs = Side(("PCMU", "PCMA", "opus")), Side(("opus", "PCMU"))
    answer = await theirs.peer.answer(await ours.peer.offer())
    await ours.peer.accept(answer)
    assert dict(ours.peer.codecs) == dict(theirs.peer.codecs) == {0: "PCMU", 111: "opus"}
    assert ours.peer.preferred == 0
    await asyncio.gather(ours.peer.close(), theirs.peer.close())


async def test_a_certificate_other_than_the_one_described_is_refused_on_both_sides() -> None:
    ours, theirs = Side(), Side()
    answer = await theirs.peer.answer(await ours.peer.offer())
    forged = [
        f"a=fingerprint:sha-256 {':'.join(['00'] * 32)}" if "fingerprint" in line else line
        for line in answer.splitlines()
    ]
    await ours.peer.accept("\r\n".join(forged))
    await ours.reach(PeerState.CLOSED)
    assert ours.states == [PeerState.CLOSED]
    assert "handshake" in ours.peer.reason
    await asyncio.gather(ours.peer.close(), theirs.peer.close())
    assert len(asyncio.all_tasks()) == 1


async def test_what_is_no_rtp_or_no_json_text_ends_nothing(pair: tuple[Side, Side]) -> None:
    ours, theirs = pair
    assert ours.peer._dtls is not None
    for junk in (b"\x80\x6f", b"\x80\x05" + bytes(20), b"\x80\xc8\x00\x01junk"):
        ours.peer._send_packet(junk, False)
    ours.peer._send_packet(b"\x80\xc8\xff\xff" + bytes(8), True)
    assert ours.peer._channel is not None
    ours.peer._channel.send(b"\xff\xfe")  # binary, and no UTF-8
    ours.peer.send("still here")
    await until(lambda: "still here" in theirs.messages)
    assert theirs.peer.is_open
    assert theirs.peer.stats.malformed >= 1


async def test_a_peer_that_was_never_answered_closes_at_once() -> None:
    side = Side()
    await side.peer.offer()
    await side.peer.close()
    assert side.states == [PeerState.CLOSED]
    assert len(asyncio.all_tasks()) == 1


async def test_a_peer_whose_other_side_is_gone_closes_in_bounded_time() -> None:
    ours, theirs = Side(), Side()
    answer = await theirs.peer.answer(await ours.peer.offer())
    await theirs.peer.close()
    await ours.peer.accept(answer)
    await asyncio.sleep(0.1)
    async with asyncio.timeout(5):
        await ours.peer.close()
    assert ours.states == [PeerState.CLOSED]
    assert len(asyncio.all_tasks()) == 1

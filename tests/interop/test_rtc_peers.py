"""Two of our peers meet on this machine's loopback: sound, messages, and the end."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from aiortc.rtcsctptransport import WEBRTC_STRING

from gateway.errors import RtcError
from gateway.rtc import Peer, PeerState
from gateway.rtc.description import LONGEST_MESSAGE
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
    with pytest.raises(RtcError, match=f"{LONGEST_MESSAGE + 1} bytes"):
        ours.peer.send("x" * (LONGEST_MESSAGE + 1))


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
    assert ours.peer._stack.dtls is not None
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


async def test_datagrams_of_strangers_end_nothing(pair: tuple[Side, Side]) -> None:
    ours, theirs = pair
    assert ours.peer._stack.ice is not None
    where = ours.peer._stack.ice.local_candidates[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for junk in (b"", b"\x16", b"\x80" * 12, b"\x00" * 20, b"junk"):
            stranger.sendto(junk, (where.host, where.port))
    theirs.peer.send("still here")
    await until(lambda: ours.messages == ["still here"] or not ours.peer.is_open)
    await asyncio.sleep(0.05)
    assert ours.peer.is_open


async def test_what_nobody_reads_yet_is_kept_within_bounds() -> None:
    side = Side()
    await side.peer.offer()
    assert side.peer._stack.ice is not None
    for _ in range(5000):
        side.peer._stack.ice.data_received(b"x", 1)
    assert side.peer._stack.ice._queue.qsize() <= 1024
    await side.peer.close()


async def test_a_text_that_is_no_utf_8_is_handed_on_all_the_same(pair: tuple[Side, Side]) -> None:
    ours, theirs = pair
    sctp, channel = ours.peer._stack.sctp, ours.peer._channel
    assert sctp is not None
    assert channel is not None
    sctp._data_channel_queue.append((channel, WEBRTC_STRING, b'{"type":"caf\xe9"}'))
    channel._addBufferedAmount(15)
    await sctp._data_channel_flush()
    await until(lambda: theirs.messages == ['{"type":"caf\ufffd"}'])


async def test_a_message_of_megabytes_comes_whole(pair: tuple[Side, Side]) -> None:
    ours, theirs = pair
    ours.peer.send("x" * (5 << 20))
    ours.peer.send("after")
    await until(lambda: len(theirs.messages) == 2, seconds=60)
    assert [len(message) for message in theirs.messages] == [5 << 20, 5]


async def test_a_message_without_end_ends_the_connection_and_not_the_process(
    pair: tuple[Side, Side],
) -> None:
    ours, theirs = pair
    sctp, channel = ours.peer._stack.sctp, ours.peer._channel
    assert sctp is not None
    assert channel is not None
    listener = theirs.peer._stack.sctp
    assert listener is not None
    listener._advertised_rwnd = 1 << 20  # the rest of its room is taken
    sctp._remote_max_message_size = 0  # that they take any is not what they said
    channel.send("x" * (3 << 20))
    await theirs.reach(PeerState.CLOSED)
    assert "without end" in theirs.peer.reason
    assert theirs.messages == []


async def test_a_service_that_wants_no_messages_is_left_at_once() -> None:
    ours, theirs = Side(), Side()
    await ours.peer.accept(await theirs.peer.answer(await ours.peer.offer()))
    await until(lambda: theirs.peer._channel is not None)
    assert theirs.peer._channel is not None
    theirs.peer._channel.close()
    await ours.reach(PeerState.CLOSED)
    assert "data channel" in ours.peer.reason
    await asyncio.gather(ours.peer.close(), theirs.peer.close())
    assert len(asyncio.all_tasks()) == 1


async def test_closing_may_be_given_up_at_any_moment_and_tried_again() -> None:
    for turns in range(0, 24, 3):
        ours, theirs = Side(), Side()
        await ours.peer.accept(await theirs.peer.answer(await ours.peer.offer()))
        await ours.reach(PeerState.OPEN)
        closing = asyncio.create_task(ours.peer.close())
        for _ in range(turns):
            await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        await ours.peer.close()
        await theirs.peer.close()
        assert ours.states == [PeerState.OPEN, PeerState.CLOSED]
        assert len(asyncio.all_tasks()) == 1

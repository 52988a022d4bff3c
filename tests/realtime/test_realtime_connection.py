"""The WebSocket without queues, joined in memory to the server's half of `websockets`."""

import asyncio
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from gateway.realtime.connection import DirectConnection, text_frame


class Wire(asyncio.Transport):
    """A transport that ends in a server's protocol object."""

    def __init__(self) -> None:
        super().__init__()
        self.server = ServerProtocol(max_size=None)
        self.writes: list[bytes] = []
        self.aborts = 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return self.aborts > 0

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.server.receive_eof()

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))
        self.server.receive_data(bytes(data))

    def abort(self) -> None:
        if not self.aborts:
            self.aborts += 1
            self.connection.connection_lost(None)

    def join(self, connection: DirectConnection) -> None:
        self.connection = connection
        connection.connection_made(self)


class Line:
    """Both ends of a connection past its handshake, and what the listener was told."""

    def __init__(self) -> None:
        self.wire = Wire()
        protocol = ClientProtocol(parse_uri("ws://service/"), max_size=100_000)
        self.connection = DirectConnection(protocol, close_timeout=0.0, ping_interval=None)
        self.wire.join(self.connection)
        self.messages: list[bytes] = []
        self.ends: list[Close | None] = []
        self.writable = 0

    async def open(self) -> None:
        shaking = asyncio.create_task(self.connection.handshake())
        await asyncio.sleep(0)
        (request,) = self.server.events_received()
        assert isinstance(request, Request)
        self.server.send_response(self.server.accept(request))
        self.answer()
        await shaking

    @property
    def server(self) -> ServerProtocol:
        return self.wire.server

    def answer(self) -> None:
        """Deliver everything the server has to say in one piece."""
        pieces = self.server.data_to_send()
        if data := b"".join(pieces):
            self.connection.data_received(data)
        if b"" in pieces and not self.wire.aborts:
            self.connection.eof_received()
            self.wire.abort()

    async def listen(self) -> None:
        self.connection.listen(self.take, self.note_writable, self.ends.append)
        await asyncio.sleep(0)

    def take(self, message: bytes | bytearray) -> None:
        self.messages.append(bytes(message))

    def note_writable(self) -> None:
        self.writable += 1

    def received(self) -> list[tuple[Opcode, bytes]]:
        events = cast("list[Frame]", self.server.events_received())
        return [(frame.opcode, bytes(frame.data)) for frame in events]


@pytest.fixture
async def line() -> Line:
    line = Line()
    await line.open()
    return line


@given(
    size=st.sampled_from([0, 1, 125, 126, 4000, 65535, 65536, 70_001]),
    key=st.binary(min_size=4, max_size=4),
)
@settings(max_examples=100)
def test_a_text_frame_is_read_by_a_server_as_it_was_written(size: int, key: bytes) -> None:
    text = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    server = ServerProtocol(state=State.OPEN, max_size=None)
    server.receive_data(text_frame(text, key))
    (frame,) = server.events_received()
    assert isinstance(frame, Frame)
    assert (frame.opcode, bytes(frame.data), frame.fin) == (Opcode.TEXT, text, True)


async def test_messages_go_out_in_order_and_at_once(line: Line) -> None:
    sent = [f"message {n}".encode() for n in range(200)]
    for text in sent:
        line.connection.send_now(text)
    assert line.received() == [(Opcode.TEXT, text) for text in sent]


async def test_no_masking_key_is_used_twice_in_a_row(line: Line) -> None:
    del line.wire.writes[:]
    for _ in range(200):
        line.connection.send_now(b"abc")
    keys = {write[2:6] for write in line.wire.writes}
    assert len(keys) == 200


async def test_messages_are_handed_over_as_they_come_fragmented_or_not(line: Line) -> None:
    await line.listen()
    line.server.send_text(b"whole")
    line.server.send_text(b"in ", fin=False)
    line.server.send_continuation(b"three ", fin=False)
    line.server.send_ping(b"between")
    line.server.send_continuation(b"pieces", fin=True)
    line.server.send_binary(b"binary")
    line.answer()
    assert line.messages == [b"whole", b"in three pieces", b"binary"]
    assert line.received() == [(Opcode.PONG, b"between")]


async def test_what_comes_before_anybody_listens_is_kept_in_order(line: Line) -> None:
    line.server.send_text(b"one")
    line.answer()
    line.connection.listen(line.take, line.note_writable, line.ends.append)
    line.server.send_text(b"two")
    line.server.send_close(1000)
    line.answer()
    assert line.messages == []
    await asyncio.sleep(0)
    assert line.messages == [b"one", b"two"]
    assert line.ends == [Close(1000, "")]


async def test_the_end_is_told_once_with_the_other_sides_goodbye(line: Line) -> None:
    await line.listen()
    line.server.send_close(1001, "going")
    line.answer()
    assert line.ends == [Close(1001, "going")]
    assert line.wire.aborts == 0  # it is for the server to close; the timer sees to it
    await asyncio.sleep(0.001)
    assert line.wire.aborts == 1
    assert len(line.ends) == 1
    line.connection.send_now(b"late")
    assert (Opcode.TEXT, b"late") not in line.received()


async def test_a_cut_is_told_without_a_goodbye(line: Line) -> None:
    await line.listen()
    line.connection.connection_lost(ConnectionResetError())
    assert line.ends == [None]


@pytest.mark.parametrize(
    "data",
    [
        b"\x83\x00",  # no such opcode
        b"\x80\x01a",  # the rest of nothing
        b"\x81\x7f\x00\x00\x00\x00\x00\x10\x00\x00",  # larger than we take
    ],
)
async def test_what_cannot_be_understood_ends_the_connection(line: Line, data: bytes) -> None:
    await line.listen()
    line.connection.data_received(data)
    assert line.ends == [None]
    (opcode, _) = line.received()[-1]
    assert opcode is Opcode.CLOSE


async def test_a_message_in_endless_fragments_is_refused(line: Line) -> None:
    await line.listen()
    line.server.send_text(bytes(60_000), fin=False)
    line.server.send_continuation(bytes(60_000), fin=False)
    line.answer()
    assert line.ends == [None]
    assert line.messages == []


async def test_pressure_is_shown_and_its_end_told(line: Line) -> None:
    await line.listen()
    began = line.writable
    clogged = [line.connection.is_clogged]
    line.connection.pause_writing()
    clogged.append(line.connection.is_clogged)
    line.connection.resume_writing()
    clogged.append(line.connection.is_clogged)
    assert clogged == [False, True, False]
    assert line.writable == began + 1


async def test_a_close_waits_for_the_answer_but_not_for_ever(line: Line) -> None:
    await line.listen()
    line.connection.pause_writing()  # the goodbye itself may be stuck
    async with asyncio.timeout(1):
        await line.connection.close()
        await line.connection.close()
    assert line.ends == [None]
    assert line.received()[-1][0] is Opcode.CLOSE


async def test_our_goodbye_is_answered(line: Line) -> None:
    await line.listen()
    line.connection.drop(1011, "enough")
    line.answer()
    assert line.ends == [Close(1011, "enough")]
    assert line.wire.aborts == 1

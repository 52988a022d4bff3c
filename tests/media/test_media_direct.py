"""Datagrams in and out by the C library, with orders made once."""

import select
import socket
from collections.abc import Iterator

import pytest

from gateway.media import direct

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with near, far:
        near.setblocking(False)
        far.setblocking(False)
        yield near, far


def order(sock: socket.socket, place: bytearray, size: int) -> direct.Order:
    made = direct.order_for(sock, memoryview(place)[:size])
    assert made is not None
    return made


def test_an_order_sends_what_its_place_holds_at_that_moment(pair: Pair) -> None:
    place = bytearray(b"one packet and more")
    sends = order(pair[0], place, 10)
    assert direct.write(*sends) == 10
    place[:3] = b"two"
    assert direct.write(*sends) == 10
    assert [pair[1].recv(100) for _ in range(2)] == [b"one packet", b"two packet"]


def test_an_order_reads_one_datagram_into_its_place(pair: Pair) -> None:
    place = bytearray(20)
    reads = order(pair[1], place, 20)
    pair[0].send(b"first")
    pair[0].send(b"second one")
    assert direct.read(*reads) == 5
    assert place[:5] == b"first"
    assert direct.read(*reads) == 10
    assert place[:10] == b"second one"


def test_nothing_to_read_and_nobody_to_send_to_are_negative(pair: Pair) -> None:
    place = bytearray(20)
    assert direct.read(*order(pair[0], place, 20)) < 0
    pair[1].close()
    assert direct.write(*order(pair[0], place, 20)) < 0


def test_a_datagram_longer_than_its_place_is_cut_to_it(pair: Pair) -> None:
    place = bytearray(20)
    pair[0].send(bytes(range(1, 21)))
    assert direct.read(*order(pair[1], place, 8)) == 8
    assert place[8:] == bytes(12)


def test_a_poll_tells_of_the_sockets_that_have_something_and_of_no_other(pair: Pair) -> None:
    poll = direct.DirectPoll()
    poll.register(pair[0].fileno(), select.EPOLLIN)
    poll.register(pair[1].fileno(), select.EPOLLIN)
    assert poll.poll(0) == []
    pair[0].send(b"a")
    assert poll.poll(0) == [(pair[1].fileno(), select.EPOLLIN)]
    pair[1].send(b"b")
    both = {(sock.fileno(), select.EPOLLIN) for sock in pair}
    assert set(poll.poll(0)) == both
    poll.unregister(pair[1].fileno())
    assert poll.poll(0) == [(pair[0].fileno(), select.EPOLLIN)]
    poll.close()


def test_a_poll_is_the_same_where_there_is_no_c_library(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "_EPOLL_WAIT", None)
    poll = direct.DirectPoll()
    poll.register(pair[1].fileno(), select.EPOLLIN)
    pair[0].send(b"a")
    assert poll.poll(0) == [(pair[1].fileno(), select.EPOLLIN)]
    poll.close()


def test_what_is_no_socket_of_the_system_gets_no_order() -> None:
    assert direct.order_for(object(), memoryview(bytearray(4))) is None


def test_there_are_no_orders_where_there_is_no_c_library(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "_WRITE", None)
    assert direct.order_for(pair[0], memoryview(bytearray(4))) is None

"""Data that follows a DTLS handshake, between two sides and past others."""

import pytest

from gateway.rtp.association import Association
from gateway.rtp.dtls import MOST_RECEIVED, DtlsState, Handshake, Identity
from gateway.rtp.records import APPLICATION_DATA

OURS, THEIRS = Identity(), Identity()
PAGE = ("192.0.2.1", 5000)
ELSEWHERE = ("192.0.2.66", 666)


class Talk:
    """An association that somebody has shaken hands with."""

    def __init__(self, *, carries_data: bool = True) -> None:
        self.ours = Association(
            OURS, [THEIRS.digest], is_client=False, now=0.0, carries_data=carries_data
        )
        self.ours.aim(PAGE, 0.0)
        self.page = Handshake(THEIRS, [OURS.digest], is_client=True, now=0.0)
        self.heard: list[bytes] = []
        self.carry()
        assert self.page.state is DtlsState.DONE
        assert self.ours.is_keyed
        self.ours.events()

    def carry(self, now: float = 0.0) -> None:
        for _ in range(8):
            for datagram in self.page.data_to_send():
                self.ours.receive(datagram, PAGE, now, is_proved=True)
            for datagram, address in self.ours.data_to_send():
                assert address == PAGE
                self.page.receive(datagram, now)
            self.heard += self.page.data_received()


def test_data_goes_both_ways_in_datagrams_of_its_own() -> None:
    talk = Talk()
    for size in (1, 1200, 1228):
        talk.ours.send(b"o" * size)
        talk.page.send(b"p" * size)
    talk.carry()
    assert [len(data) for data in talk.heard] == [1, 1200, 1228]
    assert [len(data) for data in talk.ours.data_received()] == [1, 1200, 1228]
    assert talk.ours.data_received() == []


def test_it_goes_on_for_as_long_as_a_call_does() -> None:
    talk = Talk()
    for number in range(3 * MOST_RECEIVED):
        now = number * 0.5
        talk.ours.wake(now)
        talk.page.send(b"%d" % number)
        talk.ours.send(b"%d" % number)
        talk.carry(now)
    expected = [b"%d" % number for number in range(3 * MOST_RECEIVED)]
    assert talk.ours.data_received() == talk.heard == expected


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_goodbye_is_heard_and_nothing_goes_after_it(is_ours: bool) -> None:
    talk = Talk()
    if is_ours:
        talk.ours.close()
        talk.carry()
        assert talk.page.is_closed
    else:
        talk.page.close()
        talk.carry()
        assert talk.ours.is_closed
    talk.ours.send(b"too late")
    talk.carry()
    assert talk.heard == []


def test_nobody_who_says_it_in_the_clear_or_without_the_key_is_believed() -> None:
    talk = Talk()
    record = bytes([APPLICATION_DATA]) + b"\xfe\xfd\x00\x01" + bytes(6) + b"\x00\x10" + bytes(16)
    goodbye = b"\x15\xfe\xfd\x00\x00" + bytes(6) + b"\x00\x02\x01\x00"
    fatal = b"\x15\xfe\xfd\x00\x00" + bytes(6) + b"\x00\x02\x02\x28"
    for forged in (record, goodbye, fatal):
        talk.ours.receive(forged, PAGE, 0.0, is_proved=True)
        talk.ours.receive(forged, ELSEWHERE, 0.0)
    assert not talk.ours.is_closed
    assert talk.ours.data_received() == []
    talk.page.send(b"still here")
    talk.carry()
    assert talk.ours.data_received() == [b"still here"]


def test_what_is_said_twice_by_the_network_is_heard_once() -> None:
    talk = Talk()
    talk.page.send(b"once")
    for datagram in talk.page.data_to_send() * 3:
        talk.ours.receive(datagram, PAGE, 0.0, is_proved=True)
    assert talk.ours.data_received() == [b"once"]


def test_an_association_for_keys_alone_keeps_no_data() -> None:
    talk = Talk(carries_data=False)
    for _ in range(50):
        talk.page.send(b"x" * 1000)
    talk.carry()
    assert talk.ours.data_received() == []
    assert not talk.ours.is_closed

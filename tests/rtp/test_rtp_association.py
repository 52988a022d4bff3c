"""Keys by DTLS at a port where anybody may knock."""

import pytest

from gateway.rtp.association import (
    ATTEMPTS,
    PATIENCE,
    SOURCES,
    STRANGERS,
    Address,
    Association,
    Refused,
    Secured,
)
from gateway.rtp.dtls import LIMIT, DtlsState, Handshake, Identity

OURS, THEIRS, STRANGER = Identity(), Identity(), Identity()
ANNOUNCED = ("192.0.2.1", 5000)
NAT = ("198.51.100.7", 31_000)


class Peer:
    """Somebody with a certificate at an address."""

    def __init__(self, address: Address, identity: Identity, *, is_client: bool = True) -> None:
        self.address = address
        self.shake = Handshake(identity, [OURS.digest], is_client=is_client, now=0.0)

    def talk(self, association: Association, now: float = 0.0) -> None:
        """Carry datagrams both ways until there are no more."""
        for _ in range(8):
            for datagram in self.shake.data_to_send():
                association.receive(datagram, self.address, now)
            for datagram, address in association.data_to_send():
                if address == self.address:
                    self.shake.receive(datagram, now)

    def say_hello(self, association: Association, now: float = 0.0) -> None:
        """Say hello, and again with the cookie, and hear no answer to that."""
        for hello in self.shake.data_to_send():
            association.receive(hello, self.address, now)
        for cookie, _ in association.data_to_send():
            self.shake.receive(cookie, now)
        for hello in self.shake.data_to_send():
            association.receive(hello, self.address, now)
        association.data_to_send()


def server(remote: Address | None = ANNOUNCED) -> Association:
    association = Association(OURS, [THEIRS.digest], is_client=False, now=0.0)
    if remote is not None:
        association.aim(remote, 0.0)
    return association


def secured(association: Association) -> Address:
    return keyed(association).source


def keyed(association: Association) -> Secured:
    (event,) = association.events()
    assert isinstance(event, Secured)
    return event


def test_the_announced_side_gets_the_keys() -> None:
    association, peer = server(), Peer(ANNOUNCED, THEIRS)
    peer.talk(association)
    event = keyed(association)
    assert event.source == ANNOUNCED
    assert association.is_keyed
    assert peer.shake.keys is not None
    assert event.keys.local == peer.shake.keys.remote


def test_so_does_one_behind_a_nat() -> None:
    association, peer = server(), Peer(NAT, THEIRS)
    peer.talk(association)
    assert secured(association) == NAT


def test_we_begin_when_we_are_to_and_know_with_whom() -> None:
    association = Association(OURS, [THEIRS.digest], is_client=True, now=0.0)
    assert association.data_to_send() == []
    association.aim(ANNOUNCED, 0.0)
    ((hello, to),) = association.data_to_send()
    assert to == ANNOUNCED
    peer = Peer(ANNOUNCED, THEIRS, is_client=False)
    peer.shake.receive(hello, 0.0)
    peer.talk(association)
    assert secured(association) == ANNOUNCED


def test_nobody_else_answers_in_the_announced_sides_place() -> None:
    association = Association(OURS, [THEIRS.digest], is_client=True, now=0.0)
    association.aim(ANNOUNCED, 0.0)
    ((hello, _),) = association.data_to_send()
    thief = Peer(NAT, STRANGER, is_client=False)
    thief.shake.receive(hello, 0.0)
    thief.talk(association)
    assert association.dropped == 1
    assert association.events() == []


def test_strangers_shake_hands_in_vain_and_disturb_nobody() -> None:
    association = server()
    for port in range(100):
        Peer(("203.0.113.66", port), STRANGER).talk(association)
    assert association.dropped >= 100 - ATTEMPTS
    peer = Peer(ANNOUNCED, THEIRS)
    peer.talk(association)
    assert secured(association) == ANNOUNCED


def test_sources_that_say_hello_and_no_more_are_bounded_and_leave_room() -> None:
    association = server()
    for port in range(100):
        Peer(("203.0.113.66", port), STRANGER).say_hello(association)
    assert association.dropped == 100 - ATTEMPTS
    Peer(ANNOUNCED, THEIRS).talk(association)
    assert secured(association) == ANNOUNCED


def test_another_certificate_at_the_announced_address_is_refused_at_once() -> None:
    association, peer = server(), Peer(ANNOUNCED, STRANGER)
    peer.talk(association)
    (event,) = association.events()
    assert isinstance(event, Refused)
    assert "certificate" in event.reason
    assert not association.is_keyed
    assert peer.shake.state is DtlsState.FAILED
    assert association.deadline is None


@pytest.mark.parametrize(
    ("host", "ends_at"), [(NAT[0], 5.0 + PATIENCE), ("", LIMIT)], ids=["expected", "a stranger"]
)
def test_from_elsewhere_it_is_refused_when_nobody_better_came(host: str, ends_at: float) -> None:
    association = server()
    association.aim(ANNOUNCED, 0.0, host)
    Peer(NAT, STRANGER).talk(association, now=5.0)
    assert association.events() == []
    assert association.deadline == ends_at
    association.wake(ends_at)
    (event,) = association.events()
    assert isinstance(event, Refused)
    Peer(ANNOUNCED, THEIRS).talk(association)
    assert not association.is_keyed  # the call is being ended


def test_a_hello_of_one_who_hears_the_other_side_takes_one_attempt_and_not_the_call() -> None:
    association = server()
    Peer(ANNOUNCED, STRANGER).say_hello(association)
    Peer(ANNOUNCED, THEIRS).talk(association, now=1.0)
    assert secured(association) == ANNOUNCED


def test_a_handshake_that_was_broken_may_be_begun_anew() -> None:
    association = server()
    Peer(ANNOUNCED, THEIRS).say_hello(association)
    nonsense = b"\x16\xfe\xfd" + bytes(2) + (9).to_bytes(6) + b"\x00\x0d"
    nonsense += b"\x10" + b"\x00\x00\x01" + b"\x00\x01" + bytes(3) + b"\x00\x00\x01" + b"\x00"
    association.receive(nonsense, ANNOUNCED, 0.0)
    association.data_to_send()
    assert association.events() == []
    Peer(ANNOUNCED, THEIRS).talk(association, now=1.0)
    assert secured(association) == ANNOUNCED
    association.wake(1.0 + PATIENCE)
    assert association.events() == []


def test_what_breaks_our_own_hello_has_it_said_again_and_not_for_ever() -> None:
    association = Association(OURS, [THEIRS.digest], is_client=True, now=0.0)
    association.aim(ANNOUNCED, 0.0)
    alert = b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02" + b"\x02\x28"
    hellos = []
    for _ in range(ATTEMPTS + 3):
        hellos += association.data_to_send()
        association.receive(alert, ANNOUNCED, 1.0)
    assert len(hellos) == ATTEMPTS
    assert association.events() == []
    association.wake(1.0 + PATIENCE)
    (event,) = association.events()
    assert isinstance(event, Refused)
    assert "alert" in event.reason

    association = Association(OURS, [THEIRS.digest], is_client=True, now=0.0)
    association.aim(ANNOUNCED, 0.0)
    association.data_to_send()
    association.receive(alert, ANNOUNCED, 1.0)
    ((hello, _),) = association.data_to_send()
    peer = Peer(ANNOUNCED, THEIRS, is_client=False)
    peer.shake.receive(hello, 1.0)
    peer.talk(association, now=1.0)
    assert secured(association) == ANNOUNCED


def test_a_handshake_that_nobody_ends_is_refused_in_bounded_time() -> None:
    association = server()
    Peer(ANNOUNCED, THEIRS).say_hello(association)
    now = 0.0
    while association.deadline is not None:
        now = association.deadline
        association.wake(now)
    assert now == LIMIT
    (event,) = association.events()
    assert isinstance(event, Refused)
    assert event.reason == "nobody answered the DTLS handshake in time"


# Junk, and what comes under a false address


def record(body: bytes, kind: int = 22) -> bytes:
    return bytes([kind]) + b"\xfe\xfd" + bytes(8) + len(body).to_bytes(2) + body


def hello_in(body: bytes) -> bytes:
    size = len(body).to_bytes(3)
    return record(b"\x01" + size + bytes(2) + bytes(3) + size + body)


@pytest.mark.parametrize("host", [ANNOUNCED[0], "203.0.113.66"])
@pytest.mark.parametrize(
    "junk",
    [
        record(b"\x00"),
        record(b"\x02\x28", kind=21),
        record(bytes(60), kind=23),
        hello_in(bytes(50)),
        hello_in(b"\xfe\xfd" + bytes(20)),
        hello_in(b"\xfe\xfd" + bytes(range(32)) + b"\xc8" + bytes(10)),
    ],
    ids=["a record", "an alert", "data", "no version", "short", "broken"],
)
def test_junk_begins_no_handshake_and_takes_no_attempt(host: str, junk: bytes) -> None:
    association = server()
    for number in range(100):
        association.receive(junk, (host, 6000 + number), 0.0)
        association.receive(junk, ANNOUNCED, 0.0)
    assert association.data_to_send() == []
    assert association.dropped == 200
    for peer in (Peer((ANNOUNCED[0], 6001), STRANGER), Peer(ANNOUNCED, THEIRS)):
        peer.talk(association)
    assert secured(association) == ANNOUNCED


@pytest.mark.parametrize("address", [ANNOUNCED, (ANNOUNCED[0], 6000), NAT])
def test_hellos_under_a_false_address_are_told_a_cookie_and_leave_nothing(address: Address) -> None:
    association = server()
    for _ in range(100):
        (hello,) = Peer(address, STRANGER).shake.data_to_send()
        association.receive(hello, address, 0.0)
        ((cookie, to),) = association.data_to_send()
        assert to == address
        assert len(cookie) < len(hello)
    peer = Peer(address, THEIRS)
    peer.talk(association, now=1.0)
    assert secured(association) == address


def test_a_hello_under_a_false_address_does_not_break_a_handshake_that_is_under_way() -> None:
    association, peer = server(), Peer(ANNOUNCED, THEIRS)
    peer.say_hello(association)
    (forged,) = Peer(ANNOUNCED, STRANGER).shake.data_to_send()
    association.receive(forged, ANNOUNCED, 0.5)
    association.data_to_send()
    while not peer.shake.keys and peer.shake.deadline is not None:
        now = peer.shake.deadline
        peer.shake.wake(now)
        association.wake(now)
        peer.talk(association, now)
    assert secured(association) == ANNOUNCED


@pytest.mark.parametrize("lost", range(6))
def test_hellos_that_were_lost_cost_nothing_after_the_one_that_came(lost: int) -> None:
    association, peer = server(), Peer(ANNOUNCED, THEIRS)
    for _ in range(4):
        for datagram in peer.shake.data_to_send():
            association.receive(_counted_on(datagram, lost), ANNOUNCED, 0.0)
        for datagram, _ in association.data_to_send():
            peer.shake.receive(datagram, 0.0)
    assert secured(association) == ANNOUNCED
    assert peer.shake.state is DtlsState.DONE


def _counted_on(datagram: bytes, by: int) -> bytes:
    """Number records in the clear as one does who has sent so many before."""
    counted = bytearray(datagram)
    at = 0
    while at < len(counted):
        if not any(counted[at + 3 : at + 5]):
            number = int.from_bytes(counted[at + 5 : at + 11]) + by
            counted[at + 5 : at + 11] = number.to_bytes(6)
        at += 13 + int.from_bytes(counted[at + 11 : at + 13])
    return bytes(counted)


def test_a_cookie_is_good_for_one_hello_of_one_address() -> None:
    association, thief = server(), Peer(NAT, STRANGER)
    (hello,) = thief.shake.data_to_send()
    association.receive(hello, NAT, 0.0)
    ((cookie, _),) = association.data_to_send()
    thief.shake.receive(cookie, 0.0)
    (hello,) = thief.shake.data_to_send()
    association.receive(hello, ANNOUNCED, 0.0)
    ((answer, to),) = association.data_to_send()
    assert (len(answer), to) == (len(cookie), ANNOUNCED)
    assert answer != cookie
    association.receive(hello, NAT, 0.0)
    assert max(len(data) for data, _ in association.data_to_send()) > len(cookie)


def test_where_ice_proved_somebody_no_cookie_is_asked_for() -> None:
    association = server()
    for number in range(STRANGERS):
        Peer((f"203.0.113.{number}", 5000), STRANGER).talk(association)
    (hello,) = Peer(ANNOUNCED, THEIRS).shake.data_to_send()
    association.receive(hello, ANNOUNCED, 0.0, is_proved=True)
    assert len(b"".join(data for data, _ in association.data_to_send())) > 300


def test_no_host_takes_the_attempts_of_another() -> None:
    association = server()
    hosts = [f"203.0.113.{number}" for number in range(3)]
    for host in hosts:
        for port in range(100):
            Peer((host, port), STRANGER).say_hello(association)
    assert association.dropped == len(hosts) * (100 - ATTEMPTS)
    Peer(NAT, THEIRS).talk(association)
    assert secured(association) == NAT


def test_all_strangers_together_are_bounded_and_leave_room_for_who_was_announced() -> None:
    association = server()
    for number in range(2 * STRANGERS):
        Peer((f"203.0.113.{number}", 5000), STRANGER).say_hello(association)
    assert association.dropped == STRANGERS
    for port in range(SOURCES + 1):
        Peer((ANNOUNCED[0], 6000 + port), STRANGER).say_hello(association)
    Peer(ANNOUNCED, THEIRS).talk(association)
    assert secured(association) == ANNOUNCED


# Those who move, and those who never come


def test_where_the_other_side_has_moved_we_begin_anew() -> None:
    association = Association(OURS, [THEIRS.digest], is_client=True, now=0.0)
    association.aim(ANNOUNCED, 0.0)
    association.data_to_send()
    association.aim(NAT, 20.0)
    ((hello, to),) = association.data_to_send()
    assert to == NAT
    association.wake(LIMIT)
    assert {to for _, to in association.data_to_send()} == {NAT}
    assert association.events() == []
    peer = Peer(NAT, THEIRS, is_client=False)
    peer.shake.receive(hello, LIMIT)
    peer.talk(association, now=LIMIT)
    assert secured(association) == NAT


def test_where_it_is_said_again_that_they_are_there_we_go_on() -> None:
    association = Association(OURS, [THEIRS.digest], is_client=True, now=0.0)
    association.aim(ANNOUNCED, 0.0)
    association.data_to_send()
    association.aim(ANNOUNCED, 0.1, "192.0.2.9")
    assert association.data_to_send() == []


def test_keys_stay_where_the_other_side_moves_later() -> None:
    association = Association(OURS, [THEIRS.digest], is_client=True, now=0.0)
    association.aim(ANNOUNCED, 0.0)
    Peer(ANNOUNCED, THEIRS, is_client=False).talk(association)
    assert secured(association) == ANNOUNCED
    association.aim(NAT, 1.0)
    assert association.data_to_send() == []


@pytest.mark.parametrize("is_client", [True, False], ids=["we begin", "they begin"])
def test_who_never_comes_is_not_waited_for_for_ever(is_client: bool) -> None:
    association = Association(OURS, [THEIRS.digest], is_client=is_client, now=5.0)
    (hello,) = Peer(NAT, STRANGER).shake.data_to_send()
    association.receive(hello, NAT, 6.0)
    assert association.deadline == 5.0 + LIMIT
    association.wake(5.0 + LIMIT)
    (event,) = association.events()
    assert event == Refused("nobody began the DTLS handshake in time")
    assert association.deadline is None


def test_who_comes_late_has_the_time_of_a_handshake() -> None:
    association = Association(OURS, [THEIRS.digest], is_client=False, now=2.0 - LIMIT)
    association.aim(ANNOUNCED, 2.0 - LIMIT)
    peer = Peer(ANNOUNCED, THEIRS)
    peer.say_hello(association, now=1.0)
    association.wake(2.0)
    assert association.events() == []
    peer.shake.wake(2.0)
    peer.talk(association, now=2.0)
    assert secured(association) == ANNOUNCED

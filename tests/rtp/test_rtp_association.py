"""Keys by DTLS at a port where anybody may knock."""

from gateway.rtp.association import (
    ATTEMPTS,
    PATIENCE,
    SOURCES,
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


def server(remote: Address | None = ANNOUNCED) -> Association:
    association = Association(OURS, [THEIRS.digest], is_client=False)
    if remote is not None:
        association.aim(remote, 0.0)
    return association


def secured(association: Association) -> Address:
    (event,) = association.events()
    assert isinstance(event, Secured)
    return event.source


def test_the_announced_side_gets_the_keys() -> None:
    association, peer = server(), Peer(ANNOUNCED, THEIRS)
    peer.talk(association)
    assert secured(association) == ANNOUNCED
    assert association.keys is not None
    assert peer.shake.keys is not None
    assert association.keys.local == peer.shake.keys.remote


def test_so_does_one_behind_a_nat() -> None:
    association, peer = server(), Peer(NAT, THEIRS)
    peer.talk(association)
    assert secured(association) == NAT


def test_we_begin_when_we_are_to_and_know_with_whom() -> None:
    association = Association(OURS, [THEIRS.digest], is_client=True)
    assert association.data_to_send() == []
    association.aim(ANNOUNCED, 0.0)
    ((hello, to),) = association.data_to_send()
    assert to == ANNOUNCED
    peer = Peer(ANNOUNCED, THEIRS, is_client=False)
    peer.shake.receive(hello, 0.0)
    peer.talk(association)
    assert secured(association) == ANNOUNCED


def test_nobody_else_answers_in_the_announced_sides_place() -> None:
    association = Association(OURS, [THEIRS.digest], is_client=True)
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
    assert association.attempts == 0
    peer = Peer(ANNOUNCED, THEIRS)
    peer.talk(association)
    assert secured(association) == ANNOUNCED


def test_sources_that_say_hello_and_no_more_are_bounded_and_leave_room() -> None:
    association = server()
    for port in range(100):
        (hello,) = Peer(("203.0.113.66", port), STRANGER).shake.data_to_send()
        association.receive(hello, ("203.0.113.66", port), 0.0)
    assert association.dropped == 100 - SOURCES
    Peer(ANNOUNCED, THEIRS).talk(association)
    assert secured(association) == ANNOUNCED


def test_another_certificate_at_the_announced_address_is_refused_at_once() -> None:
    association, peer = server(), Peer(ANNOUNCED, STRANGER)
    peer.talk(association)
    (event,) = association.events()
    assert isinstance(event, Refused)
    assert "certificate" in event.reason
    assert association.keys is None
    assert peer.shake.state is DtlsState.FAILED
    assert association.deadline is None


def test_from_elsewhere_it_is_refused_when_nobody_better_came() -> None:
    association = server()
    Peer(NAT, STRANGER).talk(association, now=5.0)
    assert association.events() == []
    assert association.deadline == 5.0 + PATIENCE
    association.wake(5.0 + PATIENCE)
    (event,) = association.events()
    assert isinstance(event, Refused)
    Peer(ANNOUNCED, THEIRS).talk(association)
    assert association.keys is None  # the call is being ended


def test_a_forged_hello_takes_one_attempt_and_not_the_call() -> None:
    association = server()
    forged = Peer(ANNOUNCED, STRANGER)
    association.receive(forged.shake.data_to_send()[0], ANNOUNCED, 0.0)
    association.data_to_send()
    Peer(ANNOUNCED, THEIRS).talk(association, now=1.0)
    assert secured(association) == ANNOUNCED


def test_a_handshake_that_was_broken_may_be_begun_anew() -> None:
    association = server()
    broken = Peer(ANNOUNCED, THEIRS)
    association.receive(broken.shake.data_to_send()[0], ANNOUNCED, 0.0)
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
    association = Association(OURS, [THEIRS.digest], is_client=True)
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

    association = Association(OURS, [THEIRS.digest], is_client=True)
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
    (hello,) = Peer(ANNOUNCED, THEIRS).shake.data_to_send()
    association.receive(hello, ANNOUNCED, 0.0)
    now = 0.0
    while association.deadline is not None:
        now = association.deadline
        association.wake(now)
    assert now == LIMIT
    (event,) = association.events()
    assert isinstance(event, Refused)
    assert event.reason == "nobody answered the DTLS handshake in time"

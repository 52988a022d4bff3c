"""Symmetric RTP: found behind a NAT, and never stolen."""

import pytest

from gateway.rtp.latch import GRACE, PACKETS, QUIET, SOURCES, WINDOW, Proof, SymmetricLatch

ANNOUNCED = ("192.0.2.1", 5000)
OTHER_PORT = ("192.0.2.1", 40_000)
NAT = ("198.51.100.7", 31_000)
THIEF = ("203.0.113.66", 666)
SIGNALLING = NAT[0]
PRIVATE = ("192.168.1.10", 5000)


def send(
    latch: SymmetricLatch, source: tuple[str, int], count: int = 1, ssrc: int = 1, now: float = 0.0
) -> list[bool]:
    return [latch.accept(source, ssrc, now) for _ in range(count)]


def test_before_any_packet_the_announced_address_is_the_destination() -> None:
    latch = SymmetricLatch(ANNOUNCED)
    assert latch.remote == ANNOUNCED
    assert not latch.is_locked


def test_the_announced_address_is_locked_with_its_first_packet() -> None:
    latch = SymmetricLatch(ANNOUNCED)
    assert send(latch, ANNOUNCED) == [True]
    assert latch.is_locked
    assert not any(send(latch, THIEF, 10) + send(latch, OTHER_PORT, 10))
    assert latch.foreign == 20
    assert latch.remote == ANNOUNCED


def test_a_source_behind_a_nat_is_heard_and_answered_at_once() -> None:
    latch = SymmetricLatch(ANNOUNCED, SIGNALLING)
    assert send(latch, NAT, PACKETS - 1) == [True] * (PACKETS - 1)
    assert latch.remote == NAT
    assert not latch.is_locked
    send(latch, NAT)
    assert latch.is_locked


def test_after_the_window_nobody_takes_the_call_over() -> None:
    latch = SymmetricLatch(ANNOUNCED, SIGNALLING)
    send(latch, NAT, PACKETS)
    late = WINDOW + 0.1
    assert not any(send(latch, THIEF, 100, now=late) + send(latch, ANNOUNCED, 100, now=late))
    assert send(latch, NAT, now=late) == [True]
    assert latch.remote == NAT


def test_within_the_window_only_a_better_source_wins() -> None:
    latch = SymmetricLatch(ANNOUNCED, SIGNALLING)
    send(latch, NAT, PACKETS)
    assert not any(send(latch, THIEF, 2 * PACKETS, now=GRACE))
    assert send(latch, OTHER_PORT, PACKETS) == [False] * (PACKETS - 1) + [True]
    assert send(latch, ANNOUNCED) == [True]
    assert latch.remote == ANNOUNCED
    assert not any(send(latch, THIEF, PACKETS) + send(latch, OTHER_PORT, PACKETS))


def test_a_better_source_is_preferred_before_any_is_locked() -> None:
    latch = SymmetricLatch(ANNOUNCED, SIGNALLING)
    assert send(latch, NAT) == [True]
    assert send(latch, OTHER_PORT) == [True]
    assert send(latch, NAT) == [False]
    assert latch.remote == OTHER_PORT


def test_a_host_nobody_spoke_of_is_neither_heard_nor_answered_at_first() -> None:
    latch = SymmetricLatch(ANNOUNCED, SIGNALLING)
    for tick in range(40):
        assert send(latch, THIEF, now=tick * 0.02) == [False]
    assert latch.remote == ANNOUNCED
    assert send(latch, ANNOUNCED, now=0.9) == [True]
    assert not any(send(latch, THIEF, 100, now=5.0))
    assert latch.remote == ANNOUNCED


@pytest.mark.parametrize("announced", [ANNOUNCED, ("2001:db8::1", 5000)])
def test_nor_is_it_ever_where_the_announced_address_can_be_the_true_one(
    announced: tuple[str, int],
) -> None:
    latch = SymmetricLatch(announced, SIGNALLING)
    for tick in range(3000):
        assert send(latch, THIEF, now=tick * 0.02) == [False]
    assert latch.foreign == 3000
    assert latch.remote == announced
    assert send(latch, announced, now=60.0) == [True]


def test_a_local_address_is_the_true_one_where_the_signalling_comes_from_it() -> None:
    latch = SymmetricLatch(PRIVATE, PRIVATE[0])
    for tick in range(200):
        assert send(latch, THIEF, now=tick * 0.02) == [False]


@pytest.mark.parametrize(
    "announced",
    [
        None,
        PRIVATE,
        *((host, 5000) for host in ("10.1.2.3", "172.31.0.9", "100.64.3.4", "169.254.9.9")),
        *((host, 5000) for host in ("127.0.1.1", "fd00::7", "fe80::1%eth0")),
    ],
)
def test_it_is_believed_where_it_cannot_and_it_alone_has_sent_for_a_while(
    announced: tuple[str, int] | None,
) -> None:
    latch = SymmetricLatch(announced, SIGNALLING)
    heard = [send(latch, THIEF, now=tick * 0.02)[0] for tick in range(60)]
    assert heard.index(True) == round(GRACE / 0.02)
    assert latch.remote == THIEF


@pytest.mark.parametrize("late", [1.5, 600.0])
@pytest.mark.parametrize("source", [PRIVATE, (PRIVATE[0], 7), NAT])
def test_and_gives_way_to_whom_we_expect_at_any_time(source: tuple[str, int], late: float) -> None:
    latch = SymmetricLatch(PRIVATE, SIGNALLING)
    for tick in range(60):
        send(latch, THIEF, now=tick * 0.02)
    assert latch.remote == THIEF
    assert send(latch, source, PACKETS, now=late)[-1]
    assert latch.remote == source
    assert not any(send(latch, THIEF, 100, now=late))


def test_once_a_host_we_expect_was_heard_nobody_else_is_believed() -> None:
    latch = SymmetricLatch(PRIVATE, SIGNALLING)
    send(latch, NAT)
    for tick in range(200):
        assert send(latch, THIEF, now=tick * 0.02) == [False]
    assert latch.remote == NAT


def test_a_thief_that_changes_its_ssrc_begins_its_time_anew() -> None:
    latch = SymmetricLatch(ANNOUNCED, SIGNALLING)
    for tick in range(200):
        assert send(latch, THIEF, ssrc=tick // 40, now=tick * 0.02) == [False]


def test_many_strangers_leave_room_for_whom_we_expect() -> None:
    latch = SymmetricLatch(ANNOUNCED, SIGNALLING)
    for port in range(100):
        send(latch, ("203.0.113.66", port))
    assert send(latch, NAT) == [True]
    assert len(latch._candidates) == SOURCES


def test_an_authentic_packet_settles_it_at_once() -> None:
    latch = SymmetricLatch(ANNOUNCED, SIGNALLING)
    send(latch, NAT, PACKETS)
    assert latch.accept(THIEF, 1, 0.1, Proof.KEY)  # it has the key: it is no thief
    assert latch.remote == THIEF
    assert not any(send(latch, ANNOUNCED, 10, now=0.2) + send(latch, NAT, 10, now=0.2))


def moved() -> SymmetricLatch:
    """Return a latch whose other side was proved at one address, and says it is at another."""
    latch = SymmetricLatch(PRIVATE, SIGNALLING)
    assert latch.accept(NAT, 1, 0.0, Proof.KEY)
    latch.rearm(ANNOUNCED, SIGNALLING)
    assert latch.remote == ANNOUNCED
    return latch


@pytest.mark.parametrize("proof", [Proof.KEY, Proof.FORMER_KEY])
def test_what_comes_from_where_they_were_does_not_show_where_they_are(proof: Proof) -> None:
    latch = moved()
    latch.accept(NAT, 1, 1.0, proof)
    assert not latch.is_locked
    assert latch.accept(ANNOUNCED, 2, 1.01, Proof.KEY)
    assert latch.remote == ANNOUNCED
    assert latch.is_closed_to(NAT, 1.02, 1.02)


def test_a_former_key_shows_nothing_however_long_it_is_used() -> None:
    latch = moved()
    for tick in range(200):
        assert not latch.accept(NAT, 1, tick * 0.02, Proof.FORMER_KEY)
    assert latch.remote == ANNOUNCED
    assert latch.accept(ANNOUNCED, 1, 4.0, Proof.FORMER_KEY)
    assert not latch.is_locked


def test_who_never_left_is_found_again_after_a_while() -> None:
    latch = moved()
    assert all(latch.accept(NAT, 1, tick * 0.02, Proof.KEY) for tick in range(60))
    assert latch.remote == NAT
    assert not latch.is_closed_to(ANNOUNCED, 1.2, 1.2), "and may still come to where they said"
    assert latch.accept(ANNOUNCED, 2, 1.2, Proof.KEY, 1.2)
    assert latch.remote == ANNOUNCED


def test_who_has_the_key_is_followed_once_nothing_comes_from_where_they_were() -> None:
    latch = SymmetricLatch(ANNOUNCED, SIGNALLING)
    latch.accept(ANNOUNCED, 1, 0.0, Proof.KEY)
    assert latch.is_closed_to(THIEF, 5.0, 5.0 - QUIET / 2)
    assert not latch.accept(THIEF, 1, 5.0, Proof.KEY, 5.0 - QUIET / 2)
    assert not latch.is_closed_to(THIEF, 5.0, 5.0 - QUIET)
    assert latch.accept(THIEF, 1, 5.0, Proof.KEY, 5.0 - QUIET)
    assert latch.remote == THIEF
    assert latch.is_closed_to(NAT, 5.1, 5.1) is False, "nearer to what was announced"
    assert not any(send(latch, ANNOUNCED, 100, now=9.0)), "it proves nothing"


def test_after_a_proof_nothing_counts_that_is_sent() -> None:
    latch = SymmetricLatch(None)
    latch.rearm(None, SIGNALLING, awaits_proof=True)
    assert not any(send(latch, NAT, 10))
    assert latch.remote is None
    latch.prove(NAT, 1.0)
    assert send(latch, NAT, now=1.0) == [True]
    assert not any(send(latch, THIEF, 100, now=1.5))
    assert not latch.accept(THIEF, 1, 60.0, Proof.KEY, 1.0)
    latch.prove(OTHER_PORT, 2.0)
    assert send(latch, OTHER_PORT, now=2.0) == [True]
    assert not any(send(latch, NAT, 100, now=2.0))


def test_changing_the_ssrc_starts_the_count_again() -> None:
    latch = SymmetricLatch(None)
    for ssrc in range(PACKETS + 2):
        send(latch, NAT, ssrc=ssrc)
    assert not latch.is_locked
    send(latch, NAT, PACKETS, ssrc=9)
    assert latch.is_locked


def test_another_ssrc_from_the_locked_source_is_the_calls() -> None:
    latch = SymmetricLatch(ANNOUNCED)
    send(latch, ANNOUNCED)
    assert send(latch, ANNOUNCED, ssrc=0x01020304) == [True]


def test_a_flood_of_sources_is_bounded() -> None:
    latch = SymmetricLatch(None)
    for port in range(1000):
        send(latch, ("203.0.113.66", port))
    assert latch.foreign == 1000 - 1
    assert len(latch._candidates) == SOURCES


def test_a_new_exchange_opens_the_latch_and_keeps_a_found_destination() -> None:
    latch = SymmetricLatch(ANNOUNCED, SIGNALLING)
    send(latch, NAT, PACKETS)
    latch.rearm(ANNOUNCED, SIGNALLING)
    assert not latch.is_locked
    assert latch.remote == NAT
    latch.rearm(OTHER_PORT, SIGNALLING)
    assert latch.remote == OTHER_PORT
    assert not any(send(latch, THIEF, PACKETS, now=60.0))
    assert send(latch, NAT, PACKETS, now=60.1) == [True] * PACKETS
    assert latch.remote == NAT

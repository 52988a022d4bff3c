"""Symmetric RTP: found behind a NAT, and never stolen."""

from gateway.rtp.latch import PACKETS, SOURCES, WINDOW, SymmetricLatch

ANNOUNCED = ("192.0.2.1", 5000)
OTHER_PORT = ("192.0.2.1", 40_000)
NAT = ("198.51.100.7", 31_000)
THIEF = ("203.0.113.66", 666)


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
    latch = SymmetricLatch(ANNOUNCED)
    assert send(latch, NAT, PACKETS - 1) == [True] * (PACKETS - 1)
    assert latch.remote == NAT
    assert not latch.is_locked
    send(latch, NAT)
    assert latch.is_locked


def test_after_the_window_nobody_takes_the_call_over() -> None:
    latch = SymmetricLatch(ANNOUNCED)
    send(latch, NAT, PACKETS)
    late = WINDOW + 0.1
    assert not any(send(latch, THIEF, 100, now=late) + send(latch, ANNOUNCED, 100, now=late))
    assert send(latch, NAT, now=late) == [True]
    assert latch.remote == NAT


def test_within_the_window_only_a_better_source_wins() -> None:
    latch = SymmetricLatch(ANNOUNCED)
    send(latch, THIEF, PACKETS)
    assert not any(send(latch, NAT, 2 * PACKETS))
    assert send(latch, OTHER_PORT, PACKETS) == [False] * (PACKETS - 1) + [True]
    assert send(latch, ANNOUNCED) == [True]
    assert latch.remote == ANNOUNCED
    assert not any(send(latch, THIEF, PACKETS) + send(latch, OTHER_PORT, PACKETS))


def test_a_better_source_is_preferred_before_any_is_locked() -> None:
    latch = SymmetricLatch(ANNOUNCED)
    assert send(latch, THIEF) == [True]
    assert send(latch, OTHER_PORT) == [True]
    assert send(latch, THIEF) == [False]
    assert latch.remote == OTHER_PORT


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
    latch = SymmetricLatch(ANNOUNCED)
    send(latch, NAT, PACKETS)
    latch.rearm(ANNOUNCED)
    assert not latch.is_locked
    assert latch.remote == NAT
    latch.rearm(OTHER_PORT)
    assert latch.remote == OTHER_PORT
    assert send(latch, THIEF, PACKETS, now=60.0) == [True] * PACKETS
    assert latch.remote == THIEF

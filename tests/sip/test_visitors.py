"""Strangers' connections: how many, for how long, and what changes when they prove to be known."""

import math

import pytest

from gateway.config.sip import GuardSettings
from gateway.sip.flow import Flow
from gateway.sip.guard import visitors as module
from gateway.sip.guard.guard import Guard
from gateway.sip.guard.visitors import Visitors

TRUNK, STRANGER = "192.0.2.1", "198.51.100.7"


def connection(host: str, number: int) -> Flow:
    return Flow("tcp", ("192.0.2.9", 5060), (host, 1024 + number), number)


class Door:
    """Visitors and the guard they are judged by."""

    def __init__(self) -> None:
        self.guard = Guard(
            GuardSettings(),
            knows=lambda flow: flow.remote[0] == TRUNK,
            report=lambda notice: None,
        )
        self.visitors = Visitors(self.guard)

    def come(self, host: str, count: int, first: int = 1) -> int:
        """Return how many of so many connections may stay."""
        return sum(
            self.visitors.admits(connection(host, number), 0.0)
            for number in range(first, first + count)
        )


@pytest.fixture
def door() -> Door:
    return Door()


def test_a_stranger_may_hold_few_connections_and_a_trunk_many(door: Door) -> None:
    assert door.come(STRANGER, 20) == 8
    assert door.come(TRUNK, 500) == 500
    assert door.guard.stats.dropped_connections == 12


def test_a_connection_that_is_over_makes_room(door: Door) -> None:
    door.come(STRANGER, 8)
    door.visitors.leaves(connection(STRANGER, 3))
    door.visitors.leaves(connection(STRANGER, 3))  # told twice, counted once
    assert door.come(STRANGER, 5, first=100) == 1


def test_all_strangers_together_may_hold_no_more_than_some(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_OF_ALL", 20)
    assert sum(door.come(f"198.51.100.{n}", 4) for n in range(10)) == 20
    assert len(door.visitors) == 20


def test_a_network_of_64_bits_is_one_stranger(door: Door) -> None:
    assert sum(door.come(f"2001:db8::{n}", 1) for n in range(20)) == 8


def test_whoever_is_banned_may_not_connect_and_is_sent_away(door: Door) -> None:
    here = connection(STRANGER, 1)
    assert door.visitors.admits(here, 0.0)
    for _ in range(10):
        door.guard.refused(here, "malformed", 0.0)
    assert not door.visitors.admits(connection(STRANGER, 2), 1.0)
    assert door.visitors.patience(here, 1.0) == 0.0


def test_who_is_banned_for_datagrams_may_connect_and_stay(door: Door) -> None:
    here = connection(STRANGER, 1)
    assert door.visitors.admits(here, 0.0)
    for _ in range(10):
        door.guard.refused(Flow("udp", here.local, here.remote), "malformed", 0.0)
    assert door.visitors.admits(connection(STRANGER, 2), 1.0)
    assert door.visitors.patience(here, 1.0) == 32.0


def test_a_stranger_must_go_on_talking_and_one_we_know_need_not(door: Door) -> None:
    assert door.visitors.patience(connection(STRANGER, 1), 0.0) == 32.0
    assert door.visitors.patience(connection(TRUNK, 1), 0.0) == math.inf


def test_whoever_is_vouched_for_takes_no_room_among_strangers(door: Door) -> None:
    door.come(STRANGER, 8)
    door.guard.vouch(connection(STRANGER, 1), 0.0)
    for number in range(1, 9):
        assert door.visitors.patience(connection(STRANGER, number), 0.0) == math.inf
    assert len(door.visitors) == 0
    assert door.come(STRANGER, 50, first=100) == 50

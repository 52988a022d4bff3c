"""Who is heard: rates, refusals that add up, bans that end, and a memory with bounds."""

import pytest

from gateway.config.sip import GuardSettings
from gateway.sip.flow import Flow
from gateway.sip.guard import guard as module
from gateway.sip.guard.guard import Guard, Notice, block_of
from gateway.sip.guard.scanners import scanner_watch

PROBE = b"OPTIONS sip:100@192.0.2.9 SIP/2.0\r\nUser-Agent: a phone\r\n\r\n"
TRUNK, STRANGER = "192.0.2.1", "198.51.100.7"


class Gate:
    """A guard whose one neighbour is TRUNK, its clock, and what it told."""

    def __init__(self, **settings: object) -> None:
        self.notices: list[Notice] = []
        self.asked = 0
        self.neighbours = {TRUNK}
        self.guard = Guard(
            GuardSettings(**settings),  # type: ignore[arg-type]
            knows=self.knows,
            report=self.notices.append,
        )
        self.now = 100.0

    def knows(self, flow: Flow) -> bool:
        self.asked += 1
        return flow.remote[0] in self.neighbours

    def heard(
        self, host: str = STRANGER, count: int = 1, data: bytes = PROBE, over: str = "udp"
    ) -> int:
        """Return how many of so many messages at once are read."""
        return sum(self.guard.admits(data, flow(host, over), self.now) for _ in range(count))

    def refuse(self, host: str = STRANGER, count: int = 1, over: str = "udp") -> None:
        for _ in range(count):
            self.guard.refused(flow(host, over), "no trunk has this address", self.now)

    def banned(self) -> list[str]:
        return [ban.source for ban in self.guard.bans(self.now)]


def flow(host: str, transport: str = "udp") -> Flow:
    return Flow(transport, ("192.0.2.9", 5060), (host, 5060))  # type: ignore[arg-type]


@pytest.fixture
def gate() -> Gate:
    return Gate()


def test_a_stranger_is_heard_so_often_a_second_and_no_more(gate: Gate) -> None:
    assert gate.heard(count=100) == 20  # two seconds' worth
    gate.now += 1.0
    assert gate.heard(count=100) == 10
    assert gate.guard.stats.dropped_stranger_rate == 170


def test_each_stranger_has_a_rate_of_its_own(gate: Gate) -> None:
    gate.heard(count=100)
    assert gate.heard("198.51.100.8") == 1


def test_all_strangers_together_have_little_as_well(gate: Gate) -> None:
    heard = sum(gate.heard(f"10.{n >> 8}.{n & 255}.1") for n in range(20_000))
    assert heard == 200  # ten times what one may, for two seconds
    assert gate.guard.stats.dropped_stranger_flood == 19_800


def test_a_flood_of_strangers_leaves_the_trunk_its_own(gate: Gate) -> None:
    for n in range(2000):
        gate.heard(f"10.{n >> 8}.{n & 255}.1")
    assert gate.heard(TRUNK, 500) == 500


def test_one_loud_stranger_takes_nothing_from_the_others(gate: Gate) -> None:
    gate.heard(count=5000)
    assert gate.heard("198.51.100.8", 10) == 10


def test_a_trunk_has_its_own_rate() -> None:
    gate = Gate(trunk_requests_per_second=50)
    assert gate.heard(TRUNK, 1000) == 100
    assert gate.guard.stats.dropped_neighbour_rate == 900


def test_a_rate_below_one_a_second_still_hears_somebody() -> None:
    gate = Gate(requests_per_second=0.1)
    assert gate.heard(count=5) == 1
    gate.now += 10.0
    assert gate.heard(count=5) == 1


def test_refusals_within_a_minute_add_up_to_a_ban_that_ends(gate: Gate) -> None:
    gate.refuse(count=9)
    assert gate.heard() == 1
    gate.refuse()
    assert gate.banned() == [STRANGER]
    assert gate.heard(count=5) == 0
    assert gate.guard.stats.dropped_banned == 5
    gate.now += 599.9
    assert gate.heard() == 0
    gate.now += 0.2
    assert gate.heard() == 1
    assert gate.banned() == []


def test_refusals_that_are_a_minute_apart_do_not_add_up(gate: Gate) -> None:
    for _ in range(20):
        gate.refuse(count=9)
        gate.now += 60.1
    assert gate.banned() == []


def test_nobody_is_banned_where_bans_last_no_time() -> None:
    gate = Gate(ban_seconds=0)
    gate.refuse(count=100)
    assert gate.heard() == 1


def test_a_trunk_is_never_banned(gate: Gate) -> None:
    gate.refuse(TRUNK, 1000)  # as whoever forges its address would have it
    assert gate.heard(TRUNK) == 1
    assert gate.banned() == []


def test_scanners_of_a_trunk_are_heard(gate: Gate) -> None:
    assert gate.heard(TRUNK, 20, PROBE.replace(b"a phone", b"friendly-scanner")) == 20


def test_whoever_is_vouched_for_is_not_banned_and_has_a_trunks_rate(gate: Gate) -> None:
    gate.refuse(count=9)
    gate.guard.vouch(flow(STRANGER), gate.now)
    gate.refuse(count=100)
    assert gate.heard(count=500) == 500
    assert gate.guard.is_stranger(flow(STRANGER), gate.now)
    gate.now += 3601
    gate.refuse(count=10)
    assert gate.banned() == [STRANGER]


def test_a_scanner_is_not_read_and_soon_banned(gate: Gate) -> None:
    assert gate.heard(count=9, data=PROBE.replace(b"a phone", b"Friendly-Scanner")) == 0
    assert gate.heard() == 1
    gate.heard(data=PROBE.replace(b"a phone", b"friendly-scanner"))
    assert gate.banned() == [STRANGER]
    assert gate.guard.stats.dropped_scanner == 10


@pytest.mark.parametrize(
    "line",
    [
        "User-Agent: friendly-scanner",
        "USER-AGENT :  sipcli/v1.8",
        "User-Agent: VaxSIPUserAgent/3.0",
        "User-Agent: sundayddr",
        "User-Agent: pplsip",
        "User-Agent: sip-scan",
        "User-Agent: iWar",
        "User-Agent: eyeBeam release 1003s stamp 31159",
        'From: "sipvicious"<sip:100@1.1.1.1>;tag=1',
        "f: <sip:100@1.1.1.1>;tag=1",
        "From: <sip:nm@nm>;tag=root",
        "To: <sip:nm2@nm2>",
        "User-Agent: My Own Scanner 7",
    ],
)
def test_scanners_are_known_by_what_they_write(line: str) -> None:
    is_scanner = scanner_watch(["my own*7"])
    assert is_scanner(f"OPTIONS sip:h SIP/2.0\r\n{line}\r\nMax-Forwards: 70\r\n\r\n".encode())


@pytest.mark.parametrize(
    "line",
    [
        "User-Agent: sipsak 0.9.8.1",
        "User-Agent: eyeBeam release 1104g stamp 54685",
        "User-Agent: Asterisk PBX 18.9.0",
        "User-Agent: My Own Scanner 77",
        "Subject: friendly-scanner",
        "From: <sip:ann@11.1.1.1>;tag=1",
        "From: <sip:nm@nm.example>;tag=1",
        "X: y\r\nUser-Agent: good\r\nServer: 7",
    ],
)
def test_others_are_not_taken_for_scanners(line: str) -> None:
    is_scanner = scanner_watch(["my own*n 7"])
    assert not is_scanner(f"OPTIONS sip:h SIP/2.0\r\n{line}\r\nMax-Forwards: 70\r\n\r\n".encode())


@pytest.mark.parametrize(
    ("host", "block"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::x", "::x"),
    ],
)
def test_one_source_is_an_address_or_a_network_of_64_bits(host: str, block: str) -> None:
    assert block_of(host) == block


def test_a_network_of_64_bits_cannot_get_round_its_ban(gate: Gate) -> None:
    for n in range(10):
        gate.refuse(f"2001:db8::{n:x}")
    assert gate.banned() == ["2001:db8::/64"]
    assert gate.heard("2001:db8::ffff") == 0


def test_a_trunk_is_heard_whatever_its_network_does(gate: Gate) -> None:
    gate.neighbours.add("2001:db8::5")
    gate.refuse("2001:db8::6", 10)
    assert gate.heard("2001:db8::6") == 0
    assert gate.heard("2001:db8::5") == 1


def test_an_address_is_judged_once_a_minute_and_not_for_each_message(gate: Gate) -> None:
    gate.heard(count=50)
    gate.heard(TRUNK, 50)
    assert gate.asked == 2
    gate.neighbours = {STRANGER}
    gate.now += 60.1
    assert gate.heard(count=100) == 100
    assert gate.guard.is_stranger(flow(TRUNK), gate.now)


def test_each_connection_is_judged_by_itself(gate: Gate) -> None:
    proven = flow(STRANGER, "tls")
    gate.heard(count=100)
    gate.guard = Guard(
        GuardSettings(), knows=lambda flow: flow.transport == "tls", report=gate.notices.append
    )
    assert not gate.guard.is_stranger(proven, gate.now)
    assert gate.guard.is_stranger(flow(STRANGER, "tcp"), gate.now)


def test_memory_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_SOURCES", 100)
    monkeypatch.setattr(module, "_MOST_BANS", 50)
    monkeypatch.setattr(module, "_MOST_VOUCHED", 70)
    gate = Gate(ban_after=1)
    for n in range(1000):
        host = f"10.0.{n >> 8}.{n & 255}"
        gate.heard(host)
        gate.refuse(host)
        gate.guard.vouch(flow(f"11.0.{n >> 8}.{n & 255}"), gate.now)
        gate.now += 0.1
    kept = vars(gate.guard)
    assert {name: len(kept[name]) for name in ("_strangers", "_judged", "_bans", "_vouched")} == {
        "_strangers": 0,
        "_judged": 100,
        "_bans": 50,
        "_vouched": 70,
    }


def test_a_flood_of_others_does_not_lift_a_ban(gate: Gate) -> None:
    gate.refuse(count=10)
    for n in range(40_000):
        gate.heard(f"10.{n >> 8}.{n & 255}.1")
        gate.now += 0.001
    assert gate.heard() == 0


def test_a_ban_for_datagrams_cuts_no_connection_off(gate: Gate) -> None:
    gate.refuse(count=10)  # as whoever forges its address would have it
    gate.refuse(count=9, over="tls")
    assert gate.heard() == 0
    assert gate.heard(over="tls") == gate.heard(over="tcp") == 1
    assert gate.guard.is_banned(flow(STRANGER), gate.now)
    assert not gate.guard.is_banned(flow(STRANGER, "tls"), gate.now)
    assert [ban.over for ban in gate.guard.bans(gate.now)] == ["datagrams"]


def test_a_ban_for_what_came_by_a_connection_is_for_datagrams_too(gate: Gate) -> None:
    gate.refuse(count=10, over="tcp")
    assert gate.heard(over="tls") == gate.heard() == 0
    assert [ban.over for ban in gate.guard.bans(gate.now)] == ["connections"]


def test_a_flood_of_datagrams_takes_nothing_from_who_is_connected(gate: Gate) -> None:
    gate.heard(count=100)
    for n in range(2000):
        gate.heard(f"10.{n >> 8}.{n & 255}.1")
    assert gate.heard(count=100, over="tcp") == 20


def test_whoever_is_vouched_for_is_so_by_every_way(gate: Gate) -> None:
    gate.heard(count=100)
    gate.heard(count=100, over="tls")
    gate.guard.vouch(flow(STRANGER), gate.now)
    gate.refuse(count=20, over="tls")
    assert gate.heard(count=500, over="tls") == 500


def test_of_each_source_one_line_a_minute_is_told(gate: Gate) -> None:
    for _ in range(130):
        gate.heard(count=100)
        gate.now += 1.0
    assert [notice.source for notice in gate.notices] == [STRANGER] * 3
    assert gate.notices[1].count > 5000


def test_of_all_sources_one_line_a_second_is_told(gate: Gate) -> None:
    for n in range(3000):
        gate.refuse(f"10.{n >> 8}.{n & 255}.1")
        gate.now += 0.01
    assert 28 <= len(gate.notices) <= 33


def test_a_ban_is_told_with_how_long_it_lasts(gate: Gate) -> None:
    gate.refuse(count=10)
    last = gate.notices[-1]
    assert (last.source, last.why, last.ban_seconds) == (
        STRANGER,
        "no trunk has this address",
        600.0,
    )

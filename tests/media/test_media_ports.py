"""Port pairs are even, unique, and drained before they serve again."""

import pytest

from gateway.clock import CountedIds
from gateway.errors import CapacityError, ConfigError
from gateway.media.ports import Address, Port, PortPool


class FakePort:
    def __init__(self, number: int) -> None:
        self.number = number
        self.is_closed = False

    def fileno(self) -> int:
        return self.number

    def recvfrom_into(self, buffer: memoryview, /) -> tuple[int, Address]:
        raise BlockingIOError

    def sendto(self, data: memoryview | bytes, address: Address, /) -> int:
        return len(data)

    def close(self) -> None:
        self.is_closed = True


class Host:
    """Binds fake ports; some of them belong to other programs."""

    def __init__(self, *foreign: int) -> None:
        self.foreign = set(foreign)
        self.ports: dict[int, FakePort] = {}

    def bind(self, host: str, number: int) -> Port:
        if number in self.foreign:
            raise OSError(98, "in use")
        self.ports[number] = FakePort(number)
        return self.ports[number]


def pool(host: Host, span: str = "10000-10007") -> PortPool:
    return PortPool(span, bind=host.bind, ids=CountedIds(), linger=10.0)


def test_pairs_are_even_and_all_different() -> None:
    ports = pool(Host())
    numbers = [ports.take(0.0).number for _ in range(4)]
    assert sorted(numbers) == [10000, 10002, 10004, 10006]


def test_an_odd_range_starts_at_its_first_even_port() -> None:
    assert pool(Host(), "10001-10003").take(0.0).number == 10002


def test_a_port_of_another_program_is_passed_over_with_its_neighbour() -> None:
    host = Host(10003)
    ports = pool(host)
    assert 10002 not in {ports.take(0.0).number for _ in range(3)}
    assert host.ports[10002].is_closed


def test_an_exhausted_range_is_a_capacity_error() -> None:
    ports = pool(Host(), "10000-10001")
    ports.take(0.0)
    with pytest.raises(CapacityError, match="1 in use"):
        ports.take(0.0)


def test_a_released_pair_stays_bound_and_rests_before_it_serves_again() -> None:
    host = Host()
    ports = pool(host, "10000-10001")
    pair = ports.take(0.0)
    ports.release(pair, 5.0)
    with pytest.raises(CapacityError):
        ports.take(14.9)
    assert ports.take(15.0) is pair
    assert not host.ports[10000].is_closed


def test_pairs_that_rest_are_told_with_the_time_they_still_need() -> None:
    ports = pool(Host(), "10000-10003")
    for pair in [ports.take(0.0), ports.take(0.0)]:
        ports.release(pair, 5.0)
    told = r"0 in use, 2 resting \(the first for 7.5 s more\); widen media.ports"
    with pytest.raises(CapacityError, match=told):
        ports.take(7.5)


def test_closing_the_pool_unbinds_what_drains() -> None:
    host = Host()
    ports = pool(host)
    pair = ports.take(0.0)
    ports.release(pair, 0.0)
    ports.close()
    assert host.ports[pair.number].is_closed
    assert host.ports[pair.number + 1].is_closed


@pytest.mark.parametrize("span", ["", "10000", "20000-10000", "a-b", "1-70000", "10001-10002"])
def test_a_range_without_a_pair_is_refused_in_words(span: str) -> None:
    with pytest.raises(ConfigError, match="no port pair"):
        PortPool(span)

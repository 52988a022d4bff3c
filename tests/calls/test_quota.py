"""The service's rate limits decide whether another caller is let in."""

import pytest

from gateway.calls.quota import Quota
from gateway.calls.registry import CallRecord, Health, Registry
from gateway.errors import CapacityError
from gateway.realtime.items import RateLimit


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def limit(remaining: int, *, name: str = "tokens", reset: float | None = 12.0) -> RateLimit:
    return RateLimit(name=name, limit=1000, remaining=remaining, reset_seconds=reset)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def quota(clock: Clock) -> Quota:
    return Quota(0.05, clock)


def test_callers_wait_until_a_limit_below_the_floor_is_reset(quota: Quota, clock: Clock) -> None:
    quota.note([limit(49)])
    assert quota.wait_seconds == 12.0
    clock.now += 11.5
    assert quota.wait_seconds == 0.5
    clock.now += 0.5
    assert quota.wait_seconds == 0.0


def test_a_share_at_the_floor_is_enough(quota: Quota) -> None:
    quota.note([limit(50)])
    assert quota.wait_seconds == 0.0


def test_the_longest_wait_of_all_limits_counts(quota: Quota) -> None:
    quota.note([limit(0, reset=5.0), limit(1, name="requests", reset=20.0)])
    assert quota.wait_seconds == 20.0


def test_a_limit_that_is_there_again_early_lets_callers_in(quota: Quota) -> None:
    quota.note([limit(0)])
    quota.note([limit(900)])
    assert quota.wait_seconds == 0.0
    assert quota.shortages == 1


def test_one_limit_that_recovers_does_not_hide_another(quota: Quota) -> None:
    quota.note([limit(0), limit(0, name="requests", reset=3.0)])
    quota.note([limit(1000)])
    assert quota.wait_seconds == 3.0


@pytest.mark.parametrize("told", [RateLimit(), limit(0, reset=None), limit(0, reset=-4.0)])
def test_what_says_nothing_about_time_turns_nobody_away(quota: Quota, told: RateLimit) -> None:
    quota.note([told])
    assert quota.wait_seconds == 0.0


def test_no_limit_keeps_callers_away_for_ever(quota: Quota) -> None:
    quota.note([limit(0, reset=86_400.0)])
    assert quota.wait_seconds == 300.0


def test_a_floor_of_nothing_lets_everybody_in(clock: Clock) -> None:
    quota = Quota(0.0, clock)
    quota.note([limit(0)])
    assert quota.wait_seconds == 0.0


class OneCall:
    call_id = "1"

    def record(self) -> CallRecord:
        return CallRecord("1", "a", "b", 0.0, "talking", 1.0)

    def hang_up(self, reason: str) -> None:
        raise AssertionError(reason)


def test_a_gateway_short_of_quota_is_busy_until_the_reset(quota: Quota, clock: Clock) -> None:
    registry = Registry(max_calls=9, quota=quota)
    quota.note([limit(10)])
    assert registry.health is Health.BUSY
    assert registry.wait_seconds == 12.0
    with pytest.raises(CapacityError, match="busy"):
        registry.admit(OneCall())
    clock.now += 12.0
    assert registry.health is Health.READY
    registry.admit(OneCall())

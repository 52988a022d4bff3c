"""Admission and memory of calls."""

from dataclasses import dataclass, field

import pytest

from gateway.calls.registry import CallRecord, Health, Registry
from gateway.errors import CapacityError


@dataclass
class FakeCall:
    call_id: str
    reasons: list[str] = field(default_factory=list)

    def record(self) -> CallRecord:
        return CallRecord(self.call_id, "sip:a@h", "sip:b@h", 0.0, "answered", 1.0)

    def hang_up(self, reason: str) -> None:
        self.reasons.append(reason)


def test_a_full_gateway_refuses_and_counts() -> None:
    registry = Registry(max_calls=1)
    registry.admit(FakeCall("1"))
    with pytest.raises(CapacityError, match="busy"):
        registry.admit(FakeCall("2"))
    assert (registry.health, registry.refused, len(registry)) == (Health.BUSY, 1, 1)


def test_a_draining_gateway_refuses_although_it_has_room() -> None:
    registry = Registry(max_calls=9)
    registry.is_draining = True
    with pytest.raises(CapacityError, match="draining"):
        registry.admit(FakeCall("1"))


def test_an_ended_call_is_remembered_after_those_in_progress() -> None:
    registry = Registry(max_calls=9)
    first, second = FakeCall("1"), FakeCall("2")
    registry.admit(first)
    registry.admit(second)
    registry.release(first)
    assert [r.call_id for r in registry.records()] == ["2", "1"]
    assert registry.record("1") is not None
    assert registry.record("3") is None


def test_memory_of_ended_calls_is_bounded() -> None:
    registry = Registry(max_calls=1)
    for n in range(600):
        call = FakeCall(str(n))
        registry.admit(call)
        registry.release(call)
    assert len(registry.records()) == 500

"""Admission and memory of calls."""

from dataclasses import dataclass, field, replace
from typing import Any

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


class Long:
    """A long story, which notes how often it is told."""

    def __init__(self, entries: int) -> None:
        self.entries = entries
        self.told = 0

    def __len__(self) -> int:
        return self.entries

    def as_list(self) -> list[dict[str, Any]]:
        self.told += 1
        return [{"name": "entry"}]


class Talkative(FakeCall):
    def __init__(self, call_id: str, entries: int = 10) -> None:
        super().__init__(call_id)
        self.story = Long(entries)

    def record(self) -> CallRecord:
        return replace(super().record(), said=self.story, happened=self.story)


def test_a_list_of_calls_tells_no_long_stories() -> None:
    registry = Registry(max_calls=9)
    calls = [Talkative("1"), Talkative("2")]
    for call in calls:
        registry.admit(call)
    registry.release(calls[0])
    rows = [record.as_dict(with_timeline=False) for record in registry.records()]
    assert [row["call_id"] for row in rows] == ["2", "1"]
    assert "timeline" not in rows[0]
    assert [call.story.told for call in calls] == [0, 0]
    asked = registry.record("2")
    assert asked is not None
    assert asked.as_dict()["timeline"] == [{"name": "entry"}]
    assert [call.story.told for call in calls] == [0, 2]


def test_of_long_calls_the_oldest_lose_their_stories_and_are_still_known() -> None:
    registry = Registry(max_calls=1)
    for number in range(15):
        call = Talkative(str(number), entries=20_000)
        registry.admit(call)
        registry.release(call)
    records = registry.records()
    assert len(records) == 15
    assert [bool(record.timeline) for record in records] == [True] * 10 + [False] * 5
    assert records[-1].as_dict()["transcript"] == []

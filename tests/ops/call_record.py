"""A real call's record, and records that tests make up."""

import json
from pathlib import Path
from typing import Any

from gateway.ops.story import Story, tell, told_of

__all__ = ["SELF_TEST", "event", "record_of", "self_test_record", "story_of"]

SELF_TEST = Path(__file__).parent / "data" / "call.json"
"""The record of a self-test's call: a barge-in, nine keys, four menus, a tool."""


def self_test_record() -> dict[str, Any]:
    record: dict[str, Any] = json.loads(SELF_TEST.read_text("utf-8"))
    return record


def event(at: float, name: str, kind: str = "event", /, **detail: Any) -> dict[str, Any]:
    """Return an entry of a timeline; ``by`` in the detail of a request says who asked."""
    entry: dict[str, Any] = {"at": at, "kind": kind, "name": name, "detail": detail}
    if kind == "request":
        entry["by"] = detail.pop("by", "")
    return entry


def record_of(*entries: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return the record of a call that is over, with these entries."""
    plain = {"call_id": "c1", "caller": "ann", "called": "demo", "state": "ended"}
    return {**plain, "duration": 10.0, "ended_by": "caller", "timeline": list(entries), **fields}


def story_of(*entries: dict[str, Any], **fields: Any) -> Story:
    return tell(told_of(record_of(*entries, **fields)))

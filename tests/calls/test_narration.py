"""What a caller's own page is told of the call: what is listed, and nothing else."""

from itertools import pairwise
from typing import Any, get_args

import msgspec
import pytest

from gateway.calls.narration import Narration, last_words
from gateway.calls.notices import Notice
from gateway.calls.registry import CallRecord
from gateway.config import Settings
from gateway.control.actions import Supervise
from gateway.control.events import (
    CalleeAnswered,
    LinkLost,
    VoiceStarted,
    VoiceStopped,
)
from gateway.legs.events import LegEnded
from gateway.testing.flow import Flow

OPERATOR = "sip:operator@pbx.internal.example"
SETTINGS = Settings.model_validate(
    {
        "targets": {"night desk": {"uri": OPERATOR, "mode": "bridge"}},
        "menus": {"vault": {"say": "Press one.", "keys": {"1": {"transfer": "night desk"}}}},
        "rules": [
            {
                "on": "input_audio_buffer.dtmf_event_received",
                "digit": "9",
                "do": [{"menu": "vault"}],
            }
        ],
    }
)
PUBLIC = {
    "call.began": {"type", "call_id", "at", "call"},
    "caption": {"type", "call_id", "at", "who", "item_id", "text", "is_final", "is_cut"},
    "speaking": {"type", "call_id", "at", "who", "is_on"},
    "key": {"type", "call_id", "at", "key", "source"},
    "activity": {"type", "call_id", "at", "agent", "detail"},
    "turn": {"type", "call_id", "at", "ms"},
}
RECORD = {
    "call_id", "called", "started_at", "state", "duration", "ended_by", "reason", "q850", "codec",
}  # fmt: skip


def record(**more: Any) -> CallRecord:
    return CallRecord(
        "call", "ann", "web", 0.0, "talking", 1.0, trunk="carrier", recording="call.wav", **more
    )


class Page(Flow):
    """A call whose page is told of it."""

    def __init__(self) -> None:
        super().__init__(SETTINGS)
        self.messages: list[str] = []
        self.narration = Narration()
        self.narration.follow("call", self.messages.append)
        self.narration.call_began(record(usage={"cost": 1.0}))
        self.controller.timeline.watch()

    def _perform(self, actions: Any) -> None:
        for entry in self.controller.timeline.drain():
            self.narration.call_told("call", entry)
        super()._perform(actions)

    @property
    def told(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(message) for message in self.messages]


def eventful() -> Page:
    """Return a call in which there was much that is nobody's business."""
    page = Page()
    page.start()
    page.run(3.0)
    page.agent_calls("set_call_variable", name="pin", value="secret")
    page.service.hear_caller(0.5, "Go on.")
    page.run(5.0)
    page.ask(Supervise("takeover", "connection-1"), by="mallory")
    page.post(VoiceStarted("supervisor"))
    page.post(VoiceStopped(500, "supervisor"))
    page.ask(Supervise("leave", "connection-1"), by="mallory")
    page.post(LinkLost("401 of wss://service.internal"))
    page.run(5.0)
    page.press("9")
    page.run(4.0)
    page.press("1")
    page.run(1.0)
    page.post(CalleeAnswered())
    page.run(1.0)
    names = {entry.name for entry in page.controller.timeline.entries}
    assert {"supervision.changed", "CallOut", "menu.opened", "link.lost"} <= names
    return page


def test_a_page_is_told_what_is_listed_and_nothing_else() -> None:
    told = eventful().told
    for notice in told:
        assert set(notice) <= PUBLIC[notice["type"]]
    assert set(told[0]["call"]) == RECORD
    assert {notice["type"] for notice in told} >= {"call.began", "speaking", "key", "activity"}


@pytest.mark.parametrize(
    "secret",
    [OPERATOR, "night desk", "vault", "set_call_variable", "secret", "mallory", "connection-1",
     "supervisor", "takeover", "internal", "carrier", "cost", "recording"],
)  # fmt: skip
def test_what_is_the_gateway_s_own_business_is_in_no_message(secret: str) -> None:
    assert secret not in "\n".join(eventful().messages)


def test_what_the_agent_does_is_told_without_what_with_and_once() -> None:
    doing = [notice for notice in eventful().told if notice["type"] == "activity"]
    assert {"away", "tool", "menu", "transfer", "silent"} <= {notice["agent"] for notice in doing}
    assert not any(notice["detail"] for notice in doing)
    for before, after in pairwise(doing):
        assert before["agent"] != after["agent"]


def test_every_kind_of_notice_was_thought_of() -> None:
    kinds = {kind.__struct_config__.tag for kind in get_args(Notice)}
    kept = {"call.changed", "call.ended", "supervision"}
    assert kinds == set(PUBLIC) | kept


@pytest.mark.parametrize(
    ("by", "reason", "told"),
    [
        ("gateway", "transferred", "transferred"),
        ("gateway", "agent", "agent"),
        ("gateway", "supervisor", ""),
        ("gateway", "internal error", ""),
        ("gateway", "500 of sip:operator@pbx.internal.example", ""),
        ("caller", "the page is gone", "the page is gone"),
    ],
)
def test_why_a_call_ended_is_told_as_far_as_it_is_listed(by: Any, reason: str, told: str) -> None:
    words = msgspec.json.decode(last_words(record(), LegEnded(by, 200, reason)))
    assert set(words["call"]) == RECORD
    assert words["call"]["reason"] == told

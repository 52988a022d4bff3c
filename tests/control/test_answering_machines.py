"""Humans and machines told apart by how they answer."""

import pytest

from gateway.config import Settings
from gateway.control.controller import Controller
from gateway.control.events import (
    AnswerClassified,
    BeepHeard,
    CalleeAnswered,
    CalleeEnded,
    CallStarted,
    Event,
    LegAnswered,
    VoiceStarted,
    VoiceStopped,
)
from gateway.control.settings import ControlSettings
from gateway.realtime.faults import classify

Script = list[tuple[float, Event]]

HELLO: Script = [(0.5, VoiceStarted()), (1.1, VoiceStopped(600))]
GREETING: Script = [
    (0.4, VoiceStarted()),
    (1.6, VoiceStopped(1200)),
    (1.9, VoiceStarted()),
]


def judged(script: Script, *, until: float = 10.0, switched_on: bool = True) -> list[str]:
    """Return what an answered call of ours was judged to be, after so many seconds."""
    plan = Settings.model_validate({"dial": {"answering_machine": switched_on}})
    controller = Controller(ControlSettings.of(plan), classify)
    controller.handle(CallStarted("call", "sip:us@test", "sip:them@test", is_outbound=True), 0.0)
    controller.handle(LegAnswered(), 0.0)
    todo = [*script, (until, VoiceStopped(1))]
    for at, event in todo:
        while (due := controller.deadline) is not None and due < at:
            controller.wake(due)
        controller.handle(event, at)
    return [
        entry.subject.by
        for entry in controller.timeline.entries
        if isinstance(entry.subject, AnswerClassified)
    ]


@pytest.mark.parametrize(
    ("script", "by"),
    [
        (HELLO, "human"),
        (GREETING, "machine"),
        ([(0.3, VoiceStarted()), (3.0, VoiceStopped(2700))], "machine"),
        ([(1.0, BeepHeard(1000, 400))], "machine"),
        ([], "unknown"),
        ([(5.5, VoiceStarted())], "unknown"),
        ([*HELLO, (1.5, VoiceStarted()), (2.0, VoiceStopped(500))], "human"),
    ],
)
def test_an_answer_is_judged_once(script: Script, by: str) -> None:
    assert judged(script) == [by]


def test_nothing_is_judged_where_it_is_switched_off() -> None:
    assert judged(GREETING, switched_on=False) == []


def test_a_callee_that_hangs_up_is_not_judged() -> None:
    controller = Controller(ControlSettings.of(Settings()), classify)
    controller.handle(CallStarted("call", "sip:a@test", "sip:b@test"), 0.0)
    controller.handle(CalleeAnswered(), 1.0)
    controller.handle(CalleeEnded(200), 1.5)
    controller.wake(20.0)
    names = [entry.name for entry in controller.timeline.entries]
    assert "answer.classified" not in names

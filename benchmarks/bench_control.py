"""Decisions of call control a second: events through rules, keys through menus, whole calls.

"events, no rules" and "events, 40 rules" tell calls the 47 events over and over; "keys in a menu"
are pressed in an open menu, and each runs a step; "whole calls" are answered, told the 47 events,
and hung up.  The ratio is to sending the same number of events through a plain dictionary of
functions that do nothing, in the same run.

    python benchmarks/bench_control.py
"""

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

from rig.report import options, report
from rig.script import CALL

from gateway.config import Settings
from gateway.control import ControlSettings
from gateway.control.controller import Controller
from gateway.control.events import (
    CallStarted,
    Event,
    KeyPressed,
    LegAnswered,
    LegEnded,
    LinkReady,
)
from gateway.control.states import CallState
from gateway.realtime.events import decode
from gateway.realtime.faults import classify

EVENTS = [decode(frame) for _, frame in CALL]
KEYS = [KeyPressed(key, "rfc4733") for key in "12"]
RULES = [
    {
        "on": ["input_audio_buffer.dtmf_event_received", "error"],
        "digit": "123",
        "variables": {"language": [f"l{number}"]},
        "do": {"log": "never"},
    }
    for number in range(40)
]
MENUS = {
    "main": {
        "say": "One or two.",
        "keys": {"1": {"set": {"side": "one"}}, "2": {"set": {"side": "two"}}},
    }
}


def call(settings: Settings) -> Controller:
    """Return a controller whose caller was answered and whose service was reached."""
    controller = Controller(ControlSettings.of(settings), classify)
    begin(controller)
    return controller


def begin(controller: Controller) -> None:
    for event in (CallStarted("call", "sip:a@test", "sip:b@test"), LinkReady(), LegAnswered()):
        controller.handle(event, 0.0)


def telling(settings: Settings, events: list[Event]) -> Callable[[int], float]:
    """Return a way to tell a call so many events, which returns the seconds it took."""

    def tell(count: int) -> float:
        controller = call(settings)
        now, started = 1.0, time.perf_counter()
        for number in range(count):
            now += 1.5
            controller.handle(events[number % len(events)], now)
            if controller.state is CallState.ENDED:
                controller = call(settings)
        return time.perf_counter() - started

    return tell


def calling(count: int) -> float:
    """Run whole calls of as many events in all; return the seconds it took."""
    settings = ControlSettings.of(Settings())
    started = time.perf_counter()
    for _ in range(count // (len(EVENTS) + 4)):
        controller = Controller(settings, classify)
        begin(controller)
        for number, event in enumerate(EVENTS):
            controller.handle(event, 1.0 + number * 0.02)
        controller.handle(LegEnded("caller"), 9.0)
    return time.perf_counter() - started


def nothing(count: int) -> float:
    """The reference: look a function up by the event's type, and call it."""
    known = {type(event): (lambda event: None) for event in EVENTS}
    started = time.perf_counter()
    for number in range(count):
        event = EVENTS[number % len(EVENTS)]
        known[type(event)](event)
    return time.perf_counter() - started


if __name__ == "__main__":
    chosen = options(__doc__, events=5000, rounds=9)
    ways = {
        "events, no rules": telling(Settings(), EVENTS),
        "events, 40 rules": telling(Settings(rules=RULES), EVENTS),
        "keys in a menu": telling(Settings(menus=MENUS, call={"menu": "main"}), KEYS),
        "whole calls": calling,
        "": nothing,
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(chosen.rounds):
        for name, way in ways.items():
            gc.collect()
            times[name].append(way(chosen.events))
    taken = {name: statistics.median(seconds) for name, seconds in times.items()}
    rows: list[dict[str, Any]] = [
        {
            "what": name,
            "decisions_per_s": round(chosen.events / seconds),
            "us": round(seconds / chosen.events * 1e6, 1),
            "times_nothing": round(seconds / taken[""], 1),
        }
        for name, seconds in taken.items()
        if name
    ]
    report("control", rows, "as many as 200 calls make, many times over", as_json=chosen.json)

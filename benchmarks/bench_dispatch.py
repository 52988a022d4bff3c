"""Microseconds to read an event of the service and decide what the call does about it: all 47.

One call is told in 47 events (`rig/script.py`), over and over, each time to a controller of its
own.  Reading a frame and dispatching it are timed apart.  The ratio is to what Python's own `json`
takes to read the same frame, in turn with it.  The last row is all 47 together.

    python benchmarks/bench_dispatch.py
"""

import gc
import json
import statistics
import time
from collections.abc import Sequence
from typing import Any

from rig.report import options, report
from rig.script import CALL

from gateway.config import Settings
from gateway.control import ControlSettings
from gateway.control.controller import Controller
from gateway.control.events import CallStarted, LegAnswered, LinkReady
from gateway.control.states import CallState
from gateway.realtime.events import Unknown, decode
from gateway.realtime.faults import classify

FRAME_SECONDS = 0.02


def call(settings: ControlSettings) -> Controller:
    """Return a controller whose caller was answered and whose service was reached."""
    controller = Controller(settings, classify)
    for event in (CallStarted("call", "sip:a@test", "sip:b@test"), LinkReady(), LegAnswered()):
        controller.handle(event, 0.0)
    return controller


def tell(controller: Controller) -> list[tuple[float, float, float]]:
    """Play the call once; returns the seconds of reading, deciding and the reference, per event."""
    times, clock, now = [], time.perf_counter, 0.0
    for _, frame in CALL:
        now += FRAME_SECONDS
        start = clock()
        json.loads(frame)
        read = clock()
        event = decode(frame)
        decided = clock()
        controller.handle(event, now)
        end = clock()
        assert not isinstance(event, Unknown)
        times.append((decided - read, end - decided, read - start))
    assert controller.state is not CallState.ENDED
    return times


def measure(rounds: int) -> list[dict[str, Any]]:
    """Return the medians of every event, and of the whole call."""
    settings = ControlSettings.of(Settings())
    tell(call(settings))
    gc.collect()
    gc.freeze()
    told = [tell(call(settings)) for _ in range(rounds)]
    rows = [
        _row(name, len(frame), [each[index] for each in told])
        for index, (name, frame) in enumerate(CALL)
    ]
    sums = [tuple(map(sum, zip(*each, strict=True))) for each in told]
    return [*rows, _row("all 47", sum(len(frame) for _, frame in CALL), sums)]


def _row(name: str, size: int, times: Sequence[Sequence[float]]) -> dict[str, Any]:
    decode_us, dispatch_us, json_us = (
        statistics.median(kind) * 1e6 for kind in zip(*times, strict=True)
    )
    return {
        "event": name,
        "bytes": size,
        "decode_us": round(decode_us, 2),
        "dispatch_us": round(dispatch_us, 2),
        "json_us": round(json_us, 2),
        "ratio": round((decode_us + dispatch_us) / json_us, 2),
    }


if __name__ == "__main__":
    chosen = options(__doc__, rounds=300)
    target = "<= 50 us an event on the average, the largest delta aside nothing over 200"
    report("dispatch", measure(chosen.rounds), target, as_json=chosen.json)

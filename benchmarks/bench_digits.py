"""Key presses missed and extra, by source, over a network that loses packets singly or in bursts.

Presses of 100 ms, five a second (INFO: three), in virtual time through the real media engine, the
real transactions of SIP, and the real call control.  "all at once" has each press reported as an
event, as a tone and, on some calls, by the service a little later, as one call's control hears it.
The reference is a receiver that has one packet of each press to go by.  Of events sent in bursts
of loss some are lost whole, all seven packets: with 10 % in bursts of three, 0.9 % of them.

    python benchmarks/bench_digits.py
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rig.presses import Report, by_events, by_info, by_sound, differences, told, typed
from rig.report import options, report

LOSSES = ((0.0, 1.0), (0.02, 1.0), (0.05, 1.0), (0.10, 1.0), (0.05, 3.0), (0.10, 3.0))
EACH = 50  # presses in a call
INFO_EACH = 10
_SERVICE_LATE = (0.05, 0.4)  # seconds after the press that the service tells of it

Way = Callable[[list[str], float, float], Iterable[list[Report]]]


def all_at_once(typed: list[str], loss: float, burst: float) -> Iterator[list[Report]]:
    """Report each press as an event and as a tone; half of the calls hear it of the service too."""
    rng = random.Random(3)
    both = zip(by_events(typed, loss, burst, 8000), by_sound(typed, loss, burst), strict=True)
    for number, (events, tones) in enumerate(both):
        shift = events[0].at - tones[0].at if events and tones else 0.0
        reports = events + [Report(at + shift, key, source) for at, key, source in tones]
        if number % 2:
            reports += [
                Report(at + rng.uniform(*_SERVICE_LATE), key, "service") for at, key, _ in events
            ]
        yield reports


WAYS: dict[str, tuple[Way, int]] = {
    "RFC 4733, 8 kHz": (lambda keys, *loss: by_events(keys, *loss, 8000), EACH),
    "RFC 4733, 16 kHz": (lambda keys, *loss: by_events(keys, *loss, 16000), EACH),
    "RFC 4733, 48 kHz": (lambda keys, *loss: by_events(keys, *loss, 48000), EACH),
    "tones in G.711": (by_sound, EACH),
    "INFO over UDP": (by_info, INFO_EACH),
    "all at once": (all_at_once, EACH),
}


def measure(presses: int) -> Iterator[dict[str, Any]]:
    for name, (way, each) in WAYS.items():
        for loss, burst in LOSSES:
            pressed = typed(presses // each, each)
            started = time.perf_counter()
            heard = [told(reports) for reports in way(pressed, loss, burst)]
            results = [differences(*pair) for pair in zip(pressed, heard, strict=True)]
            yield {
                "source": name,
                "loss": f"{loss:.0%}" + (f" in bursts of {burst:.0f}" if burst > 1 else ""),
                "pressed": presses // each * each,
                "missed": sum(missed for missed, _ in results),
                "extra": sum(extra for _, extra in results),
                "missed_by_one_copy": _expected(loss, presses // each * each),
                "seconds": round(time.perf_counter() - started, 1),
            }


def _expected(loss: float, presses: int) -> int:
    """Return what a receiver of one packet a press would miss."""
    return round(loss * presses)


if __name__ == "__main__":
    chosen = options(__doc__, presses=10_000)
    target = "RFC 4733: all at 10 % loss, none extra"
    report("digits", list(measure(chosen.presses)), target, as_json=chosen.json)

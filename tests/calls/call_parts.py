"""A call's parts with nothing behind them, for tests to fill."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.calls.call import CallParts
from gateway.calls.quota import Quota
from gateway.control.actions import RunErrand
from gateway.control.events import ErrandDone
from gateway.media.options import LaneOptions
from gateway.realtime.link import Link


def no_link(*_callbacks: Any) -> Link:
    raise AssertionError("nobody asked for a link")


class NoErrands:
    """Runs nothing, and is not to be asked."""

    def begin(self, errand: RunErrand, on_done: Callable[[ErrandDone], None]) -> Callable[[], None]:
        raise AssertionError("nobody asked for an errand")


def parts(**changes: Any) -> CallParts:
    """Return parts for a call over a WebSocket; ``changes`` replace what is named."""
    standard: dict[str, Any] = {
        "make_link": no_link,
        "transport": "websocket",
        "audio_format": "audio/pcm",
        "audio": "pcm24",
        "prompts": {},
        "recording_format": "wav",
        "recordings": Path("/nowhere"),
        "connect_seconds": 5.0,
        "quota": Quota(0.0),
        "errands": NoErrands(),
        "outbound": None,
        "callee": LaneOptions(),
    }
    return CallParts(**standard | changes)

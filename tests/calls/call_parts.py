"""A call's parts with nothing behind them, for tests to fill."""

from pathlib import Path
from typing import Any

from gateway.calls.call import CallParts
from gateway.calls.quota import Quota
from gateway.realtime.link import Link


def no_link(*_callbacks: Any) -> Link:
    raise AssertionError("nobody asked for a link")


def parts(**changes: Any) -> CallParts:
    """Return parts for a call over a WebSocket; ``changes`` replace what is named."""
    standard: dict[str, Any] = {
        "make_link": no_link,
        "transport": "websocket",
        "audio_format": "audio/pcm",
        "prompts": {},
        "recordings": Path("/nowhere"),
        "connect_seconds": 5.0,
        "quota": Quota(0.0),
    }
    return CallParts(**standard | changes)

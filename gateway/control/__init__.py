"""Call control without I/O: events in, actions out, the same every time."""

from .actions import (
    Action,
    Answer,
    Connect,
    Disconnect,
    HangUp,
    Hold,
    Listen,
    Log,
    Play,
    Record,
    Reject,
    Request,
    Respond,
    Resume,
    Ring,
    Say,
    SendCommand,
    SendDtmf,
    SendText,
    Stop,
    Transfer,
)
from .controller import Controller
from .event_table import EVENT_TABLE, OWN_TABLE, Handling
from .events import Event, Heard
from .replay import first_difference, replay
from .settings import ControlSettings
from .states import CallState
from .timeline import Timeline, TimelineEntry

__all__ = [
    "EVENT_TABLE",
    "OWN_TABLE",
    "Action",
    "Answer",
    "CallState",
    "Connect",
    "ControlSettings",
    "Controller",
    "Disconnect",
    "Event",
    "Handling",
    "HangUp",
    "Heard",
    "Hold",
    "Listen",
    "Log",
    "Play",
    "Record",
    "Reject",
    "Request",
    "Respond",
    "Resume",
    "Ring",
    "Say",
    "SendCommand",
    "SendDtmf",
    "SendText",
    "Stop",
    "Timeline",
    "TimelineEntry",
    "Transfer",
    "first_difference",
    "replay",
]

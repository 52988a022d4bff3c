"""Keys that nobody may see: what is kept of the events that bring them."""

from dataclasses import replace

import msgspec

from ..realtime.events import InputAudioBufferDtmfEventReceived
from .events import Event, KeyPressed, KeyReleased
from .sealed import HIDDEN

__all__ = ["concealed"]


def concealed(event: Event) -> Event:
    """Return an event as it is kept while a sensitive number is pressed: digits are hidden."""
    match event:
        case KeyPressed(key=key) | KeyReleased(key=key) if key.isdecimal():
            return replace(event, key=HIDDEN)
        case InputAudioBufferDtmfEventReceived(event=key) if key.isdecimal():
            return msgspec.structs.replace(event, event=HIDDEN, digit=None)
        case _:
            return event

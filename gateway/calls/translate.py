"""What a leg and a lane tell, in the words that call control knows."""

import time

from ..control import events as control
from ..legs import events as legs
from ..media import events as media

__all__ = ["from_callee", "from_lane", "from_leg"]


def from_lane(event: media.LaneEvent, side: control.Side = "caller") -> control.Event | None:
    """Translate what the media engine tells of a lane; ``None`` where control need not know.

    ``side`` is whose lane it is.
    """
    match event:
        case media.PlayoutStarted():
            return control.PlayoutStarted(event.response_id)
        case media.PlayoutStopped():
            return control.PlayoutStopped(event.response_id)
        case media.PlayoutFlushed():
            items = tuple(
                control.Heard(h.response_id, h.item_id, h.content_index, h.sent_ms, h.received_ms)
                for h in event.items
            )
            return control.PlayoutFlushed(event.response_id, items)
        case media.PromptStopped():
            return control.PromptStopped(event.prompt_id, event.is_complete)
        case media.KeyPressed():
            if not event.is_down:
                return control.KeyReleased(event.key, event.source, event.duration_ms, side)
            return control.KeyPressed(
                event.key, event.source, received_at=int(time.time()), leg=side
            )
        case media.MediaTimeout():
            return control.MediaTimeout(event.seconds, event.is_held)
        case media.VoiceStarted():
            return control.VoiceStarted(side)
        case media.VoiceStopped():
            return control.VoiceStopped(event.duration_ms, side)
        case media.BeepHeard():
            return control.BeepHeard(event.hertz, event.duration_ms, side)
        case media.RecordingStopped():
            return None


def from_leg(event: legs.LegEvent) -> control.Event | None:
    """Translate what a leg tells; ``None`` where control need not know."""
    match event:
        case legs.LegAnswered():
            return control.LegAnswered()
        case legs.LegEnded():
            return control.LegEnded(event.by, event.status, event.reason, event.q850)
        case legs.LegKey():
            return control.KeyPressed(
                event.key, event.source, event.duration_ms, received_at=int(time.time())
            )
        case legs.LegHeld():
            return control.LegHeld(event.is_held)
        case legs.TransferProgress():
            return control.TransferProgress(event.status)
        case legs.TransferEnded():
            return control.TransferEnded(event.is_accepted, event.status)
        case legs.LegReferred():
            return control.LegReferred(event.target)
        case legs.LegMoved():
            return control.LegMoved(event.party, event.status)
        case legs.LegMedia() | legs.LegRinging():
            return None


def from_callee(event: legs.LegEvent) -> control.Event | None:
    """Translate what the second leg tells, its end aside; ``None`` for what is of no concern."""
    match event:
        case legs.LegRinging():
            return control.CalleeProgress(event.status)
        case legs.LegAnswered():
            return control.CalleeAnswered()
        case legs.LegKey():
            received_at = int(time.time())
            return control.KeyPressed(
                event.key, event.source, event.duration_ms, received_at, leg="callee"
            )
        case legs.LegReferred():
            return control.LegReferred(event.target, "callee")
        case legs.LegMoved():
            return control.LegMoved(event.party, event.status, "callee")
        case _:
            return None

"""What was begun and not brought to an end: by a link that broke, or a response that stopped short.

On a WebSocket the caller hears everything that came before the loss.  Over WebRTC the sound
goes with the link.  A hosted call goes on without us: what was begun there is spoken there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .actions import Request, Respond, Say, SendText
from .asks import Ask
from .context import Context
from .speech import Speech
from .states import CallState

__all__ = ["Unfinished", "incomplete_remark", "unfinished"]

_FILTERED: Final = (
    "[Your last answer was stopped by a content filter. "
    "Apologise in one short sentence and ask for the question in other words.]"
)
_BROKEN_OFF: Final = "[Your last answer broke off. Finish it in one short sentence.]"


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What the caller is still owed.

    Attributes:
        request: What to ask the next session for, or ``None`` for nothing.
        was_cut: Whether the caller heard only the beginning of an answer.

    """

    request: Say | Respond | None = None
    was_cut: bool = False


def unfinished(
    context: Context,
    speech: Speech,
    *,
    ask: Ask | None,
    begun: Ask | None,
    active: str | None,
    was_awaited: bool,
) -> Unfinished:
    """Lay down what is being said, as the link has gone; returns what is left of it.

    Args:
        context: The call.
        speech: What the caller is hearing; responses that can bring no more are noted there.
        ask: What was to be asked next, or was asked and not begun.
        begun: The ask that the active response answers.
        active: The response under way, unless it is dropped.
        was_awaited: Whether the service was about to answer by itself.

    """
    has_audio = active is not None and speech.has_audio(active)
    is_sounding = any(speech.has_audio(response_id) for response_id in speech.responses)
    _silence(context, speech)
    is_talk = context.state in (CallState.SETUP, CallState.TALKING)
    if ask is not None:
        return Unfinished(ask.request)
    if context.transport == "sip":
        return Unfinished()
    is_cut = has_audio or (context.transport == "webrtc" and is_sounding)
    if begun is not None and (not is_cut or (is_talk and isinstance(begun.request, Say))):
        return Unfinished(begun.request)
    if not is_talk:
        return Unfinished()
    if is_cut:
        return Unfinished(Respond(), was_cut=True)
    return Unfinished(Respond() if active is not None or was_awaited else None)


def _silence(context: Context, speech: Speech) -> None:
    """Note of every response that no more comes of it."""
    if context.transport == "webrtc":
        for response_id in speech.responses:
            speech.forget(response_id)
    else:
        speech.seal()


def incomplete_remark(reason: str) -> Sequence[Request]:
    """Return what has the model round off an answer that was left incomplete for ``reason``."""
    told = _FILTERED if reason == "content_filter" else _BROKEN_OFF
    return (SendText(told), Respond())

"""A caller at a browser: a connection made by WHIP, told of in the words of any other leg.

What a browser cannot be asked to do by a server is not done: it is sent nowhere, and is not
offered anything anew, so that it is held by silence alone.  Its page is told by messages:
``{"type": "held", "is_on": true}``, and ``{"type": "keys", "keys": "12#"}`` for keys that are
pressed for it to hear.
"""

import enum
from collections.abc import Callable, Mapping
from typing import Final, assert_never

import msgspec

from ..sip.wire.reason import NORMAL_CAUSE, cause_of_status
from .events import LegAnswered, LegEnded, LegEvent, LegKey, LegMedia, TransferEnded
from .info_keys import KEYS
from .web_connection import WebConnection
from .web_events import Connected, Disconnected, MessageCame, WebEvent

__all__ = ["WebRtcLeg"]

_LONGEST_MESSAGE: Final = 1024  # characters that are read of what a page says
_LONGEST_PRESS: Final = 60_000  # milliseconds
_GAVE_UP: Final = 487
_NEVER_CAME: Final = 408
_NOT_POSSIBLE: Final = 501


class _Pressed(msgspec.Struct, tag="key", tag_field="type"):
    key: str
    duration_ms: float = 0.0


class _State(enum.Enum):
    COMING = enum.auto()  # not answered, or not there yet
    UP = enum.auto()
    ENDING = enum.auto()  # by us
    OVER = enum.auto()


class WebRtcLeg:
    """One caller by WebRTC.

    Args:
        leg_id: What it is known by.
        connection: To the browser, just prepared.
        on_event: Told what happens.
        caller: Who calls.
        called: Whom.
        headers: What its request said that may be of interest.
        explain: Returns the message that tells the page of the end of its call.

    """

    kind: Final = "webrtc"

    def __init__(
        self,
        leg_id: str,
        connection: WebConnection,
        on_event: Callable[[LegEvent], None],
        *,
        caller: str,
        called: str,
        headers: Mapping[str, str],
        explain: Callable[[LegEnded], str],
    ) -> None:
        self.id = leg_id
        self.caller = caller
        self.called = called
        self.headers = headers
        self.unread = 0  # messages that are none of the protocol's
        self._connection = connection
        self._on_event = on_event
        self._explain = explain
        self._state = _State.COMING
        self._is_wanted = False
        self._end: LegEnded | None = None  # that we bring about
        connection.listen(self._hear)

    def ring(self) -> None:
        """Nothing: the page knows that it calls."""

    def answer(self) -> None:
        """Take the call, as soon as there is a way for its sound."""
        self._is_wanted = True
        self._come_up()

    def reject(self, status: int, reason: str = "") -> None:
        """Do not take the call."""
        self._leave(LegEnded("gateway", status, reason, cause_of_status(status)))

    def redirect(self, target: str) -> None:
        """Not possible: the call is refused."""
        del target
        self.reject(_NOT_POSSIBLE, "a browser cannot be sent elsewhere")

    def hang_up(self, reason: str = "", q850: int = NORMAL_CAUSE) -> None:
        """End the call, however far it has come."""
        self._leave(LegEnded("gateway", 200, reason, q850))

    def hold_end(self, seconds: float) -> None:
        """Have a page that hangs up wait for :meth:`let_go`, at most for so long."""
        self._connection.hold_end(seconds)

    def let_go(self) -> None:
        """Tell a page that has hung up that we know of it."""
        self._connection.let_go()

    def transfer(self, target: str, replaces: str = "") -> None:
        """Not possible: the far end knows nobody but us.  It can be joined with another leg."""
        del target, replaces
        self._on_event(TransferEnded(is_accepted=False, status=_NOT_POSSIBLE))

    def hold(self) -> None:
        """Send the page silence and do not listen to it."""
        self._set_held(True)

    def resume(self) -> None:
        """Take the page back."""
        self._set_held(False)

    def send_dtmf(self, digits: str) -> None:
        """Press keys: in the sound where that was agreed on, and in a message."""
        keys = "".join(key for key in digits.upper() if key in KEYS)
        if not keys:
            return
        if self._connection.negotiated.dtmf_send_type is not None:
            self._connection.lane.send_digits(keys)
        self._tell({"type": "keys", "keys": keys})

    def _set_held(self, is_on: bool) -> None:
        self._connection.lane.hold(is_on)
        self._tell({"type": "held", "is_on": is_on})

    def _tell(self, message: Mapping[str, object]) -> None:
        self._connection.send(msgspec.json.encode(message).decode())

    def _hear(self, event: WebEvent) -> None:
        match event:
            case Connected():
                self._on_event(LegMedia(self._connection.negotiated))
                self._come_up()
            case MessageCame(text):
                self._read(text)
            case Disconnected():
                self._finish(event)
            case _:
                assert_never(event)

    def _come_up(self) -> None:
        if self._is_wanted and self._connection.is_connected and self._state is _State.COMING:
            self._state = _State.UP
            self._on_event(LegAnswered())

    def _read(self, text: str) -> None:
        try:
            if len(text) > _LONGEST_MESSAGE:
                raise msgspec.DecodeError
            pressed = msgspec.json.decode(text, type=_Pressed)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            self.unread += 1
            return
        key = pressed.key.upper()
        if key in KEYS:
            milliseconds = int(min(max(pressed.duration_ms, 0.0), _LONGEST_PRESS))
            self._on_event(LegKey(key, "browser", milliseconds))
        else:
            self.unread += 1

    def _leave(self, end: LegEnded) -> None:
        if self._state in (_State.COMING, _State.UP):
            self._state, self._end = _State.ENDING, end
            self._connection.send(self._explain(end))
            self._connection.close(end.reason, is_explained=True)

    def _finish(self, event: Disconnected) -> None:
        if self._state is _State.OVER:
            return
        end = self._end
        if end is None and self._state is _State.UP:
            end = LegEnded("caller", 200, event.reason)
        elif end is None:
            has_come = self._connection.is_connected or event.has_left
            status = _GAVE_UP if has_come else _NEVER_CAME
            end = LegEnded("caller", status, event.reason, cause_of_status(status))
        self._state = _State.OVER
        self._on_event(end)

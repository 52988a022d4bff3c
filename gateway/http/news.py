"""What happens in all calls, for everybody who watches: told once, encoded once, kept for a while.

A notice goes as an event of a stream (WHATWG HTML, server-sent events) to any number of viewers.
Each has a queue of its own that is bounded: one who reads too slowly loses the connection, and
holds up nobody.  The latest events are kept, so that whoever comes back is told what they missed.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from ..calls.narrator import Narrator
from ..calls.notices import CallBegan, CallChanged, CallEnded, Caption, Notice
from ..calls.registry import CallRecord, LiveCall
from ..control.timeline import TimelineEntry
from .ring import Ring
from .standing import Standing
from .viewer import Viewer

__all__ = ["News"]

_GATHER: Final = 0.1  # seconds: captions that grow are told so often
_SIGN_OF_LIFE: Final = 15.0  # seconds between two, of which each is to be taken before the next
_LOOK: Final = 1.0  # seconds: calls are looked at so often
_LOOKED_AT: Final = 50  # calls a second
_CHANGES: Final = frozenset({"leg.answered", "leg.held", "link.ready", "link.lost", "Patch"})
_MOST_OF_ONE: Final = 8  # streams that one visitor may have at a time
_NOT_NEWS: Final = frozenset({"duration"})  # of a record


class News:
    """Looks on at every call, and tells viewers.

    Args:
        live: The calls in progress.
        epoch: A word that no other run of the gateway has: an event's name begins with it.
        most_viewers: More are turned away, and of one visitor's those after the eighth.

    """

    def __init__(
        self, live: Callable[[], Iterable[LiveCall]], *, epoch: str, most_viewers: int = 64
    ) -> None:
        self.most_viewers = most_viewers
        self.told = 0
        self.turned_away = 0
        self.slow = 0
        self._live = live
        self._ring = Ring(epoch)
        self._narrators: dict[str, Narrator] = {}
        self._standing: dict[str, Standing] = {}
        self._viewers: set[Viewer] = set()
        self._growing: dict[tuple[str, str], Caption] = {}
        self._shown: dict[str, dict[str, Any]] = {}  # the record of each call, as told last
        self._flushing: asyncio.TimerHandle | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._nudging: asyncio.TimerHandle | None = None

    # What calls tell (Observer)

    def call_began(self, record: CallRecord) -> None:
        """Take the news of a call."""
        self._narrators[record.call_id] = Narrator(record.call_id, record.said)
        self._standing[record.call_id] = Standing()
        self._publish(CallBegan(call_id=record.call_id, at=0.0, call=_short(record)))

    def call_told(self, call_id: str, entry: TimelineEntry) -> None:
        """Take an entry of its timeline."""
        narrator = self._narrators.get(call_id)
        if narrator is None:
            return
        for notice in narrator.hear(entry):
            self._tell(notice)
        if entry.name in _CHANGES:
            self._shown.pop(call_id, None)
            self._look_soon()

    def call_ended(self, record: CallRecord) -> None:
        """Take the end of a call."""
        self._narrators.pop(record.call_id, None)
        self._shown.pop(record.call_id, None)
        self._flush(record.call_id)
        self._standing.pop(record.call_id, None)
        at = round(record.duration, 3)
        self._publish(CallEnded(call_id=record.call_id, at=at, call=_short(record)))

    # Viewers

    @property
    def counted(self) -> dict[str, int]:
        """What is worth counting."""
        return {
            "viewers": len(self._viewers),
            "viewers_turned_away": self.turned_away,
            "viewers_too_slow": self.slow,
            "notices": self.told,
        }

    def admit(self, call_id: str = "", last_id: str = "", visitor: str = "") -> Viewer | None:
        """Let somebody watch all calls, or one; ``None`` where there are too many already.

        They begin with what they missed since the event ``last_id``, or with how the calls stand.
        """
        self._dismiss_gone()
        of_one = sum(viewer.visitor == visitor for viewer in self._viewers)
        if len(self._viewers) >= self.most_viewers or of_one >= _MOST_OF_ONE:
            self.turned_away += 1
            return None
        viewer = Viewer(call_id, visitor)
        missed = self._ring.since(last_id, call_id) if last_id else None
        if missed is not None:
            for event in missed:
                viewer.push(event)
        else:
            if last_id:
                viewer.push(_GAP)
            for call in self._live():
                if call_id in ("", call.call_id):
                    self._tell_standing(viewer, call)
        viewer.push(self._ring.mark)  # last: whoever knows it has been told all the rest
        self._viewers.add(viewer)
        self._look_soon(_LOOK)
        if self._nudging is None:
            self._nudging = asyncio.get_running_loop().call_later(_SIGN_OF_LIFE, self._nudge)
        return viewer

    def _tell_standing(self, viewer: Viewer, call: LiveCall) -> None:
        """Tell how a call stands."""
        viewer.push(_event(_changed(call.record())))
        if (standing := self._standing.get(call.call_id)) is not None:
            for notice in standing.notices:
                viewer.push(_event(notice))

    def _dismiss_gone(self) -> None:
        """Give back the places of those whose connection is gone, though nothing was written."""
        for viewer in tuple(self._viewers):
            if viewer.is_gone():
                viewer.end()
                self._viewers.discard(viewer)

    def dismiss(self, viewer: Viewer) -> None:
        """Let somebody go."""
        self._viewers.discard(viewer)

    def close(self) -> None:
        """Let everybody go."""
        for timer in (self._flushing, self._looking, self._nudging):
            if timer is not None:
                timer.cancel()
        for viewer in self._viewers:
            viewer.end()
        self._viewers.clear()

    # How it is told

    def _tell(self, notice: Notice) -> None:
        """Tell a notice; a caption that still grows waits a little, for more of it."""
        if not isinstance(notice, Caption):
            self._flush(notice.call_id)
            self._publish(notice)
        elif notice.is_final:
            self._growing.pop((notice.call_id, notice.item_id), None)
            self._publish(notice)
        else:
            self._growing[notice.call_id, notice.item_id] = notice
            if self._flushing is None:
                loop = asyncio.get_running_loop()
                self._flushing = loop.call_later(_GATHER, self._flush_all)

    def _flush_all(self) -> None:
        self._flushing = None
        growing, self._growing = self._growing, {}
        for notice in growing.values():
            self._publish(notice)

    def _flush(self, call_id: str) -> None:
        """Tell what waits of one call, before something else of it is told."""
        if self._growing:
            for key in [key for key in self._growing if key[0] == call_id]:
                self._publish(self._growing.pop(key))

    def _publish(self, notice: Notice) -> None:
        self.told += 1
        if (standing := self._standing.get(notice.call_id)) is not None:
            standing.take(notice)
        event = self._ring.add(notice.call_id, msgspec.json.encode(notice))
        for viewer in tuple(self._viewers):
            if viewer.call_id in ("", notice.call_id) and not viewer.push(event):
                self._lose(viewer)

    def _nudge(self) -> None:
        """Give all viewers a sign of life; who has not taken the last one is too slow."""
        self._nudging = None
        for viewer in tuple(self._viewers):
            if not viewer.nudge():
                self._lose(viewer)
        if self._viewers:
            self._nudging = asyncio.get_running_loop().call_later(_SIGN_OF_LIFE, self._nudge)

    def _lose(self, viewer: Viewer) -> None:
        self.slow += 1
        self._viewers.discard(viewer)

    # How calls stand

    def _look_soon(self, seconds: float = _GATHER) -> None:
        """See to it that the calls are looked at in so many seconds, or before."""
        if not self._viewers:
            return
        loop = asyncio.get_running_loop()
        if self._looking is not None:
            if self._looking.when() <= loop.time() + seconds:
                return
            self._looking.cancel()
        self._looking = loop.call_later(seconds, self._look)

    def _look(self) -> None:
        """Tell how the calls stand, where that has changed, while anybody watches."""
        self._looking = None
        self._dismiss_gone()
        if not self._viewers:
            self._shown.clear()
            return
        calls = 0
        for call in self._live():
            calls += 1
            notice = _changed(call.record())
            shown = {name: value for name, value in notice.call.items() if name not in _NOT_NEWS}
            if call.call_id in self._narrators and shown != self._shown.get(call.call_id):
                self._shown[call.call_id] = shown
                self._publish(notice)
        self._look_soon(max(_LOOK, calls / _LOOKED_AT))


def _short(record: CallRecord) -> dict[str, Any]:
    return record.as_dict(with_timeline=False)


def _changed(record: CallRecord) -> CallChanged:
    return CallChanged(call_id=record.call_id, at=round(record.duration, 3), call=_short(record))


def _event(notice: Notice) -> bytes:
    """Return an event that has no name: it is of the moment, and nobody can miss it."""
    return b"data: " + msgspec.json.encode(notice) + b"\n\n"


_GAP: Final = b'data: {"type":"gap"}\n\n'

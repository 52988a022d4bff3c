"""Whole calls and their stories as JSON, made beside the event loop and once for all who ask.

A call may have twenty thousand entries: what is made of it is made on a thread of its own, of a
call that is over once, of one in progress only so often that little time goes into it.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Literal, Protocol, TypeAlias

from .clerk import Clerk
from .pieces import json_of
from .recordings import Recordings
from .shelf import Made, Shelf
from .story import Envelope, Story, Take, Told, tell, told_of
from .story.shapes import LaneName

__all__ = ["Calls", "Stage", "Stories"]

Stage: TypeAlias = Literal["live", "over", ""]
"""Where a call stands; empty where there is none."""

_ROOM: Final = 16 * 1024 * 1024  # bytes of stories, and as many of whole calls
_SETTLED: Final = 30.0  # seconds after its end that nothing comes to a call any more
_REST: Final = 1.0


class Calls(Protocol):
    """Where calls are found."""

    async def stage(self, call_id: str) -> Stage:
        """Say where a call stands, which takes no time."""
        ...

    async def get(self, call_id: str) -> dict[str, Any] | None:
        """Return a whole call, ``None`` where there is none of that name."""
        ...


class Stories:
    """Tells whole calls.

    Every method raises :class:`~gateway.errors.RecordError` where the calls that are over cannot
    be asked for.

    Args:
        calls: Finds them.
        recordings: What they sounded like.
        unix_clock: Unix seconds.

    """

    def __init__(
        self,
        calls: Calls,
        recordings: Recordings,
        *,
        unix_clock: Callable[[], float] = time.time,
    ) -> None:
        self.recordings = recordings
        self._calls = calls
        self._unix_clock = unix_clock
        self._clerk = Clerk("stories")
        self._stories = Shelf[bytes](_ROOM, rest=_REST)
        self._records = Shelf[bytes](_ROOM)

    async def stage(self, call_id: str) -> Stage:
        """Say where a call stands."""
        return await self._calls.stage(call_id)

    async def story(self, call_id: str) -> Story | None:
        """Return the story of a call, ``None`` where there is no such call."""
        record = await self._calls.get(call_id)
        return None if record is None else await self._clerk.do(tell, *await self._listen(record))

    async def story_json(self, call_id: str) -> bytes | None:
        """Return the same as JSON."""

        async def make() -> Made[bytes] | None:
            record = await self._calls.get(call_id)
            if record is None:
                return None
            body = await self._clerk.do(_story_json, *await self._listen(record))
            return Made(body, len(body), self._is_settled(record))

        return await self._kept(self._stories, call_id, make)

    async def whole_json(self, call_id: str) -> bytes | None:
        """Return a whole call as JSON, ``None`` where there is no such call."""

        async def make() -> Made[bytes] | None:
            record = await self._calls.get(call_id)
            if record is None:
                return None
            body = await self._clerk.do(json_of, record)
            return Made(body, len(body), self._is_settled(record))

        return await self._kept(self._records, call_id, make)

    def close(self) -> None:
        """Begin nothing more."""
        self._clerk.close()
        self.recordings.close()

    async def _kept(
        self, shelf: Shelf[bytes], call_id: str, make: Callable[[], Awaitable[Made[bytes] | None]]
    ) -> bytes | None:
        """Return what is on a shelf, of a call that is still there."""
        stage = await self._calls.stage(call_id)
        return await shelf.get(f"{stage} {call_id}", make) if stage else None

    async def _listen(
        self, record: Mapping[str, Any]
    ) -> tuple[Told, dict[LaneName, Envelope], list[Take]]:
        told = await self._clerk.do(told_of, record)
        return told, *await self.recordings.listen(told)

    def _is_settled(self, record: Mapping[str, Any]) -> bool:
        """Tell whether a call is over for so long that nothing comes to its record."""
        ended_at = float(record.get("started_at") or 0.0) + float(record.get("duration") or 0.0)
        return bool(record.get("ended_by")) and self._unix_clock() - ended_at > _SETTLED


def _story_json(told: Told, sounds: Mapping[LaneName, Envelope], takes: Sequence[Take]) -> bytes:
    story = tell(told, sounds, takes)
    return json_of({name: getattr(story, name) for name in story.__struct_fields__})

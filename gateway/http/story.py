"""`/v1/calls/{id}/story`, its recording and its picture: what a call was like."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeAlias

import msgspec
from aiohttp import web

from ..errors import RecordError
from ..ops.call_picture import PictureTheme, draw, is_drawable
from ..ops.recordings import MEDIA_TYPES, Recordings
from ..ops.story import Story, Told, tell, told_of
from .bodies import read_query
from .calls import unreachable
from .operation import JSON, Answer, Operation, Role
from .problems import Refusal

__all__ = ["FindRecord", "StoryDoor"]

FindRecord: TypeAlias = Callable[[str], Awaitable[dict[str, Any] | None]]

_PNG: Final = "image/png"


class _Which(msgspec.Struct, frozen=True):
    """``take``: which of the call's recordings, from 1."""

    take: int = 1


class _Look(msgspec.Struct, frozen=True):
    """``theme``: light or dark."""

    theme: PictureTheme = "light"


class StoryDoor:
    """Tells the stories of calls, in progress or over.

    Args:
        find: Returns the whole record of a call, ``None`` where there is none.
        recordings: What the calls sounded like.

    """

    def __init__(self, find: FindRecord, recordings: Recordings) -> None:
        self._find = find
        self._recordings = recordings
        self._drawing = asyncio.Lock()  # one picture at a time: it takes a core for a second

    def operations(self) -> Sequence[Operation]:
        """Return what this door does."""
        return (
            Operation(
                "GET",
                "/v1/calls/{id}/story",
                self._story,
                "Tell a call on one axis of time",
                role=Role.VIEWER,
                answers={
                    200: Answer("the story, of a call in progress as far as it has come", Story),
                    404: Answer("there is no such call"),
                },
            ),
            Operation(
                "GET",
                "/v1/calls/{id}/recording",
                self._recording,
                "Play a call that is over: the caller on the left, the agent on the right",
                role=Role.VIEWER,
                query=_Which,
                headers={"Range": "a part of it, bytes=FIRST-LAST"},
                answers={
                    200: Answer("the recording", media_type="audio/*"),
                    206: Answer(
                        "the part that was asked for",
                        media_type="audio/*",
                        headers={"Content-Range": "which part, of how much"},
                    ),
                    404: Answer("there is no such call, or nothing was recorded of it"),
                    416: Answer("it has no such part"),
                },
            ),
            Operation(
                "GET",
                "/v1/calls/{id}/picture.png",
                self._picture,
                "Draw a call",
                role=Role.VIEWER,
                query=_Look,
                answers={
                    200: Answer("the picture", media_type=_PNG),
                    404: Answer("there is no such call"),
                    501: Answer("there is nothing to draw with; says what to install"),
                },
            ),
        )

    async def _story(self, request: web.Request) -> web.StreamResponse:
        story = await self._tell(request)
        return web.Response(body=msgspec.json.encode(story), content_type=JSON)

    async def _recording(self, request: web.Request) -> web.StreamResponse:
        take = read_query(request, _Which).take
        told = await self._told(request)
        path = None if told.goes_on else self._recordings.path(told.call_id, take)
        if path is None:
            why = "the call goes on" if told.goes_on else "nothing was recorded"
            raise Refusal(404, f"there is no recording {take} of this call: {why}")
        return web.FileResponse(path, headers={"Content-Type": MEDIA_TYPES[path.suffix]})

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        theme = read_query(request, _Look).theme
        if not is_drawable():
            raise Refusal(501, "pictures need matplotlib: pip install 'voice-gateway[report]'")
        story = await self._tell(request)
        async with self._drawing:
            image = await asyncio.to_thread(draw, story, theme)
        return web.Response(body=image, content_type=_PNG)

    async def _told(self, request: web.Request) -> Told:
        call_id = request.match_info["id"]
        try:
            record = await self._find(call_id)
        except RecordError as error:
            raise unreachable(error) from None
        if record is None:
            raise Refusal(404, f"no call {call_id!r}")
        return told_of(record)

    async def _tell(self, request: web.Request) -> Story:
        told = await self._told(request)
        sounds, takes = await self._recordings.listen(told)
        return tell(told, sounds, takes)

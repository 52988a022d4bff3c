"""`/v1/calls/{id}/story`, its recording and its picture: what a call was like."""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec
from aiohttp import web

from ..calls.registry import Registry
from ..ops.archive import Archive
from ..ops.call_picture import PictureTheme, draw, is_drawable
from ..ops.recordings import MEDIA_TYPES, Recordings
from ..ops.story import Story, Told, tell, told_of
from .operation import JSON, Answer, Operation, Role
from .problems import problem

__all__ = ["StoryDoor"]

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
        registry: The calls in progress.
        archive: Those that are over.
        recordings: What they sounded like.

    """

    def __init__(self, registry: Registry, archive: Archive, recordings: Recordings) -> None:
        self._registry = registry
        self._archive = archive
        self._recordings = recordings
        self._drawing = asyncio.Lock()  # one picture at a time: it takes a core for a second

    def operations(self) -> Sequence[Operation]:
        """Return what it does."""
        none = Answer("there is no such call")
        return (
            Operation(
                "GET",
                "/v1/calls/{id}/story",
                self._story,
                "Tell a call on one axis of time",
                role=Role.VIEWER,
                answers={200: Answer("the story so far, or the whole of it", Story), 404: none},
            ),
            Operation(
                "GET",
                "/v1/calls/{id}/recording",
                self._recording,
                "Play a call that is over: the caller on the left, the agent on the right",
                role=Role.VIEWER,
                query=_Which,
                headers={"Range": "a part of it: bytes=FIRST-LAST"},
                answers={
                    200: Answer("the recording", media_type="audio/*"),
                    206: Answer(
                        "the part that was asked for",
                        media_type="audio/*",
                        headers={"Content-Range": "which part of how much"},
                    ),
                    404: Answer("there is no such call, or nothing was recorded of it"),
                    416: Answer("there is no such part of it"),
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
                    404: none,
                    501: Answer("nothing to draw with is installed"),
                },
            ),
        )

    async def _story(self, request: web.Request) -> web.StreamResponse:
        story = await self._tell(request.match_info["id"])
        if story is None:
            return _no_call(request)
        return web.Response(body=msgspec.json.encode(story), content_type=JSON)

    async def _recording(self, request: web.Request) -> web.StreamResponse:
        told = await self._told(request.match_info["id"])
        if told is None:
            return _no_call(request)
        try:
            take = msgspec.convert(dict(request.query), _Which, strict=False).take
        except msgspec.ValidationError as error:
            return problem(400, "Bad Request", str(error))
        path = None if _goes_on(told) else self._recordings.path(told.call_id, take)
        if path is None:
            why = "the call goes on" if _goes_on(told) else "nothing was recorded of it"
            return problem(404, "Not Found", f"no recording {take} of this call: {why}")
        return web.FileResponse(path, headers={"Content-Type": MEDIA_TYPES[path.suffix]})

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        if not is_drawable():
            remedy = "pictures need matplotlib: pip install 'voice-gateway[report]'"
            return problem(501, "Not Implemented", remedy)
        try:
            theme = msgspec.convert(dict(request.query), _Look).theme
        except msgspec.ValidationError as error:
            return problem(400, "Bad Request", str(error))
        story = await self._tell(request.match_info["id"])
        if story is None:
            return _no_call(request)
        async with self._drawing:
            image = await asyncio.to_thread(draw, story, theme)
        return web.Response(body=image, content_type=_PNG)

    async def _told(self, call_id: str) -> Told | None:
        """Return a call's record, whether it goes on or is over."""
        live = self._registry.record(call_id)
        record = live.as_dict() if live is not None else await self._archive.get(call_id)
        return told_of(record) if record is not None else None

    async def _tell(self, call_id: str) -> Story | None:
        told = await self._told(call_id)
        if told is None:
            return None
        sounds, takes = await self._recordings.listen(told)
        return tell(told, sounds, takes)


def _goes_on(told: Told) -> bool:
    return told.ended_by is None and told.state != "ended"


def _no_call(request: web.Request) -> web.Response:
    return problem(404, "Not Found", f"no call {request.match_info['id']!r}")

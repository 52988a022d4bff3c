"""`/v1/calls/{id}/story`, its recording and its picture: what a call was like."""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec
from aiohttp import web

from ..ops.call_picture import PictureTheme, draw, is_drawable
from ..ops.recordings import MEDIA_TYPES
from ..ops.stories import Stories
from ..ops.story import Story
from .bodies import read_query
from .calls import found, told
from .operation import Answer, Operation, Role
from .problems import Refusal
from .ranges import FileAnswer

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
        stories: Tells them.

    """

    def __init__(self, stories: Stories) -> None:
        self._stories = stories
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
                headers={"Range": "one part of it, bytes=FIRST-LAST; anything else gets the whole"},
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
        return await told(request, self._stories.story_json)

    async def _recording(self, request: web.Request) -> web.StreamResponse:
        call_id, take = request.match_info["id"], read_query(request, _Which).take
        stage = await found(request, self._stories.stage)
        path = self._stories.recordings.path(call_id, take) if stage == "over" else None
        if path is None:
            why = "the call goes on" if stage == "live" else "nothing was recorded"
            raise Refusal(404, f"there is no recording {take} of this call: {why}")
        return FileAnswer(request, path, MEDIA_TYPES[path.suffix])

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        theme = read_query(request, _Look).theme
        if not is_drawable():
            raise Refusal(501, "pictures need matplotlib: pip install 'voice-gateway[report]'")
        async with self._drawing:
            story = await found(request, self._stories.story)
            image = await asyncio.to_thread(draw, story, theme)
        return web.Response(body=image, content_type=_PNG)

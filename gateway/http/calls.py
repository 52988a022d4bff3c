"""`/v1/calls`: the calls in progress, and those that are over."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, TypeVar

import msgspec
from aiohttp import web

from ..errors import RecordError
from ..ops.archive import CallQuery, CursorError
from ..ops.directory import Directory
from ..ops.stories import Stories
from .bodies import read_query
from .operation import JSON, Answer, Operation, Role
from .problems import FieldFault, Refusal
from .shapes import CallList, WholeCall

__all__ = ["CallsDoor", "found", "told", "unreachable"]

_T = TypeVar("_T")


class _Query(CallQuery, frozen=True, kw_only=True):
    """Which calls, those in progress first, then the newest.

    Attributes:
        q: words in numbers, names, transcript or reason
        caller: a number, or how it begins
        called: likewise
        trunk: by its name
        ended_by: who ended it
        since: unix seconds at which it began, or later
        until: unix seconds before which it began
        limit: so many at most
        cursor: the `next` of the page before
        state: only those in progress, or only those that are over

    """

    state: Literal["", "live", "over"] = ""


class CallsDoor:
    """Tells of calls.

    Args:
        directory: Finds them.
        stories: Tells the whole of one.

    """

    def __init__(self, directory: Directory, stories: Stories) -> None:
        self._directory = directory
        self._stories = stories

    def operations(self) -> Sequence[Operation]:
        """Return what this door does."""
        following = {"Link": "the address of the next page (RFC 8288), where there is one"}
        return (
            Operation(
                "GET",
                "/v1/calls",
                self._find,
                "List calls, those in progress first, then the newest",
                role=Role.VIEWER,
                query=_Query,
                answers={
                    200: Answer("calls without their long parts", CallList, headers=following),
                    404: Answer("no page begins at this cursor"),
                    503: Answer("the database cannot be asked"),
                },
            ),
            Operation(
                "GET",
                "/v1/calls/{id}",
                self._get,
                "Tell the whole of a call",
                role=Role.VIEWER,
                answers={
                    200: Answer("its record, transcript and timeline", WholeCall),
                    404: Answer("there is no such call"),
                    503: Answer("the database cannot be asked"),
                },
            ),
        )

    async def _find(self, request: web.Request) -> web.Response:
        query = read_query(request, _Query)
        try:
            page = await self._directory.find(
                query, live=query.state != "over", over=query.state != "live"
            )
        except CursorError as error:
            raise Refusal(
                404, str(error), kind="field", errors=(FieldFault("/cursor", str(error)),)
            ) from None
        except RecordError as error:
            raise unreachable(error) from None
        headers = {}
        if page.next:
            following = request.rel_url.update_query(cursor=page.next)
            headers["Link"] = f'<{following}>; rel="next"'
        return web.Response(body=msgspec.json.encode(page), content_type=JSON, headers=headers)

    async def _get(self, request: web.Request) -> web.Response:
        return await told(request, self._stories.whole_json)


async def found(request: web.Request, find: Callable[[str], Awaitable[_T | None]]) -> _T:
    """Return what there is of the call that is asked for.

    Raises:
        Refusal: There is no such call, or nobody can tell.

    """
    call_id = request.match_info["id"]
    try:
        known = await find(call_id)
    except RecordError as error:
        raise unreachable(error) from None
    if not known:
        raise Refusal(404, f"no call {call_id!r}")
    return known


async def told(
    request: web.Request, find: Callable[[str], Awaitable[bytes | None]]
) -> web.Response:
    """Answer with JSON that there is of the call that is asked for.

    Raises:
        Refusal: There is no such call, or nobody can tell.

    """
    return web.Response(body=await found(request, find), content_type=JSON)


def unreachable(error: RecordError) -> Refusal:
    """Return what is answered where the calls that are over cannot be asked for."""
    headers = {"Retry-After": f"{error.retry_after:.0f}"} if error.retry_after else {}
    return Refusal(503, f"calls that are over cannot be told of now: {error}", headers=headers)

"""Parts of a file (RFC 9110 section 14): one at a time; any other wish for parts gets the whole."""

import re
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from .problems import Refusal

__all__ = ["FileAnswer", "is_part"]

_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)


class FileAnswer(web.FileResponse):
    """A file, or the one part of it that is asked for.

    Raises:
        Refusal: It has no such part.

    """

    def __init__(self, request: web.Request, path: Path, media_type: str) -> None:
        super().__init__(path, headers={hdrs.CONTENT_TYPE: media_type})
        wanted = request.headers.getall(hdrs.RANGE, [])
        is_sure = request.if_range is not None or hdrs.IF_RANGE not in request.headers
        self._is_part = len(wanted) == 1 and is_sure and is_part(wanted[0], path.stat().st_size)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Begin to answer."""
        if not self._is_part and hdrs.RANGE in request.headers:
            headers = request.headers.copy()
            headers.popall(hdrs.RANGE)
            request = request.clone(headers=headers)
        return await super().prepare(request)


def is_part(wanted: str, size: int) -> bool:
    """Tell whether a Range asks for one part; what is invalid is to be ignored (section 14.2).

    Raises:
        Refusal: There is no such part of so many bytes (section 15.5.17).

    """
    found = _RANGE.fullmatch(wanted)
    if found is None:
        return False
    first, last = (int(one) if one else None for one in found.groups())
    if first is None and last is None:
        return False
    if first is not None and last is not None and first > last:
        return False
    if (last == 0) if first is None else first >= size:
        headers = {"Content-Range": f"bytes */{size}"}
        raise Refusal(416, f"there are {size} bytes, and nothing at {wanted}", headers=headers)
    return True

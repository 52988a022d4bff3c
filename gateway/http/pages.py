"""The pages for people, and what they are made of: files of this package, and nothing else.

A page loads no script, style or font from anywhere but here, and its policy lets it neither run
nor reach anything else; so it works where there is no network but the gateway's.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from aiohttp import ETag, web

from .operation import Answer, Operation

__all__ = ["PageDoor"]

_TYPES: Final = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}
_PAGES: Final = {"/": "index.html", "/console": "console.html"}
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "media-src 'self' blob:",
        "img-src 'self' data:",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS: Final = {
    "Cache-Control": "no-cache",  # kept, but asked about: a new gateway has a new page at once
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(self)",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_NOT_MODIFIED: Final = Answer("what the browser has is still it", media_type="")


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    media_type: str
    tag: str


class PageDoor:
    """Serves the pages, and each file that they are made of under ``/pages/``.

    The files are read once: no name that is asked for ever reaches a file system.
    """

    def __init__(self) -> None:
        self._files: Mapping[str, _File] = dict(_shipped())

    def operations(self) -> Sequence[Operation]:
        """Return what it does."""
        answers = {304: _NOT_MODIFIED}
        found = {200: Answer("the page", media_type="text/html")} | answers
        pages = [
            Operation("GET", path, self._page, f"The page at {path}", answers=found)
            for path, name in _PAGES.items()
            if name in self._files
        ]
        part = Operation(
            "GET",
            "/pages/{name}",
            self._part,
            "A file that the pages are made of",
            answers={200: Answer("the file", media_type="*/*")} | answers,
        )
        return [*pages, part]

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return _answer(request, self._files[_PAGES[request.path]])

    async def _part(self, request: web.Request) -> web.StreamResponse:
        file = self._files.get(request.match_info["name"])
        if file is None:
            raise web.HTTPNotFound
        return _answer(request, file)


def _shipped() -> Iterator[tuple[str, _File]]:
    """Yield what lies beside this module, of the types that pages are made of."""
    for entry in files("gateway.http").joinpath("pages").iterdir():
        if (media_type := _TYPES.get(entry.name.rpartition(".")[2])) is not None:
            body = entry.read_bytes()
            yield entry.name, _File(body, media_type, hashlib.sha256(body).hexdigest()[:32])


def _answer(request: web.Request, file: _File) -> web.Response:
    known = request.if_none_match or ()
    is_known = any(tag.value in (file.tag, "*") for tag in known)
    if is_known:
        response = web.Response(status=304, headers=_HEADERS)
    else:
        charset = None if file.media_type.startswith("image/") else "utf-8"
        response = web.Response(
            body=file.body, content_type=file.media_type, charset=charset, headers=_HEADERS
        )
    response.etag = ETag(file.tag)
    return response

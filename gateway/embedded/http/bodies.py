"""The bodies of requests: bounded in size and in time, and refused where they make no sense."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from ..protocol.checks import Refused
from .errors import HttpRefusal

__all__ = ["read_json", "read_offer"]

_SECONDS: Final = 10.0
_MOST_SDP: Final = 64 * 1024


async def read_json(request: web.Request) -> dict[str, Any]:
    """Return the body's object; nothing for no body.

    Raises:
        Refused: It is no JSON object.
        TimeoutError: It does not come.

    """
    async with asyncio.timeout(_SECONDS):
        body = await request.read()
    if not body:
        return {}
    try:
        found = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise Refused("invalid_json", "The body is not JSON.") from None
    if not isinstance(found, dict):
        raise Refused("invalid_type", "The body is not a JSON object.")
    return found


async def read_offer(request: web.Request) -> tuple[str, Any]:
    """Return a WebRTC offer, and the session described beside it if there is one.

    Raises:
        Refused: There is none, or what there is cannot be read.
        TimeoutError: It does not come.

    """
    described: bytes | None = None
    if request.content_type == "application/sdp":
        async with asyncio.timeout(_SECONDS):
            sdp = await request.read()
    elif request.content_type == "multipart/form-data":
        form = await _form(request)
        sdp, described = _part(form.get("sdp")), _part(form.get("session"))
    else:
        told = "Send the offer as application/sdp, or with its session as multipart/form-data."
        raise HttpRefusal(415, "unsupported_content_type", told)
    if not sdp or len(sdp) > _MOST_SDP:
        raise Refused("invalid_offer", "The offer is missing or too long.", "sdp")
    if not described:
        return sdp.decode(errors="replace"), None
    try:
        return sdp.decode(errors="replace"), msgspec.json.decode(described)
    except (ValueError, RecursionError):
        raise Refused("invalid_json", "The session is not JSON.", "session") from None


async def _form(request: web.Request) -> Mapping[str, Any]:
    """Return the parts of a form.

    Raises:
        Refused: It cannot be taken apart.

    """
    try:
        async with asyncio.timeout(_SECONDS):
            return await request.post()
    except (web.HTTPException, TimeoutError):
        raise
    except Exception:  # a dozen kinds of them come out of aiohttp's parser
        raise Refused("invalid_offer", "The form cannot be read.") from None


def _part(value: Any) -> bytes:
    """Return one part of a form, however its sender labelled it."""
    if isinstance(value, web.FileField):
        return value.file.read()  # the whole form is bounded
    return value.encode() if isinstance(value, str) else bytes(value or b"")

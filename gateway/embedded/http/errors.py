"""Refusals as the service words them: JSON, with a code that a program can read."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ...errors import CapacityError, RtcError
from ..calls.book import Gone
from ..protocol.checks import Refused

__all__ = ["SERVER_LOG", "HttpRefusal", "refusals", "refuse"]

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


SERVER_LOG: Final = logging.getLogger("gateway.embedded.http")
"""Where the server's own complaints go."""


def _is_ours(record: logging.LogRecord) -> bool:
    """Let no client fill the log by talking nonsense: aiohttp answers that by itself."""
    fault = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    return not isinstance(fault, HttpProcessingError)


SERVER_LOG.addFilter(_is_ours)


class HttpRefusal(Refused):
    """A request cannot be served; ``status`` is the answer it deserves."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code, message)
        self.status = status


def refuse(status: int, code: str, message: str, param: str | None = None) -> web.Response:
    """Answer with an error of the service's own shape."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    error: dict[str, Any] = {"type": kind, "code": code, "message": message, "param": param}
    return web.json_response({"error": error}, status=status)


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever goes wrong into a refusal; what is our own fault is told to the log alone."""
    try:
        return await handler(request)
    except HttpRefusal as refused:
        return refuse(refused.status, refused.code, refused.message)
    except Gone as gone:
        return refuse(404, gone.code, gone.message)
    except Refused as refused:
        return refuse(400, refused.code, refused.message, refused.param)
    except RtcError as error:
        return refuse(400, "invalid_offer", f"The offer cannot be answered: {error}")
    except CapacityError as error:
        return refuse(429, "rate_limit_exceeded", str(error))
    except ConnectionError:
        return refuse(400, "request_incomplete", "The request did not come to an end.")
    except TimeoutError:
        return refuse(408, "request_timeout", "The request did not come to an end.")
    except web.HTTPNotFound:
        return refuse(404, "not_found", f"no such path: {request.path}")
    except web.HTTPException as error:
        return refuse(error.status, error.reason.lower().replace(" ", "_"), error.reason)
    except Exception:
        structlog.get_logger().exception("fault inside the embedded service")
        return refuse(500, "internal_error", "The server had an error.")

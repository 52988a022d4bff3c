"""Asks a running gateway by HTTP, as whoever the variable GATEWAY_TOKEN says."""

import os
import urllib.error
import urllib.request
from typing import Final, TypeVar

import msgspec

from ..errors import ConfigError, RecordError

__all__ = ["ask_gateway"]

T = TypeVar("T")

_SECONDS: Final = 10.0  # for a gateway to answer


def ask_gateway(url: str, path: str, shape: type[T]) -> T | None:
    """Return what a gateway answers, ``None`` where it has no such thing.

    Args:
        url: Of its page.
        path: Below that, such as ``/v1/calls``.
        shape: What the answer should be.

    Raises:
        ConfigError: The address is none.
        RecordError: It does not answer as it should.

    """
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"--url: {url!r} is no address; write such as http://127.0.0.1:8080")
    request = urllib.request.Request(url.rstrip("/") + path)
    if token := os.environ.get("GATEWAY_TOKEN", "").strip():
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            return msgspec.json.decode(answer.read(), type=shape)
    except urllib.error.HTTPError as refusal:
        if refusal.code == 404:
            return None
        raise RecordError(f"{url}: {_why(refusal)}") from refusal
    except urllib.error.URLError as error:
        raise RecordError(f"{url}: it does not answer: {error.reason}") from error
    except (msgspec.MsgspecError, ValueError, OSError) as error:
        raise RecordError(f"{url}: what answers there is no gateway") from error


def _why(refusal: urllib.error.HTTPError) -> str:
    """Return the words of a refusal."""
    if refusal.code in (401, 403):
        return f"it answered {refusal.code}; export a viewer's token as GATEWAY_TOKEN"
    try:
        detail = msgspec.json.decode(refusal.read()).get("detail", "")
    except (msgspec.MsgspecError, AttributeError, OSError):
        detail = ""
    return f"it answered {refusal.code} {detail}".strip()

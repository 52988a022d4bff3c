"""`voice-gateway report`: one call's picture."""

import json as encoding
import os
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout
from cyclopts import Parameter

from ..config import Settings, load
from ..errors import ConfigError, GatewayError
from ..ops.call_picture import PictureTheme, draw
from ..ops.recordings import Recordings
from ..ops.story import Story, tell, told_of
from .output import say, say_json
from .serve import ConfigFile, run_loop

__all__ = ["report"]

_LARGEST: Final = 64 << 20  # bytes of a record or a story
_PATIENCE: Final = ClientTimeout(total=30)
_TOKEN: Final = "VOICE_GATEWAY_TOKEN"


def report(
    call: str,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])] = Path("call.png"),
    url: str = "",
    config: ConfigFile = None,
    theme: PictureTheme = "light",
    json: bool = False,
) -> int:
    """Draw one call: both voices, barge-ins, keys, menus and actions on one axis of time.

    Below them stands how long every answer took, and above who called, when, and how well it was
    heard.  Exits with 1 where there is no such call.

    Args:
        call: A call's id, or the file that holds its record (JSON).
        output: The picture (PNG).
        url: The page of a running gateway; without it, where the configuration has it listen.
            The variable VOICE_GATEWAY_TOKEN holds the token that it asks for, if any.
        config: Configuration (TOML); without one, GATEWAY_CONFIG, then loopback defaults.
        theme: light or dark.
        json: Print one JSON object instead of a line.

    """
    settings = load(config, os.environ, needs_secrets=False)
    stories: list[Story] = []

    path = Path(call)
    is_file = path.suffix == ".json" or path.is_file()

    async def main() -> int:
        found = _read(path, settings) if is_file else _ask(url or _page(settings), call)
        stories.append(await found)
        return 0

    run_loop(main)
    image = draw(stories[0], theme)
    try:
        output.write_bytes(image)
    except OSError as error:
        raise ConfigError(f"--output: {output}: {error.strerror}; name another file") from error
    if json:
        say_json({"picture": str(output), "call_id": stories[0].call_id, "bytes": len(image)})
    else:
        say(f"{output}: {len(image) // 1024} KB")
    return 0


async def _read(path: Path, settings: Settings) -> Story:
    """Tell the story of a record in a file, with the recordings that the configuration names.

    Raises:
        ConfigError: It is no record of a call; says what, where, and the remedy.

    """
    remedy = "name a call's record, as /v1/calls/ID returns it"
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise ConfigError(f"{path}: more than {_LARGEST >> 20} MiB; {remedy}")
        told = told_of(encoding.loads(data))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; {remedy}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}; {remedy}") from error
    sounds, takes = await Recordings(settings.media.recordings or path.parent).listen(told)
    return tell(told, sounds, takes)


async def _ask(page: str, call_id: str) -> Story:
    """Ask a running gateway for a story.

    Raises:
        GatewayError: It refuses, or is none; says what, and the remedy.

    """
    token = os.environ.get(_TOKEN, "")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with (
            ClientSession(page, timeout=_PATIENCE, headers=headers) as session,
            session.get(f"v1/calls/{quote(call_id, safe='')}/story") as answer,
        ):
            body = await answer.content.read(_LARGEST)
            if answer.status != 200:
                raise GatewayError(f"{page}: {_words(answer.status, body)}")
        return msgspec.json.decode(body, type=Story)
    except (ClientError, TimeoutError, ValueError) as error:
        why = f"{page}: no story comes from there: {error or type(error).__name__}"
        raise GatewayError(f"{why}; name a running gateway's page in --url") from error


def _page(settings: Settings) -> str:
    """Return the address of the page of the gateway that this configuration makes.

    Raises:
        ConfigError: It has none.

    """
    if not settings.http.bind:
        raise settings.problem(("http", "bind"), "there is no page to ask; name one in --url")
    host, _, port = settings.http.bind.rpartition(":")
    name = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
    return f"http://{name}:{port}/"


def _words(status: int, body: bytes) -> str:
    """Return a refusal in words."""
    try:
        told: Any = encoding.loads(body)
        detail = str(told["detail"])
    except (ValueError, TypeError, KeyError):
        detail = "it is no voice-gateway"
    remedy = f"; put a token into {_TOKEN}" if status in (401, 403) else ""
    return f"{detail} ({status}){remedy}"

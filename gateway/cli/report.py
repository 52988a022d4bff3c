"""`voice-gateway report`: one call's picture."""

import asyncio
import json as encoding
import os
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

from cyclopts import Parameter

from ..config import Settings, load
from ..errors import ConfigError
from ..ops.archive import CallQuery
from ..ops.call_picture import PictureTheme, draw
from ..ops.recordings import Recordings
from ..ops.records.opening import address_of
from ..ops.story import Story, Told, tell, told_of
from .asking import ask_gateway
from .calls import look_up
from .output import complain, say, say_json
from .serve import ConfigFile

__all__ = ["report"]

_LARGEST: Final = 64 << 20  # bytes of a record


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
        url: Ask the gateway whose page this is. Without it, the database of the configuration
            is asked, or else the gateway where the configuration has it listen. The variable
            GATEWAY_TOKEN holds the token of a viewer, where it wants one.
        config: Configuration (TOML); without one, GATEWAY_CONFIG, then loopback defaults.
        theme: light or dark.
        json: Print one JSON object instead of a line.

    """
    settings = load(config, os.environ, needs_secrets=False)
    story = _find(call, url, config, settings)
    if story is None:
        complain(f"there is no call {call!r}")
        return 1
    image = draw(story, theme)
    try:
        output.write_bytes(image)
    except OSError as error:
        raise ConfigError(f"--output: {output}: {error.strerror}; name another file") from error
    if json:
        say_json({"picture": str(output), "call_id": story.call_id, "bytes": len(image)})
    else:
        say(f"{output}: {len(image) // 1024} KB")
    return 0


def _find(call: str, url: str, config: ConfigFile, settings: Settings) -> Story | None:
    """Return the story of a call, out of a file, a database or a running gateway."""
    path = Path(call)
    if path.suffix == ".json" or path.is_file():
        return _tell(_read(path), settings.media.recordings or path.parent)
    if not url and address_of(settings.records):
        found = look_up(config, call, CallQuery())
        return _tell(told_of(found), settings.media.recordings) if isinstance(found, dict) else None
    return ask_gateway(url or _page(settings), f"/v1/calls/{quote(call, safe='')}/story", Story)


def _tell(told: Told, recordings: Path | None) -> Story:
    sounds, takes = asyncio.run(Recordings(recordings).listen(told))
    return tell(told, sounds, takes)


def _read(path: Path) -> Told:
    """Read a record out of a file.

    Raises:
        ConfigError: It is no record of a call; says what, where, and the remedy.

    """
    remedy = "name a call's record, as /v1/calls/ID returns it"
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise ConfigError(f"{path}: more than {_LARGEST >> 20} MiB; {remedy}")
        return told_of(encoding.loads(data))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; {remedy}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}; {remedy}") from error


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

"""`voice-gateway calls`: finds calls that are over, and shows one."""

import asyncio
import os
import re
import urllib.parse
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from ..config import load
from ..errors import ConfigError, RecordError
from ..ops.archive import CallPage, CallQuery, CursorError
from ..ops.records.archive import DatabaseArchive
from ..ops.records.opening import address_of, open_database
from .asking import ask_gateway
from .calls_shown import show_call, show_page
from .output import complain, say_json
from .serve import ConfigFile

__all__ = ["calls", "look_up"]

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_AGO: Final = re.compile(r"(\d+(?:\.\d+)?)([mhd])")

Moment = Annotated[str, Parameter(help="2026-03-01, 2026-03-01T12:00, or so long ago: 90m, 2h, 7d")]


def calls(
    call_id: str = "",
    *,
    config: ConfigFile = None,
    url: str = "",
    json: bool = False,
    q: Annotated[str, Parameter(name=["--search", "-q"])] = "",
    caller: str = "",
    called: str = "",
    trunk: str = "",
    ended_by: Literal["", "caller", "gateway", "peer"] = "",
    since: Moment = "",
    until: Moment = "",
    limit: Annotated[int, Parameter(validator=Number(gte=1, lte=500))] = 50,
    cursor: str = "",
) -> int:
    """List calls that are over, newest first, or show one with what was said in it.

    Exits with 1 when there is no call of that name.

    Args:
        call_id: Show this call alone.
        config: Configuration (TOML) that names the database; without one, GATEWAY_CONFIG.
        url: Ask a running gateway instead: http://127.0.0.1:8080. The variable GATEWAY_TOKEN
            holds the token of a viewer, where it wants one.
        json: Print what was found as one JSON object.
        q: Words in numbers, names, what was said, or the reason of the end.
        caller: A number, or how it begins.
        called: A number, or how it begins.
        trunk: A trunk, by its name.
        ended_by: Who ended it.
        since: The earliest begin.
        until: The latest begin.
        limit: So many calls at most.
        cursor: Go on where a page said that the next one begins.

    """
    query = CallQuery(
        q=q,
        caller=caller,
        called=called,
        trunk=trunk,
        ended_by=ended_by,
        since=_moment("--since", since),
        until=_moment("--until", until),
        limit=limit,
        cursor=cursor,
    )
    try:
        found = _ask(url, call_id, query) if url else look_up(config, call_id, query)
    except CursorError as error:
        raise ConfigError(f"--cursor: {error}") from error
    if found is None:
        complain(f"there is no call {call_id!r}")
        return 1
    if isinstance(found, CallPage):
        show_page(found) if not json else say_json({"calls": found.calls, "next": found.next})
    else:
        show_call(found) if not json else say_json(found)
    return 0


def look_up(config: ConfigFile, call_id: str, query: CallQuery) -> CallPage | dict[str, Any] | None:
    """Look for a call, or for several, in the database that is configured.

    Raises:
        ConfigError: There is none.
        RecordError: It cannot be asked.

    """
    records = load(config, os.environ, needs_secrets=False).records
    variable = records.database_env
    if variable and not records.database and variable not in os.environ:
        raise ConfigError(
            f"records.database_env: the environment has no {variable};"
            " export the database's address under that name"
        )
    address = address_of(records)
    if not address:
        raise ConfigError(
            "no database is configured; name one in records.database,"
            " or ask a running gateway: --url http://127.0.0.1:8080"
        )

    async def look() -> CallPage | dict[str, Any] | None:
        database = await open_database(address)
        try:
            archive = DatabaseArchive(database)
            return await archive.get(call_id) if call_id else await archive.find(query)
        finally:
            await database.close()

    return asyncio.run(look())


def _ask(url: str, call_id: str, query: CallQuery) -> CallPage | dict[str, Any] | None:
    """Ask a running gateway."""
    if call_id:
        path = f"/v1/calls/{urllib.parse.quote(call_id, safe='')}"
        return ask_gateway(url, path, dict[str, Any])
    told = {
        name: value
        for name, value in msgspec.structs.asdict(query).items()
        if value not in ("", None)
    }
    page = ask_gateway(url, f"/v1/calls?{urllib.parse.urlencode(told)}", CallPage)
    if page is None:
        raise RecordError(f"{url}: what answers there is no gateway")
    return page


def _moment(option: str, text: str) -> float | None:
    """Return a moment in unix seconds, nothing for none.

    Raises:
        ConfigError: It cannot be read.

    """
    if not text:
        return None
    if found := _AGO.fullmatch(text):
        ago = timedelta(**{_UNITS[found[2]]: float(found[1])})
        return (datetime.now().astimezone() - ago).timestamp()
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except ValueError as error:
        raise ConfigError(
            f"{option}: {text!r} is no time; write 2026-03-01, 2026-03-01T12:00, or 2h"
        ) from error

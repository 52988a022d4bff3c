"""`voice-gateway serve`: the gateway, until it is told to stop."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from ..app import Gateway
from ..config import load
from ..ops.logs import configure_logging
from .output import progress, say, say_json

__all__ = ["ConfigFile", "LogLevel", "Port", "run_loop", "serve", "stop_requested"]

_DRAIN_SECONDS: Final = 30.0

ConfigFile = Annotated[Path | None, Parameter(name=["--config", "-c"])]
Port = Annotated[int, Parameter(validator=Number(gte=0, lte=65535))]
LogLevel = Literal["debug", "info", "warning", "error"]


def serve(*, config: ConfigFile = None, log_level: LogLevel = "info", json: bool = False) -> int:
    """Run the gateway.

    On SIGTERM it refuses new calls (503) and waits up to 30 s for those in progress;
    on a second signal, or SIGINT, it ends them at once.

    Args:
        config: Configuration (TOML); without one, GATEWAY_CONFIG, then loopback defaults.
        log_level: debug, info, warning or error.
        json: Say where it listens as one JSON line on standard output.

    """
    configure_logging(log_level)
    settings = load(config, os.environ)
    return run_loop(lambda: _serve(Gateway(settings), json))


async def _serve(gateway: Gateway, as_json: bool) -> int:
    await gateway.start()
    announce(gateway, as_json)
    stop = stop_requested()
    number = await stop.get()
    if number == signal.SIGTERM:
        again = asyncio.create_task(stop.get())
        draining = asyncio.create_task(gateway.drain(_DRAIN_SECONDS))
        await asyncio.wait({again, draining}, return_when=asyncio.FIRST_COMPLETED)
        again.cancel()
        draining.cancel()
    await gateway.close()
    return 0


def announce(gateway: Gateway, as_json: bool, user: str = "demo") -> None:
    """Say where callers and people find the gateway."""
    if as_json:
        say_json({"event": "ready", "sip": gateway.sip_uri(user), "page": gateway.page})
        return
    say(f"Listening for calls at {', '.join(gateway.sip_addresses)}")
    if gateway.page:
        say(f"The page is at {gateway.page}")
    progress("Ctrl-C stops it.")


def stop_requested() -> "asyncio.Queue[signal.Signals]":
    """Return a queue that is given each SIGINT and SIGTERM."""
    queue: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, queue.put_nowait, number)
    return queue


def run_loop(main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run ``main`` on uvloop where there is one, else on asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main())
    return uvloop.run(main())

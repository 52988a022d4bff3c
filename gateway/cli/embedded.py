"""`voice-gateway embedded`: the embedded realtime service, on its own."""

import asyncio
from pathlib import Path

from ..embedded.server import EmbeddedService
from .output import say, say_json
from .serve import Port, stop_requested

__all__ = ["embedded"]


def embedded(
    *, host: str = "127.0.0.1", port: Port = 8765, script: Path | None = None, json: bool = False
) -> int:
    """Run the embedded realtime service: the protocol of the real one, on this machine.

    Args:
        host: Address to listen on; loopback unless you say otherwise.
        port: Port to listen on; 0 picks a free one.
        script: Agent script (TOML) to speak by; the demo's own where none is named.
        json: Say where it listens as one JSON line.

    """
    return asyncio.run(_serve(host, port, script, json))


async def _serve(host: str, port: int, script: Path | None, as_json: bool) -> int:
    service = EmbeddedService(host, port, script=script)
    await service.start()
    if as_json:
        say_json({"event": "ready", "url": service.url})
    else:
        say(f"The embedded realtime service listens at {service.url}")
        say('Point a gateway at it with realtime.provider = "custom" and that realtime.url.')
        say("Ctrl-C stops it.")
    await stop_requested().get()
    await service.close()
    return 0

"""`voice-gateway embedded`: the embedded realtime service, on its own."""

import os
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from ..embedded.protocol.session import Limits
from ..embedded.server import ECHO, EmbeddedService
from ..errors import ConfigError
from ..ops.logs import configure_logging
from .output import progress, say, say_json
from .serve import LogLevel, Port, run_loop, stop_requested

__all__ = ["embedded"]

_LIMITS: Final = Limits()

Seconds = Annotated[float, Parameter(validator=Number(gt=0, lte=86_400))]
Tokens = Annotated[int, Parameter(validator=Number(gt=0))]


def embedded(
    *,
    host: str = "127.0.0.1",
    port: Port = 8765,
    script: Path | None = None,
    engine: str = "",
    key_env: str = "",
    sip: str = "",
    webhook_url: str = "",
    webhook_secret_env: str = "OPENAI_WEBHOOK_SECRET",
    session_seconds: Seconds = _LIMITS.longest,
    tokens_per_minute: Tokens = _LIMITS.tokens,
    admin: bool = False,
    log_level: LogLevel = "warning",
    json: bool = False,
) -> int:
    """Run the embedded realtime service: the protocol of the real one, on this machine.

    It takes sessions over WebSocket and calls over WebRTC; SIP calls too, where an
    address for them is given, each announced by a signed webhook.

    Args:
        host: Address to listen on; loopback unless you say otherwise.
        port: Port to listen on; 0 picks a free one.
        script: Agent script or cascade (TOML) to speak by; a shipped line where none is named.
        engine: A shipped agent in the script's place: "echo" plays callers back to themselves.
        key_env: Environment variable with the key that clients must show; none by default.
        sip: Where to take SIP calls, such as udp:127.0.0.1:5070; nowhere by default.
        webhook_url: Where SIP calls are announced.
        webhook_secret_env: Environment variable with the secret that signs webhooks.
        session_seconds: How long a session may last.
        tokens_per_minute: Tokens of a session in a minute; beyond them responses fail.
        admin: Let programs on this machine order faults at /admin/faults.
        log_level: debug, info, warning or error.
        json: Say where it listens as one JSON line.

    """
    configure_logging(log_level)
    if script is not None and engine:
        raise ConfigError("name a --script or an --engine, not both")
    service = EmbeddedService(
        host,
        port,
        script=_agent(engine) if engine else script,
        key=_secret(key_env, "--key-env"),
        limits=Limits(longest=session_seconds, tokens=tokens_per_minute),
        sip=sip,
        webhook_url=webhook_url,
        webhook_secret=_secret(webhook_secret_env if sip else "", "--webhook-secret-env") or "",
        admin=admin,
    )
    return run_loop(lambda: _serve(service, json))


async def _serve(service: EmbeddedService, as_json: bool) -> int:
    await service.start()
    if as_json:
        say_json({"event": "ready", "url": service.url, "sip": service.sip_uri})
    else:
        say(f"The embedded realtime service listens at {service.url}")
        if service.sip_uri:
            say(f"It takes calls at {service.sip_uri}")
        say('Point a gateway at it with realtime.provider = "custom" and that realtime.url.')
        progress("Ctrl-C stops it.")
    await stop_requested().get()
    await service.close()
    return 0


def _agent(engine: str) -> str:
    if engine != ECHO:
        raise ConfigError(f'--engine {engine}: there is "{ECHO}"; others are named by a --script')
    return engine


def _secret(name: str, option: str) -> str | None:
    """Return what an environment variable holds; ``None`` where no name is given."""
    if not name:
        return None
    found = os.environ.get(name, "")
    if not found:
        raise ConfigError(f"{option}: the environment variable {name} is not set")
    return found

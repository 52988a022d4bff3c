"""`voice-gateway demo`: the gateway and the embedded service on this machine, ready for calls."""

import socket
import tempfile
from pathlib import Path

from ..app import Gateway
from ..config import Settings
from ..embedded.server import EmbeddedService
from ..errors import ConfigError
from ..ops.logs import configure_logging
from .output import progress, say, say_json
from .selftest import run_self_test
from .serve import run_loop, stop_requested

__all__ = ["demo", "demo_settings"]


def demo(
    *,
    self_test: bool = False,
    json: bool = False,
    port: int | None = None,
    http_port: int | None = None,
    log_level: str = "warning",
) -> int:
    """Take calls on this machine with the embedded realtime service: no account, no network.

    Args:
        self_test: Place a real call over UDP to the gateway, judge all that was heard and
            done, and exit with 0 only if everything happened.
        json: Print JSON instead of text.
        port: SIP port (UDP and TCP); 0 picks a free one. Default 5060, else a free one.
        http_port: Port of the page; 0 picks a free one. Default 8080, else a free one.
        log_level: debug, info, warning or error.

    """
    configure_logging(log_level)
    if self_test:
        return run_loop(lambda: run_self_test(as_json=json))
    return run_loop(lambda: _serve(port, http_port, json))


def demo_settings(service_url: str, port: int, http_port: int, **more: object) -> Settings:
    """Return the demo's configuration: loopback only, everyone here may call."""
    sections: dict[str, object] = {
        "sip": {"bind": [f"udp:127.0.0.1:{port}", f"tcp:127.0.0.1:{port}"]},
        "trunks": [{"name": "local", "hosts": ["127.0.0.0/8"], "users": ["demo", "operator"]}],
        "realtime": {"provider": "custom", "url": service_url},
        "session": {
            "instructions": "You answer the telephone of a small company.",
            "audio": {"input": {"turn_detection": {
                "type": "server_vad", "silence_duration_ms": 400, "idle_timeout_ms": 8000,
            }}},
        },
        "targets": {"operator": f"sip:operator@127.0.0.1:{port}"},
        "http": {"bind": f"127.0.0.1:{http_port}"},
    }  # fmt: skip
    return Settings.model_validate(sections | more)


async def start_demo(port: int | None, http_port: int | None) -> tuple[Gateway, EmbeddedService]:
    """Start the service, then the gateway, on the ports asked for or else on free ones."""
    service = EmbeddedService("127.0.0.1", 0)
    await service.start()
    wanted = {None: 5060, 0: free_port()}.get(port, port or 0)
    choices = [(wanted, 8080 if http_port is None else http_port)]
    if port is None or http_port is None:
        choices.append((port or free_port(), http_port or 0))
    for last, (sip_port, page_port) in enumerate(choices, 1 - len(choices)):
        gateway = Gateway(demo_settings(service.url, sip_port, page_port))
        try:
            await gateway.start()
        except ConfigError:
            await gateway.close()
            if last == 0:
                await service.close()
                raise
        else:
            return gateway, service
    raise AssertionError("the last choice raises")


def free_port() -> int:
    """Return a port that is free for UDP and TCP alike at this moment."""
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
            stream.bind(("127.0.0.1", 0))
            port = int(stream.getsockname()[1])
            try:
                datagram.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


async def _serve(port: int | None, http_port: int | None, as_json: bool) -> int:
    gateway, service = await start_demo(port, http_port)
    uri = gateway.sip_uri("demo")
    if as_json:
        say_json({"event": "ready", "sip": uri, "page": gateway.page, "service": service.url})
    else:
        say("voice-gateway demo: the line is open.")
        say(f"  call   {uri}   (any softphone on this machine, UDP or TCP)", "bold")
        say(f"  watch  {gateway.page}")
        folder = Path(tempfile.gettempdir())
        say(f'  or     voice-gateway call {uri} --digits "3@3.0" --record {folder / "call.wav"}')
        progress("Ctrl-C stops it.")
    await stop_requested().get()
    await gateway.close()
    await service.close()
    return 0

"""The demo's line: an embedded service and a gateway that uses it, both on loopback."""

import socket

from ..app import Gateway
from ..config import Settings
from ..embedded.server import EmbeddedService
from ..errors import ConfigError

__all__ = ["open_line"]

_SIP_PORT = 5060
_HTTP_PORT = 8080


async def open_line(port: int | None, http_port: int | None) -> tuple[Gateway, EmbeddedService]:
    """Start the service, then the gateway, on the ports asked for or else on free ones."""
    service = EmbeddedService("127.0.0.1", 0)
    await service.start()
    wanted = {None: _SIP_PORT, 0: _free_port()}.get(port, port or 0)
    choices = [(wanted, _HTTP_PORT if http_port is None else http_port)]
    if port is None or http_port is None:
        choices.append((port or _free_port(), http_port or 0))
    for last, (sip_port, page_port) in enumerate(choices, 1 - len(choices)):
        gateway = Gateway(_settings(service.url, sip_port, page_port))
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


def _settings(service_url: str, port: int, http_port: int) -> Settings:
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
    return Settings.model_validate(sections)


def _free_port() -> int:
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

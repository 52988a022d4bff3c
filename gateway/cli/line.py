"""The demo's line: an embedded service and a gateway that uses it, both on loopback."""

import secrets
import socket
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from ..app import Gateway
from ..config import Settings
from ..embedded.server import EmbeddedService
from ..errors import ConfigError

__all__ = ["Line", "LinkKind", "open_line"]

LinkKind: TypeAlias = Literal["websocket", "webrtc", "sideband"]

_SIP_PORT: Final = 5060
_HTTP_PORT: Final = 8080


@dataclass(slots=True)
class Line:
    """Both programs, running."""

    gateway: Gateway
    service: EmbeddedService
    link: LinkKind

    @property
    def uri(self) -> str:
        """What to dial: the gateway, or the service where that holds the calls."""
        return self.service.sip_uri or self.gateway.sip_uri("demo")

    async def close(self) -> None:
        """End both."""
        await self.gateway.close()
        await self.service.close()


async def open_line(port: int | None, http_port: int | None, link: LinkKind = "websocket") -> Line:
    """Start the service and the gateway, on the ports asked for or else on free ones.

    Raises:
        ConfigError: A port that was asked for is taken.

    """
    wanted = {None: _SIP_PORT, 0: _free_port()}.get(port, port or 0)
    choices = [(wanted, _HTTP_PORT if http_port is None else http_port)]
    if port is None or http_port is None:
        choices.append((port or _free_port(), http_port or 0))
    for sip_port, page_port in choices[:-1]:
        try:
            return await _open(sip_port, page_port, link)
        except ConfigError:
            continue
    return await _open(*choices[-1], link)


async def _open(port: int, http_port: int, link: LinkKind) -> Line:
    """Start both on these ports; what was started is ended again where the other cannot be."""
    secret = secrets.token_urlsafe(32)
    sip = f"udp:127.0.0.1:{port}" if link == "sideband" else ""
    service = EmbeddedService("127.0.0.1", 0, sip=sip, webhook_secret=secret)
    gateway: Gateway | None = None
    try:
        await service.start()
        gateway = Gateway(_settings(service.url, port, http_port, link, secret))
        await gateway.start()
    except ConfigError:
        if gateway is not None:
            await gateway.close()
        await service.close()
        raise
    service.announce_to(f"{gateway.page}webhooks/realtime")
    return Line(gateway, service, link)


def _settings(service_url: str, port: int, http_port: int, link: str, secret: str) -> Settings:
    """Return the demo's configuration: loopback only, everyone here may call."""
    own_port = 0 if link == "sideband" else port
    sections: dict[str, object] = {
        "sip": {"bind": [f"udp:127.0.0.1:{own_port}", f"tcp:127.0.0.1:{own_port}"]},
        "trunks": [{"name": "local", "hosts": ["127.0.0.0/8"], "users": ["demo", "operator"]}],
        "realtime": {
            "provider": "custom", "url": service_url, "link": link, "webhook_secret": secret,
        },
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

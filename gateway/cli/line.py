"""The demo's line: an embedded service and a gateway that uses it, both on loopback."""

import secrets
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from ..app import Gateway
from ..config import Rule, Settings, load
from ..embedded.server import EmbeddedService
from ..errors import ConfigError

__all__ = ["Line", "LinkKind", "demo_folder", "open_line", "recorded"]

LinkKind: TypeAlias = Literal["websocket", "webrtc", "sideband"]

_SIP_PORT: Final = 5060
_HTTP_PORT: Final = 8080


@dataclass(slots=True)
class Line:
    """Both programs, running; ``folder`` has the recordings of its calls, as long as it does."""

    gateway: Gateway
    service: EmbeddedService
    link: LinkKind
    folder: tempfile.TemporaryDirectory[str]

    @property
    def uri(self) -> str:
        """What to dial: the gateway, or the service where that holds the calls."""
        return self.service.sip_uri or self.gateway.sip_uri("demo")

    async def close(self) -> None:
        """End both."""
        await self.gateway.close()
        await self.service.close()
        self.folder.cleanup()


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
    service = EmbeddedService(
        "127.0.0.1", 0, demo_folder() / "agent.toml", sip=sip, webhook_secret=secret
    )
    gateway: Gateway | None = None
    folder = tempfile.TemporaryDirectory(prefix="voice-gateway-")
    try:
        await service.start()
        settings = _settings(service.url, port, http_port, link, secret)
        gateway = Gateway(recorded(settings, folder.name, link))
        await gateway.start()
    except ConfigError:
        if gateway is not None:
            await gateway.close()
        await service.close()
        folder.cleanup()
        raise
    service.announce_to(f"{gateway.page}webhooks/realtime")
    return Line(gateway, service, link, folder)


def demo_folder() -> Path:
    """Return where the demo's configuration and agent are: in a wheel, or in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "sip_configs" / "demo"
    return inside if inside.is_dir() else package.parent / "sip_configs" / "demo"


def _settings(service_url: str, port: int, http_port: int, link: str, secret: str) -> Settings:
    """Return the demo's configuration with this run's ports and service."""
    own_port = 0 if link == "sideband" else port
    binds = [f"{transport}:127.0.0.1:{own_port}" for transport in ("udp", "tcp")]
    ours = {
        "GATEWAY_SIP__BIND": ",".join(binds),
        "GATEWAY_REALTIME__PROVIDER": "custom",
        "GATEWAY_REALTIME__URL": service_url,
        "GATEWAY_REALTIME__LINK": link,
        "GATEWAY_REALTIME__WEBHOOK_SECRET_ENV": "DEMO_WEBHOOK_SECRET",
        "DEMO_WEBHOOK_SECRET": secret,
        "GATEWAY_TARGETS__OPERATOR__URI": f"sip:operator@127.0.0.1:{port}",
        "GATEWAY_HTTP__BIND": f"127.0.0.1:{http_port}",
    }
    return load(demo_folder() / "gateway.toml", ours)


def recorded(settings: Settings, folder: str, link: LinkKind) -> Settings:
    """Return a configuration by which every call is recorded, for the console to play.

    Where the service holds the telephone calls, those from the page are the gateway's own.
    """
    whose = {"called": settings.webrtc.called} if link == "sideband" else {}
    record = Rule.model_validate({"on": "leg.answered", "do": [{"record": "start"}], **whose})
    media = settings.media.model_copy(update={"recordings": Path(folder)})
    return settings.model_copy(update={"media": media, "rules": [record, *settings.rules]})


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

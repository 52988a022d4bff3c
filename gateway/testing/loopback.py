"""A whole gateway inside the test's own process, on free ports of loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ..app import Gateway
from ..config import Settings

__all__ = ["loopback_gateway", "sip_address"]


@asynccontextmanager
async def loopback_gateway(service_url: str, **tables: Any) -> AsyncIterator[Gateway]:
    """Run a gateway that talks to the service at ``service_url``; ``tables`` add to its settings.

    It takes SIP over UDP and TCP, has no page, and serves every caller on loopback.  It has no
    echo guard unless that is asked for: steady tones, which tests speak in, are to a guard the
    noise of a line.
    """
    standard: dict[str, Any] = {
        "sip": {"bind": ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]},
        "realtime": {"provider": "custom", "url": service_url} | tables.pop("realtime", {}),
        "http": {"bind": ""},
        "barge_in": {"echo_guard": "off"} | tables.pop("barge_in", {}),
    }
    gateway = Gateway(Settings.model_validate(standard | tables))
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.close()


def sip_address(gateway: Gateway, transport: str = "udp") -> tuple[str, int]:
    """Return host and port where the gateway takes SIP."""
    found = next(a for a in gateway.sip_addresses if a.startswith(f"{transport}:"))
    _, host, port = found.split(":")
    return host, int(port)

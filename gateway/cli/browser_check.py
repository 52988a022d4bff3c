"""How `voice-gateway check` looks at what browsers need: servers that help to find a way."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final

from aioice import stun

from ..calls.ways import terms_of
from ..config import Settings
from ..rtc.relay import allocate
from ..rtc.servers import Server, ServerAddress
from ..sip.transport.resolver import Resolver
from .neighbours import Finding, reach_stun

__all__ = ["look_at_addresses", "reach_ice_servers"]

_PATIENCE: Final = 3.0  # seconds for a server to answer
_NOBODY: Final = ("127.0.0.1", 9)  # stands where a lane would be met
_UNAUTHORIZED: Final = 401


def look_at_addresses(settings: Settings) -> list[Finding]:
    """Look at what pages are to be told of where we are: one socket has one family of addresses."""
    if not settings.webrtc.enabled:
        return []
    host = settings.webrtc.host or settings.media_host
    family, other = ("IPv6", "IPv4") if ":" in host else ("IPv4", "IPv6")
    ignored = [ip for ip in settings.webrtc.external_ips if (":" in ip) is not (":" in host)]
    remedy = f"pages are told no {other} address, as webrtc.host {host} is {family}; leave it out"
    return [Finding(f"webrtc.external_ips ({ip})", True, remedy, True) for ip in ignored]


def reach_ice_servers(settings: Settings, resolver: Resolver) -> Sequence[Awaitable[Finding]]:
    """Ask every STUN and TURN server of ``[webrtc]``, under each of its addresses."""
    if not settings.webrtc.enabled:
        return []
    host = settings.webrtc.host or settings.media_host
    asked: list[Awaitable[Finding]] = []
    for server in terms_of(settings.webrtc).servers:
        for url in server.urls:
            what = f"webrtc.ice_servers ({url})"
            if url.startswith("stun:"):
                asked.append(reach_stun(what, url, host, resolver))
            else:
                asked.append(_reach_turn(what, server, ServerAddress.parse(url)))
    return asked


async def _reach_turn(what: str, server: Server, at: ServerAddress) -> Finding:
    """Have a relay for a moment."""
    try:
        async with asyncio.timeout(_PATIENCE):
            relay = await allocate(server, at, _NOBODY, hides=True)
    except stun.TransactionFailed as error:
        code = error.response.attributes.get("ERROR-CODE", (0, ""))[0]
        if code == _UNAUTHORIZED:
            remedy = "check username and the variable that credential_env names"
            return Finding(what, False, f"it refuses our name or password; {remedy}")
        return Finding(what, False, f"it gives no relay: {error}")
    except (TimeoutError, stun.TransactionError, OSError) as error:
        told = f"{error}" or "no answer"
        return Finding(what, False, f"{told}; check its name, and that it may be reached")
    where = relay.candidates[0]
    await relay.close()
    return Finding(what, True, f"relays for us at {where.host}")

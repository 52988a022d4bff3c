"""`voice-gateway check`: reads the configuration, reaches every neighbour, says what is wrong."""

import asyncio
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ..app import Gateway, service_of
from ..clock import RandomIds
from ..config import Settings, load
from ..control.settings import ControlSettings
from ..errors import ConfigError, GatewayError, LinkError
from ..ops.logs import configure_logging
from ..realtime.events import ErrorEvent, ServerEvent, SessionCreated, Unknown
from ..realtime.websocket import WebSocketLink
from .output import say, say_json
from .serve import ConfigFile, run_loop

__all__ = ["check"]

_PATIENCE: Final = 3.0  # seconds for a neighbour to answer


@dataclass(slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    is_good: bool
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as JSON would hold it."""
        return {"what": self.what, "ok": self.is_good, "detail": self.detail}


def check(*, config: ConfigFile = None, json: bool = False) -> int:
    """Validate the configuration, bind its ports, reach the service and every transfer target.

    Exits with 0 when all is well, 1 when a neighbour cannot be reached, 2 when the
    configuration is wrong.

    Args:
        config: Configuration (TOML); without one, GATEWAY_CONFIG, then loopback defaults.
        json: Print one JSON object instead of lines.

    """
    configure_logging("warning")
    settings = load(config, os.environ)
    ControlSettings.of(settings)
    service_of(settings)
    findings: list[Finding] = []

    async def main() -> int:
        findings.extend(await _look(settings))
        return 0 if all(finding.is_good for finding in findings) else 1

    code = run_loop(main)
    if json:
        say_json({"ok": code == 0, "findings": [finding.as_dict() for finding in findings]})
        return code
    for finding in findings:
        mark, style = ("ok    ", "green") if finding.is_good else ("WRONG ", "red")
        say(f"{mark} {finding.what}: {finding.detail}", style)
    return code


async def _look(settings: Settings) -> list[Finding]:
    """Look at everything, one finding each."""
    findings = [
        Finding(
            "configuration", True, f"{len(settings.trunks)} trunks, {len(settings.rules)} rules"
        ),
        await _ports(settings),
        await _service(settings),
    ]
    targets = [_target(name, uri) for name, uri in settings.targets.items()]
    return findings + list(await asyncio.gather(*targets))


async def _ports(settings: Settings) -> Finding:
    gateway = Gateway(settings)
    try:
        await gateway.start()
    except ConfigError as error:
        return Finding("ports", False, str(error))
    where = ", ".join(gateway.sip_addresses)
    await gateway.close()
    return Finding("ports", True, f"{where}, RTP {settings.media.ports}")


async def _service(settings: Settings) -> Finding:
    """Open a session and wait for the service's first word."""
    endpoint = service_of(settings)
    loop = asyncio.get_running_loop()
    first: asyncio.Future[str] = loop.create_future()

    def on_event(event: ServerEvent | Unknown) -> None:
        if first.done():
            return
        if isinstance(event, SessionCreated):
            first.set_result("session created")
        elif isinstance(event, ErrorEvent):
            first.set_exception(LinkError(event.error.message or "the service said error"))

    def on_closed(fault: LinkError | None) -> None:
        if not first.done():
            first.set_exception(fault or LinkError("the service closed the session"))

    link = WebSocketLink(endpoint, on_event=on_event, on_closed=on_closed)
    what = f"service {endpoint}"
    try:
        async with asyncio.timeout(settings.realtime.connect_seconds):
            await link.connect()
            detail = await first
    except TimeoutError:
        return Finding(what, False, "no answer in time; check the address and the firewall")
    except GatewayError as error:
        return Finding(what, False, str(error))
    finally:
        first.cancel()
    await link.close()
    return Finding(what, True, detail)


async def _target(name: str, uri: str) -> Finding:
    """Send OPTIONS to a transfer target; any answer at all shows that it is there."""
    what = f"target {name} ({uri})"
    if not uri.lower().startswith("sip:"):
        return Finding(what, True, "not probed: only sip: over UDP is")
    host, _, port = uri[4:].split(";")[0].rpartition("@")[2].partition(":")
    if "transport=tcp" in uri.lower():
        return Finding(what, True, "not probed: only sip: over UDP is")
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, int(port or 5060), type=socket.SOCK_DGRAM)
    except (OSError, ValueError) as error:
        return Finding(what, False, f"no such host {host!r}: {error}")
    family, kind, _, _, address = found[0]
    with socket.socket(family, kind) as sock:
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
            for wait in _retries(_PATIENCE):
                await loop.sock_sendall(sock, _options(uri, sock.getsockname()))
                try:
                    async with asyncio.timeout(wait):
                        reply = await loop.sock_recv(sock, 65535)
                except TimeoutError:
                    continue
                return Finding(what, True, reply.split(b"\r\n", 1)[0].decode("utf-8", "replace"))
        except OSError as error:
            return Finding(what, False, f"{host} refuses: {error.strerror or error}")
    return Finding(what, False, f"no answer to OPTIONS within {_PATIENCE:g} s")


def _retries(total: float) -> Iterator[float]:
    """Yield the waits between copies of a request (RFC 3261 timer E)."""
    wait, left = 0.5, total
    while left > 0:
        yield min(wait, left)
        left -= wait
        wait *= 2


def _options(uri: str, local: tuple[str, int]) -> bytes:
    """Return an OPTIONS request (RFC 3261 section 11)."""
    ids = RandomIds()
    here = f"{local[0]}:{local[1]}"
    lines = (
        f"OPTIONS {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{ids.token()};rport",
        f"From: <sip:check@{here}>;tag={ids.token()}",
        f"To: <{uri}>",
        f"Call-ID: {ids.token()}",
        "CSeq: 1 OPTIONS",
        "Max-Forwards: 70",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()

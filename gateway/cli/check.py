"""`voice-gateway check`: reads the configuration, reaches every neighbour, says what is wrong."""

import asyncio
import errno
import os
from collections.abc import Awaitable, Sized
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from ..app import Gateway
from ..calls.entries import load_entries
from ..config import Settings, TlsSettings, load
from ..control.settings import ControlSettings
from ..errors import ConfigError, RecordError
from ..ops.flow_graph import flow_boxes
from ..ops.flow_picture import flow_svg
from ..ops.logs import configure_logging
from ..ops.records.opening import address_of, look_at, shown
from ..sip.flow import Transport
from ..sip.transport.address import Bind
from ..sip.transport.certificates import Certificates, validity_of
from ..sip.transport.resolver import Resolver
from ..sip.ways.locate import reach_of
from .access_check import look_at_access
from .account_check import reach_account
from .browser_check import look_at_addresses, reach_ice_servers
from .neighbours import (
    Find,
    Finding,
    is_gateway_at,
    reach_server,
    reach_stun,
    reach_target,
    reach_trunk,
)
from .output import say, say_json
from .serve import ConfigFile, run_loop
from .service_check import reach_service

__all__ = ["check"]

_SOON: Final = timedelta(days=14)  # a certificate should be renewed
_MARKS: Final = {
    (True, False): ("ok    ", "green"),
    (True, True): ("NOTE  ", "yellow"),
    (False, False): ("WRONG ", "red"),
}


def check(*, config: ConfigFile = None, json: bool = False, graph: Path | None = None) -> int:
    """Validate the configuration, bind its ports, reach the service, trunks and transfer targets.

    A session is opened and set up as for a call, over the link that calls would use.  Trunks
    and targets with an address of their own are sent OPTIONS; networks are not.  A trunk's server
    is asked, with our name and password, for our bindings, which changes none.  Exits with 0
    when all is well, 1 when a neighbour cannot be reached, 2 when the configuration is wrong.

    Args:
        config: Configuration (TOML); without one, GATEWAY_CONFIG, then loopback defaults.
        json: Print one JSON object instead of lines.
        graph: Draw the rules and menus into this SVG file, and reach nobody.

    """
    configure_logging("warning")
    settings = load(config, os.environ, needs_secrets=graph is None)
    ControlSettings.of(settings)
    load_entries(settings)
    certificates = Certificates(settings.sip.tls)
    certificates.check()
    if graph is not None:
        return _draw(settings, graph, as_json=json)
    findings: list[Finding] = []

    async def main() -> int:
        findings.extend(await _look(settings, certificates))
        return 0 if all(finding.is_good for finding in findings) else 1

    code = run_loop(main)
    if json:
        say_json({"ok": code == 0, "findings": [finding.as_dict() for finding in findings]})
        return code
    for finding in findings:
        mark, style = _MARKS[finding.is_good, finding.is_warning]
        say(f"{mark} {finding.what}: {finding.detail}", style)
    return code


async def _look(settings: Settings, certificates: Certificates) -> list[Finding]:
    """Look at everything, one finding each."""
    counts = f"{_count(settings.trunks, 'trunk')}, {_count(settings.rules, 'rule')}"
    findings = [
        Finding("configuration", True, counts),
        *_certificate(settings.sip.tls),
        *look_at_access(settings),
        *look_at_addresses(settings),
        await _ports(settings),
        *await _database(settings),
        await reach_service(settings),
    ]
    resolver = Resolver(settings.sip.nameservers)
    find = _finder(settings, resolver)
    stun = settings.sip.external_ip
    asked: list[Awaitable[Finding]] = [*reach_ice_servers(settings, resolver)]
    if stun.startswith("stun:"):
        asked.append(reach_stun(f"external_ip ({stun})", stun, settings.sip.host, resolver))
    servers = [reach_server(t, certificates, find) for t in settings.trunks if t.server]
    trunks = [reach_trunk(t, host) for t in settings.trunks if not t.server for host in t.hosts]
    accounts = [reach_account(settings, t) for t in settings.trunks if t.server and t.username]
    targets = [
        reach_target(name, target.uri, certificates, find)
        for name, target in settings.targets.items()
    ]
    return findings + list(await asyncio.gather(*asked, *servers, *accounts, *trunks, *targets))


async def _database(settings: Settings) -> list[Finding]:
    """Look at the database of calls, if there is to be one."""
    address = address_of(settings.records)
    if not address:
        return []
    what = f"database ({shown(address)})"
    try:
        return [Finding(what, True, await look_at(address))]
    except (ConfigError, RecordError) as error:
        return [Finding(what, False, str(error))]


def _certificate(tls: TlsSettings) -> list[Finding]:
    """Look at how long our certificate is good, if there is one."""
    validity = validity_of(tls)
    if validity is None:
        return []
    what, now = f"certificate ({tls.certificate})", datetime.now(UTC)
    if fault := validity.fault(now):
        return [Finding(what, False, f"{fault}; renew it")]
    left = validity.until - now
    detail = f"good until {validity.until:%Y-%m-%d}"
    if left < _SOON:
        return [Finding(what, True, f"{detail}, {_left(left)} left; renew it soon", True)]
    return [Finding(what, True, detail)]


def _left(time: timedelta) -> str:
    return _count(range(time.days), "day") if time.days else "less than a day"


def _finder(settings: Settings, resolver: Resolver) -> Find:
    """Return what finds the way to an address, as calls would."""
    binds = [Bind.parse(bind) for bind in settings.sip.bind]
    sockets: list[tuple[Transport, str]] = [(bind.transport, bind.host) for bind in binds]
    sockets += [("tls", bind.host) for bind in binds]  # by TLS we call whether we listen or not
    reach = reach_of(sockets)
    return lambda uri: resolver.targets(uri, reach)


def _draw(settings: Settings, path: Path, *, as_json: bool) -> int:
    """Write a picture of the flow.

    Raises:
        ConfigError: It cannot be written there.

    """
    boxes = flow_boxes(settings)
    try:
        path.write_text(flow_svg(boxes, "What happens to a call"), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--graph: {path}: {error.strerror}; name another file") from error
    if as_json:
        say_json({"ok": True, "graph": str(path), "boxes": len(boxes)})
    else:
        say(f"{path}: drawn, {len(boxes)} boxes")
    return 0


def _count(things: Sized, what: str) -> str:
    return f"{len(things)} {what}{'' if len(things) == 1 else 's'}"


async def _ports(settings: Settings) -> Finding:
    """Bind all ports for a moment; that a gateway runs there already is no fault."""
    gateway = Gateway(settings)
    try:
        await gateway.start(is_trial=True)
    except ConfigError as error:
        await gateway.close()
        cause = error.__cause__
        if not isinstance(cause, OSError) or cause.errno != errno.EADDRINUSE:
            return Finding("ports", False, str(error))
        if not await is_gateway_at(settings.sip.bind):
            return Finding("ports", False, f"{error}; perhaps a gateway already runs there")
        where = ", ".join(settings.sip.bind)
        return Finding("ports", True, f"{where}: in use, by a gateway that already runs")
    where = ", ".join(gateway.sip_addresses)
    hook = f"{gateway.page}webhooks/realtime"
    await gateway.close()
    takes = f", webhooks at {hook}" if settings.realtime.link == "sideband" else ""
    return Finding("ports", True, f"{where}, RTP {settings.media.ports}{takes}")

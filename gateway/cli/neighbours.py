"""How `voice-gateway check` reaches a gateway's neighbours on SIP: targets and trunks."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from OpenSSL import SSL

from ..clock import RandomIds
from ..config import TrunkSettings, is_loopback
from ..errors import SipError
from ..sip.transport.address import Advertiser, Bind, is_unspecified
from ..sip.transport.certificates import Certificates
from ..sip.transport.outside import Outside
from ..sip.transport.resolver import Resolver
from ..sip.transport.tls import TlsChannel
from ..sip.transport.udp import UdpSocket
from ..sip.ways.identity import is_named
from ..sip.ways.locate import Target
from ..sip.ways.routing import transport_of
from ..sip.wire.uri import Uri, bracketed

__all__ = [
    "Find",
    "Finding",
    "is_gateway_at",
    "reach_server",
    "reach_stun",
    "reach_target",
    "reach_trunk",
]

_PATIENCE: Final = 3.0  # seconds for a neighbour to answer
_RETRIES: Final = (0.5, 1.0, 1.5)  # between copies of a request (RFC 3261 timer E)
_PORT: Final = 5060
_ASKED: Final = ("udp", "tcp", "tls")
_MOST_ASKED: Final = 4  # servers of one name

Find: TypeAlias = Callable[[Uri], Awaitable[Sequence[Target]]]
"""Says where an address leads, best first."""


@dataclass(slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    is_good: bool
    detail: str
    is_warning: bool = False  # good, but not for long, or not as it was meant

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as JSON would hold it."""
        return {
            "what": self.what,
            "ok": self.is_good,
            "warning": self.is_warning,
            "detail": self.detail,
        }


async def reach_target(name: str, address: str, certificates: Certificates, find: Find) -> Finding:
    """Send OPTIONS to a transfer target; any answer at all shows that it is there."""
    what = f"target {name} ({address})"
    try:
        uri = Uri.parse(address)
    except SipError as error:
        return Finding(what, False, f"{error}; write sip:USER@HOST or tel:+NUMBER")
    return await _reach_uri(what, uri, certificates, find)


async def reach_server(trunk: TrunkSettings, certificates: Certificates, find: Find) -> Finding:
    """Send OPTIONS to where calls to a trunk go."""
    what = f"trunk {trunk.name} ({trunk.server})"
    return await _reach_uri(what, Uri.parse(trunk.server), certificates, find)


async def reach_stun(what: str, server: str, host: str, resolver: Resolver) -> Finding:
    """Ask a STUN server how it sees a socket on ``host``."""
    socket = UdpSocket(lambda *_: None)
    await socket.open(Bind("udp", host, 0))
    outside = Outside(server, resolver, Advertiser())
    await outside.start([socket])
    await outside.close()
    socket.close()
    for seen, _ in outside.seen.values():
        return Finding(what, True, f"we are seen as {seen}")
    return Finding(what, False, "no answer; check its name, and that UDP to it may pass")


async def reach_trunk(trunk: TrunkSettings, host: str) -> Finding:
    """Send OPTIONS to a trunk's port 5060, where it is one host and not this one."""
    what = f"trunk {trunk.name} ({host})"
    network = ipaddress.ip_network(host, strict=False)
    if network.num_addresses > 1:
        return Finding(what, True, "not probed: a network")
    address = str(network.network_address)
    if is_loopback(address):
        return Finding(what, True, "not probed: this machine")
    return await _reach(what, _uri_of(address, _PORT), Target("udp", address, _PORT), None)


async def is_gateway_at(binds: Iterable[str]) -> bool:
    """Tell whether a gateway like this one answers at one of the addresses."""

    async def answers(bind: Bind) -> bool:
        host = bind.host
        if is_unspecified(host):
            host = "::1" if ":" in host else "127.0.0.1"
        try:
            target = Target(bind.transport, host, bind.port)
            head = await _ask(_uri_of(host, bind.port), target, None)
        except (OSError, EOFError, SipError):
            return False
        return "\r\nserver: voice-gateway\r\n" in head.lower()

    parsed = [Bind.parse(bind) for bind in binds]
    asked = [bind for bind in parsed if bind.transport in _ASKED]
    return any(await asyncio.gather(*map(answers, asked)))


async def _reach_uri(what: str, uri: Uri, certificates: Certificates, find: Find) -> Finding:
    """Send OPTIONS to the first servers that an address leads to; one that answers will do."""
    transport = transport_of(uri)
    if uri.scheme not in ("sip", "sips") or transport not in _ASKED:
        return Finding(what, True, "not probed: only sip: over UDP, TCP or TLS is")
    targets = await find(uri)
    if not targets:
        problem = f"no such host {uri.host!r}, or none that sip.bind has a socket for"
        return Finding(what, False, f"{problem}; check its name")
    findings = await asyncio.gather(
        *(_reach(what, str(uri), target, certificates) for target in targets[:_MOST_ASKED])
    )
    if len(targets) == 1:
        return findings[0]
    told = [
        f"{target.transport} {_host_port(target.host, target.port)}: {finding.detail}"
        for target, finding in zip(targets, findings, strict=False)
    ]
    return Finding(what, any(finding.is_good for finding in findings), ", then ".join(told))


async def _reach(what: str, uri: str, target: Target, certificates: Certificates | None) -> Finding:
    host, port = target.host, target.port
    try:
        head = await _ask(uri, target, certificates)
    except TimeoutError:
        where = f"{target.transport.upper()} port {port} of {host}"
        return Finding(what, False, f"no answer from {where}; check address, peer and firewall")
    except SipError as error:
        return Finding(what, False, f"{host} port {port}: {error}; check both certificates")
    except (OSError, EOFError) as error:
        told = getattr(error, "strerror", None) or "connection closed"
        return Finding(what, False, f"{host} port {port}: {told}; check address and peer")
    return Finding(what, True, head.partition("\r\n")[0])


async def _ask(uri: str, target: Target, certificates: Certificates | None) -> str:
    """Send OPTIONS and return the head of the answer.

    Without ``certificates``, whoever answers is believed.

    Raises:
        OSError: The host is not known or refuses us; TimeoutError: it does not answer.
        EOFError: It closed the connection.
        SipError: It speaks no TLS, or is not believed.

    """
    async with asyncio.timeout(_PATIENCE):
        if target.transport == "udp":
            answer = await _ask_udp(uri, target.host, target.port)
        elif target.transport == "tcp":
            answer = await _ask_tcp(uri, target)
        else:
            answer = await _ask_tls(uri, target, certificates)
    return answer.decode("utf-8", "replace")


async def _ask_udp(uri: str, host: str, port: int) -> bytes:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    family, kind, _, _, address = found[0]
    with socket.socket(family, kind) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
        request = _options(uri, "UDP", sock.getsockname())
        for wait in _RETRIES:
            await loop.sock_sendall(sock, request)
            try:
                async with asyncio.timeout(wait):
                    return await loop.sock_recv(sock, 65535)
            except TimeoutError:
                continue
    raise TimeoutError


async def _ask_tcp(uri: str, target: Target) -> bytes:
    reader, writer = await asyncio.open_connection(target.host, target.port)
    try:
        writer.write(_options(uri, "TCP", writer.get_extra_info("sockname")))
        return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()


async def _ask_tls(uri: str, target: Target, certificates: Certificates | None) -> bytes:
    domain = target.domain or target.host
    reader, writer = await asyncio.open_connection(target.host, target.port)
    context = SSL.Context(SSL.TLS_METHOD) if certificates is None else certificates.client
    tls, answer, is_asked = TlsChannel(context, is_server=False, domain=domain), b"", False
    try:
        while b"\r\n\r\n" not in answer:
            writer.write(tls.data_to_send())
            data = await reader.read(65_536)
            if not data:
                raise EOFError
            answer += tls.receive_data(data)
            if tls.is_open and not is_asked:
                if certificates is not None and not is_named(domain, tls.names):
                    told = ", ".join(tls.names) or "nobody"
                    raise SipError(f"its certificate is that of {told}, not of {domain}")
                tls.encrypt(_options(uri, "TLS", writer.get_extra_info("sockname")))
                is_asked = True
        return answer
    finally:
        writer.write(tls.data_to_send())  # it may be told why
        writer.close()


def _options(uri: str, transport: str, local: tuple[Any, ...]) -> bytes:
    """Return an OPTIONS request (RFC 3261 section 11)."""
    ids = RandomIds()
    here = _uri_of(local[0], local[1]).removeprefix("sip:")
    lines = (
        f"OPTIONS {uri} SIP/2.0",
        f"Via: SIP/2.0/{transport} {here};branch=z9hG4bK{ids.token()};rport",
        f"From: <sip:check@{here}>;tag={ids.token()}",
        f"To: <{uri}>",
        f"Call-ID: {ids.token()}",
        "CSeq: 1 OPTIONS",
        "Max-Forwards: 70",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()


def _uri_of(host: str, port: int) -> str:
    return f"sip:{_host_port(host, port)}"


def _host_port(host: str, port: int) -> str:
    return f"{bracketed(host)}:{port}"

"""Finding a SIP server: from an address to the targets to try, in order (RFC 3263, RFC 2782).

Sans-I/O.  :func:`locate` is a plan: a generator that yields the questions whose
answers it needs next, is sent those answers, and returns the targets::

    plan = locate(uri, reach, ids)
    questions = next(plan)
    questions = plan.send({question: answer, …})    # until StopIteration

A numeric host is a target itself; a port rules out everything but addresses;
a transport rules out NAPTR; where a domain has neither NAPTR nor SRV records,
its addresses are the targets.
"""

import ipaddress
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal, NamedTuple, TypeAlias

from ...clock import Ids
from ..flow import Transport, default_port
from ..wire.uri import Uri
from .lookups import Destination
from .routing import transport_of

__all__ = [
    "Answers",
    "Family",
    "Kind",
    "Naptr",
    "Plan",
    "Question",
    "Reach",
    "Record",
    "Srv",
    "Target",
    "family_of",
    "locate",
    "reach_of",
]

Kind: TypeAlias = Literal["A", "AAAA", "SRV", "NAPTR"]
Family: TypeAlias = Literal["A", "AAAA"]
Reach: TypeAlias = Sequence[tuple[Transport, Family]]
"""What we have sockets for; of two families or transports the one named first goes first."""

_NOWHERE: Final = ".invalid"  # as browsers name themselves: never to be asked for (RFC 6761)
_MOST_RECORDS: Final = 32  # of one answer; what a domain has more of is not looked at
_MOST_TARGETS: Final = 16
_MOST_SERVERS: Final = 16  # SRV records whose addresses are asked for

# The services a NAPTR record may lead to (RFC 3263 section 4.1, RFC 7118 section 5.5 for WS).
_SERVICES: Final[Mapping[str, Transport]] = {
    "SIPS+D2T": "tls",
    "SIP+D2U": "udp",
    "SIP+D2T": "tcp",
    "SIP+D2W": "ws",
    "SIPS+D2W": "wss",
}
# Where the SRV records of a transport stand, and in which order transports are asked for.
_SRV_NAMES: Final[Mapping[Transport, str]] = {
    "udp": "_sip._udp",
    "tcp": "_sip._tcp",
    "tls": "_sips._tcp",
    "ws": "_sip._ws",
    "wss": "_sips._ws",
}
_PREFERENCE: Final[Sequence[Transport]] = ("udp", "tcp", "tls")
_SECURE: Final = ("tls", "wss")


class Question(NamedTuple):
    """What is asked of the domain name system."""

    kind: Kind
    name: str


class Srv(NamedTuple):
    """A server of a service (RFC 2782)."""

    priority: int
    weight: int
    port: int
    host: str  # empty: the service is decidedly not to be had


class Naptr(NamedTuple):
    """A service that a domain offers (RFC 3403, as RFC 3263 section 4.1 uses it)."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


Record: TypeAlias = str | Srv | Naptr
"""One thing an answer holds: an address, a server or a service."""

Answers: TypeAlias = Mapping[Question, Sequence[Record]]
"""What was found; a question that is missing found nothing."""


@dataclass(frozen=True, slots=True)
class Target:
    """One server to try."""

    transport: Transport
    host: str  # an IP address
    port: int
    domain: str = ""  # over TLS, whom it must prove to be (RFC 5922 section 4): not its SRV name


@dataclass(frozen=True, slots=True)
class _Server:
    transport: Transport
    host: str
    port: int


Plan: TypeAlias = Generator[list[Question], Answers, list[Target]]


def reach_of(sockets: Iterable[tuple[Transport, str]]) -> Reach:
    """Return what can be reached from sockets, given the transport and own host of each."""
    return list(dict.fromkeys((transport, family_of(host)) for transport, host in sockets))


def locate(uri: Uri, reach: Reach, ids: Ids, *, has_services: bool = True) -> Plan:
    """Return the plan that leads to the targets of ``uri``, none where there is no way to it.

    ``has_services`` is false for a name that the domain name system knows nothing of,
    such as one in /etc/hosts.
    """
    where = Destination.of(uri)
    asked_for = transport_of(uri) if where.transport else ""
    transports = _transports(uri, asked_for, reach)
    if not transports or not where.host or f".{where.host}".endswith(_NOWHERE):
        return []
    if _is_numeric(where.host) or where.port is not None or not has_services:
        first = transports[0]
        servers = [_Server(first, where.host, where.port or default_port(first))]
    else:
        servers = yield from _servers(where.host, transports, asked_for, ids)
    return (yield from _targets(servers, reach, uri.address.lower()))


def _transports(uri: Uri, asked_for: str, reach: Reach) -> list[Transport]:
    """Return the transports by which an address may be reached, the usual one first."""
    have = {transport for transport, _ in reach}
    if asked_for:
        return [name for name in _SRV_NAMES if name == asked_for and name in have]
    only = _SECURE if uri.scheme == "sips" else _PREFERENCE
    return [name for name in _PREFERENCE if name in have and name in only]


def _servers(
    domain: str, transports: Sequence[Transport], asked_for: str, ids: Ids
) -> Generator[list[Question], Answers, list[_Server]]:
    """Find the servers of a domain by its services, or else take the domain for one."""
    places = {name: f"{_SRV_NAMES[name]}.{domain}" for name in transports}
    if not asked_for:
        question = Question("NAPTR", domain)
        found = (yield [question]).get(question, ())
        places = _by_naptr(found, transports) or places
    questions = {name: Question("SRV", place) for name, place in places.items()}
    answers = yield list(questions.values())
    servers = []
    is_known = False
    for transport, question in questions.items():
        records = [r for r in answers.get(question, ())[:_MOST_RECORDS] if isinstance(r, Srv)]
        is_known = is_known or bool(records)
        usable = [record for record in records if record.host and record.port]
        servers += [_Server(transport, r.host, r.port) for r in _by_weight(usable, ids)]
    if is_known:
        return servers
    first = next(iter(places))
    return [_Server(first, domain, default_port(first))]


def _by_naptr(found: Iterable[Record], transports: Sequence[Transport]) -> dict[Transport, str]:
    """Return where to ask for SRV records, best first, of the transports that we have."""
    places: dict[Transport, str] = {}
    records = [record for record in list(found)[:_MOST_RECORDS] if isinstance(record, Naptr)]
    for record in sorted(records, key=lambda record: (record.order, record.preference)):
        transport = _SERVICES.get(record.service.upper())
        if transport is None or transport not in transports:
            continue
        if record.flags.lower() == "s" and record.replacement:
            places.setdefault(transport, record.replacement)
    return places


def _by_weight(records: Iterable[Srv], ids: Ids) -> list[Srv]:
    """Order servers by priority, and by lot among equals, weighted (RFC 2782)."""
    ordered = []
    by_priority = sorted(records, key=lambda record: (record.priority, record.weight))
    for _, group in groupby(by_priority, key=lambda record: record.priority):
        left = list(group)  # those of weight 0 first
        while left:
            lot = ids.number(sum(record.weight for record in left) + 1)
            for chosen in left:
                lot -= chosen.weight
                if lot <= 0:
                    break
            left.remove(chosen)
            ordered.append(chosen)
    return ordered


def _targets(
    servers: Sequence[_Server], reach: Reach, domain: str
) -> Generator[list[Question], Answers, list[Target]]:
    """Find the addresses of servers, of those families that we have sockets for."""
    servers = servers[:_MOST_SERVERS]
    named = [server for server in servers if not _is_numeric(server.host)]
    questions = dict.fromkeys(
        Question(family, server.host) for server in named for family in _families(server, reach)
    )
    answers: Answers = (yield list(questions)) if questions else {}
    targets = []
    for server in servers:
        for family in _families(server, reach):
            if _is_numeric(server.host):
                hosts = [server.host] if family_of(server.host) == family else []
            else:
                found = answers.get(Question(family, server.host), ())[:_MOST_RECORDS]
                hosts = [host for host in found if isinstance(host, str)]
            proves = domain if server.transport in _SECURE else ""
            targets += [Target(server.transport, host, server.port, proves) for host in hosts]
    return list(dict.fromkeys(targets))[:_MOST_TARGETS]


def _families(server: _Server, reach: Reach) -> list[Family]:
    return [family for transport, family in reach if transport == server.transport]


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def family_of(host: str) -> Family:
    """Return the kind of record that holds an address like ``host``."""
    return "AAAA" if ":" in host else "A"

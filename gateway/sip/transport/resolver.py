"""Looks names up: carries out the plans of :mod:`..ways.locate` by the domain name system.

Names without a dot (``localhost``, containers) and those in /etc/hosts are
known to this machine alone, which is asked for them.
"""

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver
from dns.rdtypes.IN.NAPTR import NAPTR
from dns.rdtypes.IN.SRV import SRV

from ...clock import Ids, RandomIds, monotonic
from ..ways.findings import Findings
from ..ways.locate import Naptr, Question, Reach, Record, Srv, Target, locate
from ..ways.lookups import Destination
from ..wire.uri import Uri

__all__ = ["Resolver"]

_PORT: Final = 53
_SEARCH_SECONDS: Final = 8.0  # for all that leads to one address
_QUESTION_SECONDS: Final = 2.0  # for one question
_TRY_SECONDS: Final = 1.0  # for one server to answer it
_MOST_ASKED: Final = 256  # questions at once; one more counts as unanswered
_MOST_ALIASES: Final = 4  # one behind the other, of those a server leaves for us to follow
_HOSTS: Final = Path("/etc/hosts")
_LOCAL_TTL: Final = 10.0  # seconds that what this machine says is believed
_FAMILIES: Final = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}


class Resolver:
    """Finds the targets of addresses, and remembers what it was told.

    Args:
        nameservers: Whom to ask, ``HOST`` or ``HOST:PORT``; none: whom this machine asks.
        ids: Where the lots come from that spread calls over servers.

    """

    def __init__(self, nameservers: Sequence[str] = (), *, ids: Ids | None = None) -> None:
        self.counters = {"dns_questions": 0, "dns_failures": 0}
        self._nameservers = nameservers
        self._ids = ids or RandomIds()
        self._findings = Findings()
        self._asked: dict[Question, asyncio.Task[tuple[Record, ...]]] = {}
        self._dns: dns.asyncresolver.Resolver | None = None

    async def targets(self, uri: Uri, reach: Reach) -> list[Target]:
        """Return the targets of an address, best first, none where there is no way to it."""
        host = Destination.of(uri).host
        is_local = "." not in host or _is_in_hosts_file(host)
        plan = locate(uri, reach, self._ids, has_services=not is_local)
        try:
            async with asyncio.timeout(_SEARCH_SECONDS):
                questions = next(plan)
                while True:
                    found = await asyncio.gather(*(self._find(q, is_local) for q in questions))
                    questions = plan.send(dict(zip(questions, found, strict=True)))
        except StopIteration as end:
            targets: list[Target] = end.value
            return targets
        except TimeoutError:
            return []

    async def close(self) -> None:
        """Ask no more."""
        tasks = list(self._asked.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _find(self, question: Question, is_local: bool) -> tuple[Record, ...]:
        """Return what is known, or else ask; of two who want to know the same one asks."""
        known = self._findings.get(question, monotonic())
        if known is not None:
            return known
        task = self._asked.get(question)
        if task is None:
            if len(self._asked) >= _MOST_ASKED:
                self.counters["dns_failures"] += 1
                return ()
            task = asyncio.create_task(self._ask(question, is_local), name=f"dns {question}")
            self._asked[question] = task
            task.add_done_callback(lambda _: self._asked.pop(question, None))
        return await asyncio.shield(task)

    async def _ask(self, question: Question, is_local: bool) -> tuple[Record, ...]:
        self.counters["dns_questions"] += 1
        try:
            records, ttl = await (_ask_machine if is_local else self._ask_dns)(question)
        except (dns.exception.DNSException, OSError, UnicodeError):
            self.counters["dns_failures"] += 1
            return self._findings.fail(question, monotonic())
        self._findings.put(question, records, ttl, monotonic())
        return tuple(records)

    async def _ask_dns(self, question: Question) -> tuple[list[Record], float]:
        """Ask the domain name system.

        Raises:
            DNSException: There is no answer, or none that can be read.
            OSError: No server can be reached.

        """
        name = f"{question.name.rstrip('.')}."
        for _ in range(_MOST_ALIASES):
            try:
                answer = await self._servers.resolve(
                    name, question.kind, raise_on_no_answer=False, lifetime=_QUESTION_SECONDS
                )
            except dns.resolver.NXDOMAIN as error:
                (told,) = error.kwargs["responses"].values()
                return [], float(told.resolve_chaining().minimum_ttl)
            ttl, rrset = answer.chaining_result.minimum_ttl, answer.rrset
            if rrset is not None:
                return [_record(rdata) for rdata in rrset], float(ttl)
            alias = answer.canonical_name.to_text()
            if alias.lower() == name.lower():
                return [], float(ttl)
            name = alias
        return [], 0.0

    @property
    def _servers(self) -> dns.asyncresolver.Resolver:
        if self._dns is None:
            resolver = dns.asyncresolver.Resolver(configure=not self._nameservers)
            if self._nameservers:
                resolver.nameservers = [_nameserver(text) for text in self._nameservers]
            resolver.timeout = _TRY_SECONDS
            self._dns = resolver
        return self._dns


async def _ask_machine(question: Question) -> tuple[list[Record], float]:
    """Ask this machine for addresses.

    Raises:
        OSError: It could not find out.

    """
    family = _FAMILIES[question.kind]
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_QUESTION_SECONDS):
            found = await loop.getaddrinfo(
                question.name, None, family=family, type=socket.SOCK_DGRAM
            )
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise
        return [], _LOCAL_TTL
    return [str(address[0]) for *_, address in found], _LOCAL_TTL


def _record(rdata: object) -> Record:
    """Read one record; of addresses their text is all there is."""
    match rdata:
        case SRV():
            return Srv(rdata.priority, rdata.weight, rdata.port, _host(rdata.target.to_text()))
        case NAPTR():
            return Naptr(
                rdata.order,
                rdata.preference,
                rdata.flags.decode("ascii", "replace"),
                rdata.service.decode("ascii", "replace"),
                _host(rdata.replacement.to_text()),
            )
        case _:
            return str(rdata)


def _host(name: str) -> str:
    return name.rstrip(".").lower()


def _nameserver(text: str) -> dns.nameserver.Do53Nameserver:
    parts = urlsplit(f"//{text}")
    return dns.nameserver.Do53Nameserver(parts.hostname or "", parts.port or _PORT)


def _is_in_hosts_file(host: str) -> bool:
    try:
        lines = _HOSTS.read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    return any(host in line.partition("#")[0].lower().split()[1:] for line in lines)

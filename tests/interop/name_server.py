"""A name server of a few records on loopback, and what it was asked."""

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

__all__ = ["NameServer", "name_server"]

Records = Mapping[tuple[str, str], Sequence[str]]
"""By name and type, e.g. ``("pbx.test", "A"): ["127.0.0.1"]``."""


@dataclass
class NameServer:
    """What a running server says, which may be changed, and heard."""

    address: str
    records: dict[tuple[str, str], Sequence[str]]
    ttl: int = 60
    is_silent: bool = False
    leaves_aliases: bool = False  # to whoever asks, as a server does that is no resolver
    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, data: bytes) -> bytes:
        query = dns.message.from_wire(data)
        response = dns.message.make_response(query)
        (question,) = query.question
        name, kind = question.name, dns.rdatatype.to_text(question.rdtype)
        self.asked.append((_text(name), kind))
        for _ in range(8):
            found = self.records.get((_text(name), kind))
            alias = self.records.get((_text(name), "CNAME"))
            if found:
                response.answer.append(_rrset(name, self.ttl, kind, found))
            elif alias:
                response.answer.append(_rrset(name, self.ttl, "CNAME", alias))
                name = dns.name.from_text(alias[0])
                if not self.leaves_aliases:
                    continue
            break
        if not response.answer:
            soa = ["ns.test. admin.test. 1 3600 600 86400 60"]
            response.authority.append(_rrset(dns.name.from_text("test"), 60, "SOA", soa))
            if not any(known == _text(name) for known, _ in self.records):
                response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _rrset(name: dns.name.Name, ttl: int, kind: str, texts: Sequence[str]) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(name, ttl, "IN", kind, list(texts))


@contextlib.contextmanager
def name_server(records: Records) -> Iterator[NameServer]:
    """Answer questions until the block ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.1)
        server = NameServer(f"127.0.0.1:{sock.getsockname()[1]}", dict(records))
        is_over = threading.Event()

        def serve() -> None:
            while not is_over.is_set():
                try:
                    data, where = sock.recvfrom(4096)
                    if not server.is_silent:
                        sock.sendto(server.answer(data), where)
                except (TimeoutError, ConnectionError, dns.exception.DNSException):
                    continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server
        finally:
            is_over.set()
            thread.join()

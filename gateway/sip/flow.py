"""The way a message came, by which its answer goes back."""

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

__all__ = ["Flow", "Transport", "default_port"]

Transport: TypeAlias = Literal["udp", "tcp", "tls", "ws", "wss"]

_PORTS: Final = {"tls": 5061, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class Flow:
    """A pair of addresses and what joins them; ``id`` tells connections apart.

    Frozen, because transports find their sockets by it.
    """

    transport: Transport
    local: tuple[str, int]
    remote: tuple[str, int]
    id: int = 0
    domain: str = ""  # over TLS, whom the far end must prove to be; empty: its address
    names: tuple[str, ...] = field(default=(), compare=False)  # in its verified certificate

    @property
    def is_reliable(self) -> bool:
        """Whether the transport repeats what is lost, so that we need not."""
        return self.transport != "udp"

    @property
    def is_secure(self) -> bool:
        """Whether nobody on the way can read along."""
        return self.transport in ("tls", "wss")


def default_port(transport: str) -> int:
    """Return the port of a transport where none is named (RFC 3261 section 19.1.2, RFC 7118)."""
    return _PORTS.get(transport, 5060)

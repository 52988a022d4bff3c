"""The way a message came, by which its answer goes back."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Flow", "Transport"]

Transport: TypeAlias = Literal["udp", "tcp", "tls", "ws"]


@dataclass(frozen=True, slots=True)
class Flow:
    """A pair of addresses and what joins them; ``id`` tells connections apart.

    Frozen, because transports find their sockets by it.
    """

    transport: Transport
    local: tuple[str, int]
    remote: tuple[str, int]
    id: int = 0

    @property
    def is_reliable(self) -> bool:
        """Whether the transport repeats what is lost, so that we need not."""
        return self.transport != "udp"

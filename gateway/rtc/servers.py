"""The servers that help to find a way, by their addresses (RFC 7064, RFC 7065)."""

from dataclasses import dataclass, field
from typing import Final, Literal, Self, TypeAlias

from ..config.web import ICE_SERVER
from ..errors import RtcError

__all__ = ["Server", "ServerAddress"]

Scheme: TypeAlias = Literal["stun", "turn", "turns"]

_PORTS: Final = {"stun": 3478, "turn": 3478, "turns": 5349}


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where one is, and how it is spoken to."""

    scheme: Scheme
    host: str
    port: int
    is_tcp: bool = False

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read ``stun:HOST[:PORT]`` or ``turn:HOST[:PORT][?transport=udp|tcp]``.

        Raises:
            RtcError: It is none.

        """
        match = ICE_SERVER.fullmatch(url.strip())
        if match is None or int(match[3] or 1) > 65_535:
            raise RtcError(f"{url[:80]!r} is no STUN or TURN server")
        scheme: Scheme = "stun" if match[1] == "stun" else "turn" if match[1] == "turn" else "turns"
        port = int(match[3]) if match[3] else _PORTS[scheme]
        is_tcp = scheme == "turns" or match[4] == "tcp"
        return cls(scheme, match[2].strip("[]"), port, is_tcp and scheme != "stun")


@dataclass(frozen=True, slots=True)
class Server:
    """One server, under each of its addresses, with what it wants to be shown."""

    urls: tuple[str, ...]
    username: str = ""
    credential: str = field(default="", repr=False)

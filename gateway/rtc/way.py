"""The way of a browser to a lane: found by ICE, keyed by DTLS, with a channel for messages.

All of it is done on the event loop over the lane's own socket.  The lane hands over what is no
sound, and is told where the other side is and under which keys; the packets of sound never come
here.  What nobody signed is not answered; where our own check was not answered, nothing but
checks goes; and no handshake is made with anybody else.
"""

import asyncio
import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ..clock import Ids, RandomIds
from ..rtp.dtls import Identity
from ..rtp.records import is_dtls
from ..rtp.stun import is_stun
from ..sdp.crypto import SrtpKeys
from ..sdp.dtls import Dtls
from ..sdp.ice import Credentials
from .bases import Address
from .finder import Finder, Findings, Local
from .gathering import Gatherer
from .layers import Hearers, Layers
from .servers import Server

__all__ = ["Local", "Way", "WayLane", "WayState", "WayStats", "WayTerms"]

_MOST_HELD: Final = 8
"""Datagrams of a handshake kept from whoever signed a check, until one of ours is answered."""
_SCTP_PORT: Final = 5000
_LONGEST_MESSAGE: Final = 65_536  # RFC 8841 section 6.1


class WayLane(Protocol):
    """What a way needs of the media engine's lane."""

    @property
    def host(self) -> str:
        """The address that sound is received at."""
        ...

    @property
    def port(self) -> int:
        """The port that sound is received at."""
        ...

    @property
    def identity(self) -> Identity:
        """The certificate that handshakes are made with."""
        ...

    def hand_over(self, keeper: Callable[[bytes, Address], None], /) -> None:
        """Give what comes that is no sound to ``keeper``."""
        ...

    def send_datagram(self, data: bytes, address: Address, /) -> None:
        """Send what is no sound."""
        ...

    def settle(self, address: Address, /) -> None:
        """Send sound there, and hear none from anywhere else."""
        ...

    def secure(self, keys: SrtpKeys, /) -> None:
        """Encrypt under these keys."""
        ...


@dataclass(frozen=True, slots=True)
class WayTerms:
    """How ways are found.

    Attributes:
        external_ips: addresses whose port of the same number is forwarded to us.
        servers: STUN and TURN servers.
        is_relay_only: nothing but relays is used, and nothing else is told.
        connect_seconds: how long it may take until there is sound.

    """

    external_ips: Sequence[str] = ()
    servers: Sequence[Server] = ()
    is_relay_only: bool = False
    connect_seconds: float = 15.0


class WayState(enum.Enum):
    """How far a way is."""

    CONNECTING = enum.auto()
    CONNECTED = enum.auto()
    QUIET = enum.auto()
    """Nobody has answered for seconds: it may come back, or be restarted."""
    GONE = enum.auto()


@dataclass(slots=True)
class WayStats:
    """What happened on a way: ``refused`` datagrams led to nothing, ``pair`` is the one in use."""

    refused: int = 0
    bad_candidates: int = 0
    messages_received: int = 0
    messages_sent: int = 0
    messages_dropped: int = 0
    malformed: int = 0
    pair: str = ""
    round_trip: float | None = None


class Way:
    """One way, from its first candidate to its end.

    It takes the lane over where it is made, before anything is negotiated for it.  Call
    :meth:`gather`, then :meth:`connect`.

    Args:
        lane: whose packets take this way.
        terms: how it is found.
        on_state: called with every change of state; ``GONE`` comes once, and then nothing.
        on_open: called when messages can be sent.
        on_message: called with every message of the page.
        label: of the data channel.
        ids: where credentials come from.

    """

    def __init__(
        self,
        lane: WayLane,
        terms: WayTerms,
        *,
        on_state: Callable[[WayState], None],
        on_open: Callable[[], None],
        on_message: Callable[[str], None],
        label: str = "gateway",
        ids: Ids | None = None,
    ) -> None:
        self.state = WayState.CONNECTING
        self.reason = ""
        self._lane = lane
        self._patience = terms.connect_seconds
        self._on_state = on_state
        self._finder = Finder(
            Gatherer(
                (lane.host, lane.port), terms.external_ips, terms.servers, terms.is_relay_only
            ),
            lane.send_datagram,
            ids or RandomIds(),
            Findings(self._found, self._flush, self._hear_quiet, self._end),
            terms.connect_seconds,
        )
        hearers = Hearers(self._secure, on_open, on_message, self._end)
        self._layers = Layers(lane.identity, self._send, hearers, label)
        self._is_keyed = False
        self._asker: Address | None = None  # who shakes hands before a pair was named
        self._held: list[tuple[bytes, Address]] = []
        self._dropped = 0  # datagrams of a handshake from who proved nothing
        self._limit: asyncio.TimerHandle | None = None
        lane.hand_over(self._take)

    @property
    def stats(self) -> WayStats:
        """The figures so far."""
        finder, layers, agent = self._finder, self._layers, self._finder.agent
        stats = WayStats(refused=finder.refusals + layers.dropped + self._dropped)
        if (tunnel := layers.tunnel) is not None:
            stats.messages_received, stats.messages_sent = tunnel.received, tunnel.sent
            stats.messages_dropped = tunnel.dropped + tunnel.surplus
            stats.malformed = tunnel.malformed
        if agent is not None:
            stats.bad_candidates = finder.bad_candidates + agent.bad_candidates
            stats.round_trip = agent.round_trip
            if (pair := agent.chosen) is not None:
                local, remote = pair.local_candidate, pair.remote_candidate
                stats.pair = f"{local.type}/{remote.type} {remote.host}:{remote.port}"
        return stats

    async def gather(self) -> Local:
        """Find out how we can be reached; servers are waited for two seconds at most.

        Raises:
            RtcError: We cannot be, as it was asked for.

        """
        return await self._finder.gather()

    def connect(
        self,
        remote: Credentials,
        dtls: Dtls,
        candidates: Iterable[str] = (),
        *,
        is_lite: bool = False,
        sctp_port: int | None = _SCTP_PORT,
        max_message: int = _LONGEST_MESSAGE,
    ) -> None:
        """Begin to look for the other side and to shake hands with it.

        Args:
            remote: what its checks are signed with.
            dtls: who it is.
            candidates: where it says it is, as values of ``a=candidate``.
            is_lite: it makes no checks.
            sctp_port: of its data channels, ``None`` where it has none.
            max_message: bytes of a message that it takes, 0 for any.

        Raises:
            RtcError: Nothing was gathered, or it is looked for already.

        """
        self._finder.begin(remote, candidates, is_lite=is_lite)
        sctp = None if sctp_port is None else (sctp_port, max_message)
        self._layers.begin(dtls, sctp)
        loop = asyncio.get_running_loop()
        self._limit = loop.call_later(self._patience, self._give_up)

    def add_candidate(self, line: str) -> None:
        """Take in an address that was told later; nothing says that there are no more."""
        self._finder.add_candidate(line)

    def restart(self, remote: Credentials, candidates: Iterable[str] = ()) -> Local:
        """Look for the other side anew, under new credentials of both.

        What is in use stays so until it names a new pair; if it never does, for good.

        Raises:
            RtcError: There is nothing to restart, or it was restarted too often.

        """
        return self._finder.restart(remote, candidates)

    def send(self, message: str) -> bool:
        """Queue a message; ``False`` where there is no channel, or too much waits already."""
        return self._layers.send(message)

    async def close(self) -> None:
        """Say goodbye, and give everything but the lane back."""
        self._end("")
        if self._limit is not None:
            self._limit.cancel()
        await self._layers.close()
        await self._finder.close()

    # What comes from the lane

    def _take(self, data: bytes, source: Address) -> None:
        if is_stun(data):
            self._finder.receive(data, source)
        elif not is_dtls(data):
            self._dropped += 1
        elif self._finder.is_valid(source):
            self._asker = source
            self._layers.receive(data)
        elif self._finder.is_proved(source) and len(self._held) < _MOST_HELD:
            self._held.append((data, source))  # the answer to our own check is on its way
        else:
            self._dropped += 1

    def _flush(self) -> None:
        """Take in what was held, of those who have proved to be there by now."""
        held, self._held = self._held, []
        for data, source in held:
            self._take(data, source)

    def _send(self, data: bytes) -> None:
        to = self._finder.remote or self._asker
        if to is not None:
            self._lane.send_datagram(data, to)

    # What comes of it

    def _found(self, address: Address) -> None:
        self._lane.settle(address)
        self._layers.aim()
        self._advance()

    def _secure(self, keys: SrtpKeys) -> None:
        self._lane.secure(keys)
        self._is_keyed = True
        self._advance()

    def _advance(self) -> None:
        if self.state is WayState.CONNECTING and self._is_keyed and self._finder.remote:
            self._change(WayState.CONNECTED)

    def _hear_quiet(self, is_quiet: bool) -> None:
        if self.state in (WayState.CONNECTED, WayState.QUIET):
            self._change(WayState.QUIET if is_quiet else WayState.CONNECTED)

    def _give_up(self) -> None:
        if self.state is WayState.CONNECTING:
            self._end("it could not be connected in time")

    def _end(self, reason: str) -> None:
        if self.state is not WayState.GONE:
            self.reason = reason
            self._change(WayState.GONE)

    def _change(self, state: WayState) -> None:
        self.state = state
        self._on_state(state)

"""Two ways on a network of their own that loses, delays and translates, in virtual time."""

import asyncio
import random
from collections.abc import Callable

from gateway.rtc.way import Local, Way, WayState, WayTerms
from gateway.rtp.dtls import Identity
from gateway.sdp.crypto import SrtpKeys
from gateway.sdp.dtls import Dtls, Fingerprint
from gateway.testing.loss import Loss

__all__ = ["Address", "Net", "Side", "meet"]

Address = tuple[str, int]
OURS, THEIRS = Identity(), Identity()


class Net:
    """Carries datagrams to whoever is at an address; ``nat`` gives private ones another outside."""

    def __init__(self, loss: Loss | None = None, delay: float = 0.02, seed: int = 1) -> None:
        self.loss = loss or Loss()
        self.delay = delay
        self.nat: dict[Address, Address] = {}
        self.down: set[Address] = set()  # who is cut off
        self.sent: list[tuple[Address, Address, bytes]] = []
        self._at: dict[Address, Callable[[bytes, Address], None]] = {}
        self._rng = random.Random(seed)

    def join(self, address: Address, take: Callable[[bytes, Address], None]) -> None:
        self._at[address] = take

    def carry(self, source: Address, target: Address, data: bytes) -> None:
        self.sent.append((source, target, data))
        if {source, target} & self.down or self.loss.is_next_lost(self._rng):
            return
        if target in self.nat:
            return  # a private address means nothing out here
        inside = {outside: inside for inside, outside in self.nat.items()}
        to, seen = inside.get(target, target), self.nat.get(source, source)
        if to in self.down:
            return
        loop = asyncio.get_running_loop()
        if (take := self._at.get(to)) is not None:
            loop.call_later(self.delay, take, data, seen)


class Lane:
    """What a way needs of a lane."""

    def __init__(self, net: Net, address: Address, identity: Identity) -> None:
        self.net = net
        self.address = address
        self.identity = identity
        self.settled: list[Address] = []
        self.keys: list[SrtpKeys] = []
        self.keeper: Callable[[bytes, Address], None] = lambda data, source: None

    @property
    def host(self) -> str:
        return self.address[0]

    @property
    def port(self) -> int:
        return self.address[1]

    def hand_over(self, keeper: Callable[[bytes, Address], None]) -> None:
        self.keeper = keeper
        self.net.join(self.address, lambda data, source: self.keeper(data, source))

    def send_datagram(self, data: bytes, address: Address) -> None:
        self.net.carry(self.address, address, data)

    def settle(self, address: Address) -> None:
        self.settled.append(address)

    def secure(self, keys: SrtpKeys) -> None:
        self.keys.append(keys)


class Side:
    """One way, and what it has told."""

    def __init__(
        self, net: Net, address: Address, identity: Identity = OURS, terms: WayTerms | None = None
    ) -> None:
        self.lane = Lane(net, address, identity)
        self.states: list[tuple[WayState, float]] = []
        self.messages: list[str] = []
        self.opened = asyncio.Event()
        self.changed = asyncio.Event()
        self.way = Way(
            self.lane,
            terms or WayTerms(),
            on_state=self._change,
            on_open=self.opened.set,
            on_message=self.messages.append,
        )

    def _change(self, state: WayState) -> None:
        self.states.append((state, asyncio.get_running_loop().time()))
        self.changed.set()

    async def reach(self, state: WayState, within: float = 60.0) -> float:
        """Wait for a state; return when it came."""
        async with asyncio.timeout(within):
            while True:
                for told, at in self.states:
                    if told is state:
                        return at
                self.changed.clear()
                await self.changed.wait()

    def dtls(self, *, is_client: bool) -> Dtls:
        """Return how the other side is to shake hands with this one."""
        return Dtls(frozenset([Fingerprint(*self.lane.identity.digest)]), is_client)


async def meet(
    ours: Side, page: Side, *, told: list[str] | None = None, hears: bool = True
) -> tuple[Local, Local]:
    """Describe both sides to each other; ``told`` is what the page says of where it is.

    The page names the pair and begins the handshake, as browsers do.
    """
    here, there = await ours.way.gather(), await page.way.gather()
    assert page.way._finder.agent is not None
    page.way._finder.agent.ice_controlling = True
    candidates = there.candidates if told is None else told
    ours.way.connect(there.credentials, page.dtls(is_client=False), candidates)
    if hears:
        page.way.connect(here.credentials, ours.dtls(is_client=True), here.candidates, is_lite=True)
    return here, there

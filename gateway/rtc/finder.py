"""Finding the other side, and finding it again: ICE over one lane's socket, and restarts of it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Final

from aioice.ice import CandidatePair

from ..clock import Ids
from ..errors import RtcError
from ..sdp.ice import Credentials, new_credentials
from .agent import Agent, lane_address
from .bases import Address, Base
from .gathering import Gatherer
from .relay import Relay

__all__ = ["Finder", "Findings", "Local"]

_MOST_RESTARTS: Final = 64
_MOST_RESTARTS_UNFOUND: Final = 2
"""Until somebody has answered: each costs packets to whoever the other side names."""
_LAST_WORDS: Final = 0.05
"""Seconds that what was sent has, to get over a relay before that is given back."""


@dataclass(frozen=True, slots=True)
class Local:
    """What the other side is to be told of us; a candidate is the value of its attribute."""

    credentials: Credentials
    candidates: list[str]


@dataclass(frozen=True, slots=True)
class Findings:
    """Who is told what: where to send, that an address is proved, silence, and the end."""

    on_found: Callable[[Address], None]
    on_proved: Callable[[], None]
    on_quiet: Callable[[bool], None]
    on_lost: Callable[[str], None]


class Finder:
    """One agent, or after a restart two: the pair in use stays until the next one names another.

    ``patience`` is how many seconds an agent may take.
    """

    def __init__(
        self,
        gatherer: Gatherer,
        send: Callable[[bytes, Address], None],
        ids: Ids,
        findings: Findings,
        patience: float,
    ) -> None:
        self.remote: Address | None = None  # as the lane sees it
        self.refused = 0  # what came before there was anybody to check it, or of former agents
        self.bad_candidates = 0  # told to former agents
        self._gatherer = gatherer
        self._send = send
        self._ids = ids
        self._findings = findings
        self._patience = patience
        self._lane: Base | None = None
        self._relays: list[Relay] = []
        self._bases: list[Base] = []  # that packets may leave from
        self._in_use: Agent | None = None
        self._latest: Agent | None = None
        self._restarts = 0
        self._searches: set[asyncio.Task[None]] = set()
        self._farewells: set[asyncio.Task[None]] = set()

    @property
    def agent(self) -> Agent | None:
        """The one whose pair is in use, or else the one that looks for one."""
        return self._in_use or self._latest

    @property
    def refusals(self) -> int:
        """Datagrams that led to nothing, or were not sent to who never answers."""
        bases = {one for one in (self._lane, *self._bases) if one is not None}
        refused = self.refused + sum(one.refused + one.withheld for one in bases)
        return refused + sum(one.refused for one in self._agents)

    async def gather(self) -> Local:
        """Find out how we can be reached.

        Raises:
            RtcError: We cannot be.

        """
        self._lane = lane = Base(self._gatherer.hosts(), self._send)
        await self._gatherer.ask(lane, self._relays)
        self._bases = [*self._relays] if self._gatherer.is_relay_only else [lane, *self._relays]
        if not self._bases:
            raise RtcError("there is no relay, and nothing else may be used")
        return self._renew()

    def begin(self, remote: Credentials, candidates: Iterable[str], *, is_lite: bool) -> None:
        """Look for the other side.

        Raises:
            RtcError: Nothing was gathered, or it is looked for already.

        """
        agent = self._latest
        if agent is None or agent.remote_username is not None:
            raise RtcError("nothing was gathered, or the way is looked for already")
        agent.ice_controlling, agent.remote_is_lite = is_lite, is_lite
        agent.begin(remote)
        for line in candidates:
            self.add_candidate(line)
        _keep(self._searches, self._connect(agent))

    def restart(self, remote: Credentials, candidates: Iterable[str]) -> Local:
        """Look again, for the other side under new credentials, with new ones of ours.

        Raises:
            RtcError: It was not looked for yet, or all too often.

        """
        former = self._latest
        most = _MOST_RESTARTS_UNFOUND if self.remote is None else _MOST_RESTARTS
        if former is None or former.remote_username is None or self._restarts >= most:
            raise RtcError("there is nothing to restart, or it was restarted too often")
        self._restarts += 1
        local = self._renew()
        if former is not self._in_use:
            self._forget(former)
        self.begin(remote, candidates, is_lite=former.remote_is_lite)
        return local

    def add_candidate(self, line: str) -> None:
        """Take in an address that was told later."""
        if line and self._latest is not None:
            self._latest.add_candidate(line)

    def receive(self, data: bytes, source: Address) -> None:
        """Take in STUN that came to the lane."""
        if self._lane is None:
            self.refused += 1
        else:
            self._lane.receive(data, source)

    def is_proved(self, address: Address) -> bool:
        """Say whether a signed check came from there, as the lane sees it."""
        return any(one.is_proved(address) for one in self._agents)

    def is_valid(self, address: Address) -> bool:
        """Say whether who is there answered a check of ours too."""
        return address == self.remote or any(address in one.valid for one in self._agents)

    async def close(self) -> None:
        """Give everything back."""
        for task in self._searches:
            task.cancel()
        agents, self._in_use, self._latest = self._agents, None, None
        for agent in agents:
            self._forget(agent)
        if tasks := self._searches | self._farewells:
            await asyncio.wait(tasks)
        if self._relays:
            await asyncio.sleep(_LAST_WORDS)
        for relay in self._relays:
            await relay.close()

    @property
    def _agents(self) -> list[Agent]:
        both = [self._in_use, self._latest]
        return [one for n, one in enumerate(both) if one is not None and one not in both[:n]]

    def _renew(self) -> Local:
        """Make an agent with credentials of its own."""
        credentials = new_credentials(self._ids)
        self._latest = agent = Agent(
            self._bases,
            credentials,
            on_chosen=lambda pair: self._choose(agent, pair),
            on_valid=self._findings.on_proved,
            on_quiet=lambda is_quiet: self._hear_quiet(agent, is_quiet),
            on_lost=lambda: self._lose(agent),
        )
        lines = [one.to_sdp() for base in self._bases for one in base.candidates]
        return Local(credentials, lines)

    async def _connect(self, agent: Agent) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await agent.connect()
        except (TimeoutError, ConnectionError):
            self._lose(agent)

    def _choose(self, agent: Agent, pair: CandidatePair) -> None:
        """Send where an agent says, if there is no later one that has found a pair."""
        former = self._in_use
        if former is not agent:
            if agent is not self._latest:
                return
            self._in_use = agent
            if former is not None:
                self._forget(former)
        self.remote = lane_address(pair)
        self._findings.on_found(self.remote)

    def _hear_quiet(self, agent: Agent, is_quiet: bool) -> None:
        if agent is self._in_use:
            self._findings.on_quiet(is_quiet)

    def _lose(self, agent: Agent) -> None:
        """Give an agent up; without another one that is the end."""
        is_alone = self._agents == [agent]
        if agent is self._latest and is_alone:
            reason = "no way to the other side was found in time"
            was_found = agent is self._in_use
            self._findings.on_lost("the other side fell silent" if was_found else reason)
        elif agent is self._latest:
            self._latest = self._in_use
            self._forget(agent)
        elif agent is self._in_use:
            self._in_use = None
            self._forget(agent)

    def _forget(self, agent: Agent) -> None:
        self.refused += agent.refused
        self.bad_candidates += agent.bad_candidates
        _keep(self._farewells, agent.close())


def _keep(tasks: set[asyncio.Task[None]], doing: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(doing)
    tasks.add(task)
    task.add_done_callback(tasks.discard)

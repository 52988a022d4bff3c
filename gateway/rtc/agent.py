"""ICE for one pair of credentials (RFC 8445, RFC 8838), by aioice, over bases that it is given.

aioice finds the pairs, checks them and follows what the other side names; the sockets are not its
own.  What is added here: bounds on what the other side may cause, names instead of addresses left
alone (who hides behind one reaches us first), pairs that are named after the first one, and word
of a side that falls silent.
"""

import asyncio
import contextlib
import hmac
import ipaddress
from collections.abc import Callable, Sequence
from typing import Final

import aioice
from aioice import Candidate, stun
from aioice.ice import CandidatePair, candidate_pair_priority

from ..rtp.stun import Message
from ..sdp.ice import Credentials
from .bases import Address, Base, Endpoint

__all__ = ["Agent"]

MOST_CANDIDATES: Final = 24
"""Addresses of the other side, told or found out; each costs packets to whoever is there."""
ASK_INTERVAL: Final = 2.5
"""Seconds between two questions whether the other side is there (RFC 7675)."""
QUIET: Final = 2
"""Questions in a row without an answer after which it is said to be quiet."""
LOST: Final = 30.0
"""Seconds without an answer after which it is said to be lost (RFC 7675 section 5.1)."""
_AGAIN: Final = 0.1
_ALL: Final = 1  # component: reports share the port of the sound
_HIGHEST_PORT: Final = 65_535


class Agent(aioice.Connection):
    """Finds the way to the other side, and follows when it names another.

    Args:
        bases: where our packets leave from.
        credentials: ours.
        is_controlling: we name the pair, because the other side makes no checks.
        on_chosen: called with each pair that packets are to take from now on.
        on_valid: called when the other side of one more pair has answered a check of ours.
        on_quiet: called when nobody answers any more, and when somebody does again.
        on_lost: called once, when nobody has answered for long.

    """

    def __init__(
        self,
        bases: Sequence[Base],
        credentials: Credentials,
        *,
        is_controlling: bool = False,
        on_chosen: Callable[[CandidatePair], None],
        on_valid: Callable[[], None],
        on_quiet: Callable[[bool], None],
        on_lost: Callable[[], None],
    ) -> None:
        super().__init__(
            is_controlling,
            local_username=credentials.ufrag,
            local_password=credentials.password,
        )
        self.refused = 0  # checks that were one too many, or cannot be followed
        self.bad_candidates = 0  # that cannot be read, or were one too many
        self.round_trip: float | None = None  # seconds
        self.is_quiet = False
        self._proved: set[Address] = set()  # as the lane sees them
        self._on_chosen = on_chosen
        self._on_valid = on_valid
        self._on_quiet = on_quiet
        self._on_lost = on_lost
        self._doubted: CandidatePair | None = None  # worse than the one in use, named once
        self._protocols = [Endpoint(self, base) for base in bases]
        self._local_candidates = [one for base in bases for one in base.candidates]
        self._local_candidates_start = self._local_candidates_end = True

    @property
    def chosen(self) -> CandidatePair | None:
        """The pair that packets take."""
        pair: CandidatePair | None = self._nominated.get(_ALL)
        return pair

    @property
    def valid(self) -> set[Address]:
        """Whose address is proved, as the lane sees it: they answered a check of ours."""
        done = CandidatePair.State.SUCCEEDED
        return {lane_address(pair) for pair in self._check_list if pair.state is done}

    def is_proved(self, address: Address) -> bool:
        """Say whether a signed check came from there; ``address`` is as the lane sees it."""
        return address in self._proved

    def add_candidate(self, line: str) -> None:
        """Take in an address of the other side, as descriptions write it."""
        try:
            candidate = Candidate.from_sdp(line.removeprefix("a=").removeprefix("candidate:"))
            address = ipaddress.ip_address(candidate.host)
        except ValueError:
            self.bad_candidates += ".local " not in line
            return
        is_ours = candidate.transport.lower() == "udp" and candidate.component == _ALL
        if not is_ours:
            return
        is_nowhere = address.is_multicast or address.is_unspecified or address.is_reserved
        is_foreign = address.is_loopback and not self._is_local
        has_room = len(self._remote_candidates) < MOST_CANDIDATES
        if is_nowhere or is_foreign or not has_room or not 0 < candidate.port <= _HIGHEST_PORT:
            self.bad_candidates += 1
            return
        self._add_remote_candidate(candidate, candidate.host)

    @property
    def _is_local(self) -> bool:
        return any(ipaddress.ip_address(one.host).is_loopback for one in self._local_candidates)

    def begin(self, remote: Credentials) -> None:
        """Say who the other side is, before :meth:`connect`."""
        self.remote_username, self.remote_password = remote.ufrag, remote.password

    async def connect(self) -> None:
        """Find a way.

        Raises:
            ConnectionError: The agent was closed.

        """
        await super().connect()
        for pair in self._check_list:  # whose checks were broken off: they may be named yet
            if pair.state is CandidatePair.State.IN_PROGRESS:
                pair.state, pair.task = CandidatePair.State.FROZEN, None

    def is_signed(self, message: Message) -> bool:
        """Say whether a check was made with our password, under both sides' names."""
        username = str(message.attributes.get("USERNAME", ""))
        ours, _, theirs = username.partition(":")
        is_ours = hmac.compare_digest(ours.encode(), self.local_username.encode())
        is_ours = is_ours and self.remote_username in (None, theirs)
        return is_ours and message.check_message_integrity(self.local_password.encode())

    def hear_check(self, message: Message, source: Address, endpoint: Endpoint) -> bool:
        """Answer a signed check and follow it, unless it is one too many."""
        told = {(one.host, one.port) for one in self._remote_candidates}
        has_room = source in told or len(told) < MOST_CANDIDATES
        if self._closing or not has_room or "PRIORITY" not in message.attributes:
            self.refused += 1
            return True
        self.request_received(message, source, endpoint)
        self._proved.add(endpoint.base.lane_address_of(source))
        return True

    def check_complete(self, pair: CandidatePair) -> None:
        """Follow what a check came to: a better pair at once, a worse one when named again.

        Some name every pair that works and mean the best, others the one they have moved to.
        """
        before = self.chosen
        super().check_complete(pair)
        if pair.state is CandidatePair.State.SUCCEEDED:
            self._on_valid()
        if self.chosen is not pair:
            return
        if before is pair:
            self._doubted = None
        elif before is None or pair is self._doubted or self._rank(pair) > self._rank(before):
            self._doubted = None
            self._on_chosen(pair)
        else:
            self._doubted = pair
            self._nominated[_ALL] = before

    def _rank(self, pair: CandidatePair) -> int:
        return candidate_pair_priority(
            pair.local_candidate, pair.remote_candidate, self.ice_controlling
        )

    async def query_consent(self) -> None:
        """Ask now and then whether the other side is there; while it does not answer, at once."""
        loop = asyncio.get_running_loop()
        unanswered, answered_at = 0, loop.time()
        while True:
            await asyncio.sleep(_AGAIN if unanswered else ASK_INTERVAL)
            if await self._is_answered():
                unanswered, answered_at = 0, loop.time()
                self._tell_quiet(False)
                continue
            unanswered += 1
            if unanswered >= QUIET:
                self._tell_quiet(True)
            if loop.time() - answered_at >= LOST:
                self._on_lost()
                return

    def _tell_quiet(self, is_quiet: bool) -> None:
        if is_quiet != self.is_quiet:
            self.is_quiet = is_quiet
            self._on_quiet(is_quiet)

    async def _is_answered(self) -> bool:
        pair = self.chosen
        if pair is None:
            return False
        loop, key = asyncio.get_running_loop(), (self.remote_password or "").encode()
        request, asked_at = self.build_request(pair, nominate=False), loop.time()
        with contextlib.suppress(stun.TransactionError):
            _, source = await pair.protocol.request(
                request, pair.remote_addr, integrity_key=key, retransmissions=1
            )
            self.round_trip = loop.time() - asked_at
            return bool(source == pair.remote_addr)
        return False


def lane_address(pair: CandidatePair) -> Address:
    """Return under which address a lane meets the other side of a pair."""
    endpoint = pair.protocol
    assert isinstance(endpoint, Endpoint)
    return endpoint.base.lane_address_of(pair.remote_addr)

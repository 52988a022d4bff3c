"""What the packets of a connection leave from: a base, as ICE calls it (RFC 8445 section 5).

The socket of a lane is one, whatever addresses the machine has; each TURN allocation is another.
A base lasts as long as the connection; its agents come and go, one for each pair of credentials.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aioice import Candidate
from aioice.ice import StunProtocol

from ..errors import RtpError
from ..rtp.stun import Class, Message, Method, ends_with_fingerprint, parse

if TYPE_CHECKING:
    from .agent import Agent

__all__ = ["Address", "Base", "Endpoint"]

Address: TypeAlias = tuple[str, int]

_MOST_REPEATS: Final = 4
"""Times a check is sent again, over 15 seconds: who named an address need not live there."""
MOST_IN_VAIN: Final = 600
"""Questions to addresses that have never answered one, over all restarts: nobody asked for them."""
_QUESTION: Final = b"\x00\x01"


class _Carrier:
    """A base as aioice's protocol wants to see its transport."""

    def __init__(self, endpoint: "Endpoint") -> None:
        self.sendto = endpoint.base.carry
        self._endpoint = endpoint

    def close(self) -> None:
        self._endpoint.base.endpoints.discard(self._endpoint)
        self._endpoint.connection_lost(None)

    def get_extra_info(self, name: str, default: object = None) -> object:
        del name
        return default


class Endpoint(StunProtocol):
    """One agent's part of a base; without an agent it asks servers."""

    def __init__(self, agent: "Agent | None", base: "Base") -> None:
        receiver: Any = agent
        super().__init__(receiver)
        self.agent = agent
        self.base = base
        self.local_candidate = base.candidates[0]
        carrier: Any = _Carrier(self)
        self.connection_made(carrier)
        base.endpoints.add(self)

    async def request(
        self,
        request: Message,
        addr: Address,
        integrity_key: bytes | None = None,
        retransmissions: int | None = None,
    ) -> tuple[Message, Address]:
        """Ask, and wait for the answer; a few times, if not said how often."""
        repeats = _MOST_REPEATS if retransmissions is None else retransmissions
        return await super().request(request, addr, integrity_key, repeats)

    def hear_answer(self, message: Message, source: Address) -> bool:
        """Take in an answer, if it is to a question of ours."""
        transaction = self.transactions.get(message.transaction_id)
        if transaction is None:
            return False
        transaction.response_received(message, source)
        return True


class Base:
    """An address of ours, known under some candidates, the best first.

    ``send`` sends a datagram from there.
    """

    def __init__(
        self, candidates: Sequence[Candidate], send: Callable[[bytes, Address], None]
    ) -> None:
        self.candidates = list(candidates)
        self.send = send
        self.endpoints: set[Endpoint] = set()
        self.refused = 0  # what is no STUN, not signed, or no answer to anything
        self.withheld = 0  # questions that were one too many
        self._answered: set[Address] = set()
        self._unanswered: Counter[Address] = Counter()  # questions to others
        self._in_vain = 0  # all of these

    def carry(self, data: bytes, peer: Address) -> None:
        """Send what is said to a peer; strangers are asked so often, and no more."""
        if data.startswith(_QUESTION) and peer not in self._answered:
            if self._in_vain >= MOST_IN_VAIN:
                self.withheld += 1
                return
            self._unanswered[peer] += 1
            self._in_vain += 1
        self.send(data, peer)

    def receive(self, data: bytes, source: Address) -> None:
        """Take in STUN; what nobody signed is not answered, and changes nothing."""
        try:
            message = parse(data)
        except RtpError:
            self.refused += 1
            return
        kind = message.message_class
        if message.message_method is not Method.BINDING:
            is_taken = False
        elif kind is Class.REQUEST:
            is_taken = ends_with_fingerprint(data) and self._hear_check(message, source)
        elif kind is Class.INDICATION:
            is_taken = True  # a keep-alive
        else:
            is_taken = any(one.hear_answer(message, source) for one in self.endpoints)
            if is_taken:
                self._answered.add(source)
                self._in_vain -= self._unanswered.pop(source, 0)
        self.refused += not is_taken

    def _hear_check(self, message: Message, source: Address) -> bool:
        for endpoint in self.endpoints:
            agent = endpoint.agent
            if agent is not None and agent.is_signed(message):
                return agent.hear_check(message, source, endpoint)
        return False

    def lane_address_of(self, peer: Address) -> Address:
        """Return under which address a lane meets a peer that is reached from here."""
        return peer

    async def ask(self, server: Address) -> Address:
        """Return the address that a STUN server sees us at.

        Raises:
            OSError: It does not say.
            aioice.stun.TransactionError: The same.

        """
        endpoint = Endpoint(None, self)
        try:
            answer, source = await endpoint.request(Message(Method.BINDING, Class.REQUEST), server)
        finally:
            self.endpoints.discard(endpoint)
        seen = answer.attributes.get("XOR-MAPPED-ADDRESS")
        if seen is None or source != server:
            raise OSError("no answer that tells an address")
        return str(seen[0]), int(seen[1])

"""A way to a browser without a network: it takes down what it is asked, and tells what it is told.

Example:
    ::

        way = NotedWay()
        connection = WebConnection(offer, lane, way.made, ids, on_over)
        await connection.prepare()
        way.come()                      # there is sound, and messages can go
        way.hear('{"type":"key","key":"5"}')
        way.go("the other side is gone")

"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..errors import RtcError
from ..rtc.way import Local, WayState
from ..sdp.dtls import Dtls
from ..sdp.ice import Credentials

__all__ = ["NotedWay"]


@dataclass
class NotedWay:
    """Stands in the place of a way.

    Attributes:
        candidates: where it says that we are.
        remotes: whom it was to look for, each time.
        tried: the addresses that it was given besides.
        sent: the messages that went.
        is_closed: it was told to.
        is_full: it takes no message.
        fault: why there is no way at all.

    """

    candidates: list[str] = field(
        default_factory=lambda: ["1 1 udp 2130706431 192.0.2.2 40000 typ host"]
    )
    remotes: list[Credentials] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    is_closed: bool = False
    is_full: bool = False
    fault: str = ""
    reason: str = ""
    generation: int = 0
    on_state: Callable[[WayState], None] = field(default=lambda state: None)
    on_open: Callable[[], None] = field(default=lambda: None)
    on_message: Callable[[str], None] = field(default=lambda text: None)

    def made(
        self,
        on_state: Callable[[WayState], None],
        on_open: Callable[[], None],
        on_message: Callable[[str], None],
    ) -> "NotedWay":
        """Be the way of a connection."""
        self.on_state, self.on_open, self.on_message = on_state, on_open, on_message
        return self

    async def gather(self) -> Local:
        """Say where we are."""
        return self._local()

    def connect(
        self,
        remote: Credentials,
        dtls: Dtls,
        candidates: Sequence[str],
        /,
        *,
        sctp_port: int | None,
        max_message: int,
    ) -> None:
        """Note for whom is looked."""
        del dtls, sctp_port, max_message
        self.remotes.append(remote)
        self.tried += candidates

    def add_candidate(self, candidate: str) -> None:
        """Note another address."""
        self.tried.append(candidate)

    def restart(self, remote: Credentials, candidates: Sequence[str]) -> Local:
        """Note for whom is looked anew."""
        local = self._local()
        self.remotes.append(remote)
        self.tried += candidates
        return local

    def send(self, text: str) -> bool:
        """Note a message, if there is room."""
        if not self.is_full:
            self.sent.append(text)
        return not self.is_full

    async def close(self) -> None:
        """Note the end."""
        self.is_closed = True

    def come(self) -> None:
        """Have sound, and then messages, go both ways."""
        self.on_state(WayState.CONNECTED)
        self.on_open()

    def hear(self, message: str) -> None:
        """Have the page say something."""
        self.on_message(message)

    def go(self, reason: str) -> None:
        """Have the page be gone."""
        self.reason = reason
        self.on_state(WayState.GONE)

    def _local(self) -> Local:
        if self.fault:
            raise RtcError(self.fault)
        self.generation += 1
        return Local(Credentials(f"ours{self.generation}", "p" * 24), self.candidates)

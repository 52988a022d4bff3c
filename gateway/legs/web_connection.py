"""A browser's connection: its offer, a lane for its sound, a way there and a data channel.

Whose it is does not matter here: a caller's and that of somebody who listens in are made alike.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Protocol, TypeAlias

from ..clock import Ids
from ..errors import NegotiationError
from ..media.lane import Lane
from ..rtc.way import Local, WayState
from ..sdp.browser import BrowserOffer, Ours
from ..sdp.dtls import Dtls
from ..sdp.fragment import IceFragment
from ..sdp.ice import Credentials
from ..sdp.negotiate import Negotiated
from .web_events import Connected, Disconnected, MessageCame, WebEvent

__all__ = ["MakeWay", "WebConnection", "WebWay"]

_MOST_WAITING: Final = 64  # messages until the channel opens; the oldest goes first
_PATIENCE: Final = 3.0  # seconds for a page that is to learn why nobody answers it
_GOODBYE: Final = 2.0  # seconds for a way to close in


class WebWay(Protocol):
    """What a connection needs of the way to its browser (:class:`~gateway.rtc.way.Way`)."""

    reason: str

    async def gather(self) -> Local:
        """Return where we can be reached."""
        ...

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
        """Begin to look for the other side."""
        ...

    def add_candidate(self, candidate: str, /) -> None:
        """Try one more address."""
        ...

    def restart(self, remote: Credentials, candidates: Sequence[str], /) -> Local:
        """Look for the other side anew."""
        ...

    def send(self, text: str, /) -> bool:
        """Send a message, if the channel can take it."""
        ...

    async def close(self) -> None:
        """Say goodbye."""
        ...


MakeWay: TypeAlias = Callable[
    [Callable[[WayState], None], Callable[[], None], Callable[[str], None]], WebWay
]
"""Makes a way of what is told of its state, of the channel's opening, and of each message."""


class WebConnection:
    """One browser's; :meth:`prepare` it, then :meth:`listen`.

    Args:
        offer: The browser's.
        lane: For its sound; closed with the connection.
        make_way: Makes the way to it.
        ids: Where names come from that nobody guesses.
        on_over: Called once, when it can be changed no more.
        begin: Has a goodbye said, beside all else.

    Attributes:
        id: Who knows it may change or end the connection.
        entity_tag: What the present generation of addresses is called.
        negotiated: What both sides agreed on.
        answer: Ours to the offer.
        unsent: Messages for which the page had no channel, or no time.

    """

    negotiated: Negotiated

    def __init__(
        self,
        offer: BrowserOffer,
        lane: Lane,
        make_way: MakeWay,
        ids: Ids,
        on_over: Callable[["WebConnection"], None],
        begin: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self.id = ids.token(128)
        self.entity_tag = ids.token()
        self.answer = b""
        self.unsent = 0
        self.lane = lane
        self.is_connected = False
        self._offer = offer
        self._remote = offer.remote
        self._former: set[str] = set()  # names it had before
        self._ids = ids
        self._on_over = on_over
        self._begin = begin
        self._way = make_way(self._on_state, self._on_open, self._on_message)
        self._on_event: Callable[[WebEvent], None] = _nobody
        self._opened = asyncio.Event()
        self._waiting: deque[str] = deque()
        self._is_over = False
        self._end_seconds = 0.0  # that a page which leaves may wait
        self._let_go = asyncio.Event()

    async def prepare(self) -> None:
        """Find out where we can be reached, agree to the offer, and begin to connect.

        Raises:
            RtcError: We have no address that may be told.

        """
        local = await self._way.gather()
        offer = self._offer
        self.negotiated = offer.agree(local.credentials)
        self.lane.configure(self.negotiated, self._lose)
        ours = Ours(
            self.lane.fingerprint,
            local.credentials,
            tuple(local.candidates),
            self.lane.ssrc,
            self.lane.cname,
            self._ids.number(1 << 62),
        )
        self.answer = offer.answer(ours)
        channel = offer.channel
        self._way.connect(
            offer.remote,
            offer.dtls,
            offer.candidates,
            sctp_port=channel.port if channel is not None else None,
            max_message=channel.largest if channel is not None else 0,
        )

    def listen(self, on_event: Callable[[WebEvent], None]) -> None:
        """Have ``on_event`` told what happens from now on; for the turn that prepared it."""
        self._on_event = on_event

    def send(self, text: str) -> None:
        """Send the page a message, once its channel is open."""
        if self._is_over or self._offer.channel is None:
            self.unsent += 1
        elif self._opened.is_set():
            self.unsent += not self._way.send(text)
        else:
            if len(self._waiting) == _MOST_WAITING:
                self._waiting.popleft()
                self.unsent += 1
            self._waiting.append(text)

    def change(self, body: bytes, *, is_any: bool) -> bytes | None:
        """Take in a fragment: more addresses, or new credentials (RFC 9725 section 4.3).

        ``is_any`` says that it is meant for whatever generation there is: only then may it begin
        another, which is answered by a fragment of ours.

        Raises:
            SdpError: It cannot be read.
            NegotiationError: It begins anew what it says it knows, or is of a search that is over;
                ``status`` is the HTTP answer.
            RtcError: Nothing can be begun anew now.

        """
        fragment = IceFragment.parse(body, self._offer.tag)
        remote = fragment.credentials
        if remote is not None and remote.ufrag in self._former:
            raise NegotiationError("that search is over: it was begun anew", status=409)
        if remote is not None and remote.ufrag != self._remote.ufrag:
            if not is_any:
                raise NegotiationError(
                    'new credentials begin the search anew: say If-Match: "*"', status=422
                )
            return self._begin_anew(remote, fragment)
        for candidate in fragment.candidates:
            self._way.add_candidate(candidate)
        return None

    def close(self, reason: str = "", *, is_explained: bool = False) -> None:
        """End it; ``Disconnected`` follows, and the lane is closed.

        ``is_explained`` says that messages wait which tell the page why: one that is not there
        yet is given a moment.
        """
        if self._is_first_end():
            self._begin(self._part(reason, is_explained=is_explained))

    def hold_end(self, seconds: float) -> None:
        """Have a page that leaves wait for :meth:`let_go`, at most for so long."""
        self._end_seconds = seconds

    def let_go(self) -> None:
        """Let a page that leaves go: all that is to be kept of it is."""
        self._let_go.set()

    def leave(self) -> None:
        """End it because the page asks for it."""
        if self._is_first_end():
            self._on_event(Disconnected("hung up", has_left=True))
            self._begin(self._clear_away())

    async def released(self) -> None:
        """Wait until a page that has left may be told that we know of it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._end_seconds):
                await self._let_go.wait()

    def _begin_anew(self, remote: Credentials, fragment: IceFragment) -> bytes:
        local = self._way.restart(remote, fragment.candidates)
        self._former.add(self._remote.ufrag)
        self._remote = remote
        self.entity_tag = self._ids.token()
        ours = IceFragment(local.credentials, tuple(local.candidates), is_complete=True)
        return ours.written(self._offer.tag, self._offer.tagged)

    def _on_state(self, state: WayState) -> None:
        if state is WayState.GONE:
            self._lose(self._way.reason)
        elif state is WayState.CONNECTED and not (self.is_connected or self._is_over):
            self.is_connected = True
            self._on_event(Connected())

    def _on_open(self) -> None:
        self._opened.set()
        while self._waiting:
            self.unsent += not self._way.send(self._waiting.popleft())

    def _on_message(self, text: str) -> None:
        if not self._is_over:
            self._on_event(MessageCame(text))

    def _lose(self, reason: str) -> None:
        self.close(reason or "the page is gone")

    def _is_first_end(self) -> bool:
        is_first, self._is_over = not self._is_over, True
        if is_first:
            self._on_over(self)
        return is_first

    async def _part(self, reason: str, *, is_explained: bool) -> None:
        if is_explained and self._offer.channel is not None and not self._opened.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    await self._opened.wait()
        await self._clear_away()
        self._on_event(Disconnected(reason))

    async def _clear_away(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await self._way.close()
        self.lane.close()


def _nobody(_event: WebEvent) -> None:
    """Nothing has happened yet that anybody could be told."""

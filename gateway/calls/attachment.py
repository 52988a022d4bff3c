"""What attaches a call to the service: one link at a time, and the sound that waits for the next.

A call outlives its links.  Each :meth:`Attachment.connect` makes a link object of its own; what
a link says after another took its place is heard by nobody.  From the loss of a link until the
service listens again the caller's voice is kept, so that what they say meanwhile reaches the
next session first.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final, Protocol, TypeAlias

import structlog

from ..control.events import Transport
from ..errors import GatewayError, LinkError
from ..realtime.commands import ClientEvent
from ..realtime.events import ServerEvent, Unknown
from ..realtime.link import Link, OnClosed, OnEvent

__all__ = ["Attachment", "MakeLink", "OnAudio"]

OnAudio: TypeAlias = Callable[[bytes], None]
MakeLink: TypeAlias = Callable[[OnEvent, OnClosed, OnAudio], Link]

_CLOSE_SECONDS: Final = 5.0  # the longest wait for the service's goodbye
_HELD_SECONDS: Final = 10.0  # of the caller's voice; the oldest is given up first
_CHUNK_SECONDS: Final = 0.020
_CATCH_UP: Final = 4  # chunks for each that comes, where sound flows in real time
_MOST_EARLY: Final = 1000  # events of a link that is not yet up


class Owner(Protocol):
    """Who is told what becomes of the links."""

    def on_link(self, event: ServerEvent | Unknown) -> None:
        """Take an event of the service."""
        ...

    def on_link_ready(self) -> None:
        """Take the news that a link is up; what it says comes after."""
        ...

    def on_link_lost(self, fault: LinkError) -> None:
        """Take the end of the present link, or of the attempt to make one."""
        ...

    def on_speech(self, sound: bytes) -> None:
        """Take a piece of the service's voice, where the link itself carries it."""
        ...


@dataclass(slots=True, eq=False)
class _Attempt:
    """One link, from the first try to reach the service to its end."""

    link: Link | None = None
    task: asyncio.Task[None] | None = None
    early: list[ServerEvent | Unknown] | None = None  # None once the link is up


class Attachment:
    """The present link of one call; everything here happens on the event loop.

    Args:
        make_link: Makes a link that is not yet connected.
        owner: Who is told.
        transport: What the links are made of.
        seconds: How long one attempt to reach the service may take.

    """

    def __init__(
        self, make_link: MakeLink, owner: Owner, *, transport: Transport, seconds: float
    ) -> None:
        self._make_link = make_link
        self._owner = owner
        self._seconds = seconds
        self._is_paced = transport == "webrtc"
        self._current: _Attempt | None = None
        self._partings: set[asyncio.Task[None]] = set()
        self._is_listening = False  # the service is to hear the caller
        self._holds = False  # it was, once: what it misses is kept
        self._held: deque[bytes] = deque()
        self._counts: Counter[str] = Counter()  # of links that are gone, and our own
        self._log = structlog.get_logger()

    @property
    def stats(self) -> dict[str, int]:
        """What went over all links so far, and how many there were."""
        counts = Counter(self._counts)
        if self._current is not None and self._current.link is not None:
            counts.update(asdict(self._current.link.stats))
        return dict(counts)

    def connect(self) -> None:
        """Reach for the service anew; the present link, if there is one, is let go."""
        self._part()
        self._counts["connections"] += 1
        attempt = self._current = _Attempt(early=[])
        attempt.task = asyncio.create_task(self._reach(attempt), name="link")

    def disconnect(self, *, for_good: bool = True) -> None:
        """Let the present link go; ``for_good``, the caller's voice is kept for nobody."""
        self._part()
        if for_good:
            self._holds = False
            self._held.clear()

    def listen(self) -> None:
        """Let the service hear the caller from now on, what was held first."""
        self._is_listening = self._holds = True
        self._catch_up(_CATCH_UP if self._is_paced else len(self._held))

    def hear(self, chunk: bytes) -> None:
        """Take 20 ms of the caller's voice: to be sent, or kept until it can be."""
        attempt = self._current
        if self._is_listening and not self._held:
            if attempt is not None and attempt.link is not None:
                attempt.link.append(chunk)
        elif self._holds:
            self._held.append(chunk)
            if len(self._held) * _CHUNK_SECONDS > _HELD_SECONDS:
                self._counts["forgotten_audio_bytes"] += len(self._held.popleft())
            if self._is_listening:
                self._catch_up(_CATCH_UP)

    def send(self, command: ClientEvent) -> None:
        """Send a command over the present link; without one it is lost, as the session is."""
        if self._current is not None and self._current.link is not None:
            self._current.link.send(command)

    async def close(self) -> None:
        """Let the present link go, and see the end of all."""
        self._part()
        if self._partings:
            await asyncio.wait(self._partings, timeout=2 * _CLOSE_SECONDS)

    async def _reach(self, attempt: _Attempt) -> None:
        link: Link | None = None
        try:
            link = self._make_link(
                lambda event: self._take(attempt, event),
                lambda fault: self._end(attempt, fault),
                lambda sound: self._pass(attempt, sound),
            )
            async with asyncio.timeout(self._seconds):
                await link.connect()
        except asyncio.CancelledError:
            await _let_go(link)
            raise
        except Exception as error:
            self._end(attempt, self._explain(error))
            await _let_go(link)
            return
        if self._current is not attempt:
            await _let_go(link)  # another one took its place in this very moment
            return
        attempt.link = link
        self._owner.on_link_ready()
        early, attempt.early = attempt.early, None
        for event in early or ():
            self._take(attempt, event)

    def _explain(self, error: Exception) -> LinkError:
        if isinstance(error, LinkError):
            return error
        if isinstance(error, TimeoutError):
            return LinkError(f"the service did not answer within {self._seconds:g} s")
        if isinstance(error, GatewayError):
            return LinkError(str(error), retryable=False)
        self._log.error("fault while reaching the service", exc_info=error)
        return LinkError(f"{type(error).__name__}: {error}", retryable=False)

    def _take(self, attempt: _Attempt, event: ServerEvent | Unknown) -> None:
        """Pass on what the present link says; what comes before it is up waits until it is."""
        if attempt is not self._current:
            return
        if attempt.early is None:
            self._owner.on_link(event)
        elif len(attempt.early) < _MOST_EARLY:
            attempt.early.append(event)
        else:
            attempt.early.clear()
            self._end(attempt, LinkError("the service talks before the link is up"))

    def _pass(self, attempt: _Attempt, sound: bytes) -> None:
        if attempt is self._current and attempt.early is None:
            self._owner.on_speech(sound)

    def _end(self, attempt: _Attempt, fault: LinkError | None) -> None:
        """Take the end of a link, or of the attempt to make one.

        What a link said before it was up says why it is gone: it is told all the same.
        """
        if attempt is self._current and attempt.early:
            early, attempt.early = attempt.early, None
            self._owner.on_link_ready()
            for event in early:
                self._take(attempt, event)
        if attempt is self._current:
            self._part()
            self._owner.on_link_lost(fault or LinkError("the link was closed"))

    def _part(self) -> None:
        """Let the present link go in the background; nothing it still says is heard."""
        attempt, self._current = self._current, None
        self._is_listening = False
        if attempt is None:
            return
        if attempt.link is None:
            if attempt.task is not None and attempt.task is not asyncio.current_task():
                attempt.task.cancel()
                self._await(attempt.task)
            return
        self._counts.update(asdict(attempt.link.stats))
        self._await(asyncio.create_task(_let_go(attempt.link), name="link closes"))

    def _await(self, task: asyncio.Task[None]) -> None:
        self._partings.add(task)
        task.add_done_callback(self._partings.discard)

    def _catch_up(self, most: int) -> None:
        """Send what was held, the oldest first."""
        link = self._current.link if self._current is not None else None
        if link is None:
            return
        for _ in range(min(most, len(self._held))):
            chunk = self._held.popleft()
            self._counts["held_audio_bytes"] += len(chunk)
            link.append(chunk)


async def _let_go(link: Link | None) -> None:
    """Close a link; a service that will not say goodbye is left standing."""
    if link is None:
        return
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await link.close()
    except TimeoutError:
        pass
    except Exception:
        structlog.get_logger().exception("fault while closing a link")

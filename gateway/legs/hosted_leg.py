"""A caller whose SIP call the realtime service itself holds: we only say what becomes of it.

The service answers, refers and hangs up where it is asked to, by HTTP, and tells little of what
came of it.  Its word that it took a request is not yet the deed: an acceptance may fail later,
a REFER may never be answered.  What really happened shows by the socket that controls the call,
which lasts as long as the call does.
"""

import asyncio
import enum
import functools
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Literal, Protocol, TypeAlias

import structlog

from ..errors import LinkError
from .events import LegAnswered, LegEnded, LegEvent, TransferEnded, TransferProgress

__all__ = ["HostedCalls", "HostedLeg"]

_Request: TypeAlias = Callable[[], Coroutine[Any, Any, None]]

_REQUEST_SECONDS: Final = 10.0
_LEAVE_SECONDS: Final = 30.0  # for as long a call that is to end is asked to
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 4.0
_GONE: Final = 404  # the service knows no such call, or knows it no more
_DECLINE: Final = 603
_ELSEWHERE: Final = 480


class HostedCalls(Protocol):
    """What the service can be asked to do with a call it holds."""

    async def accept(self, call_id: str, session: Mapping[str, Any], /) -> None:
        """Take the call, with a session as described.

        Raises:
            LinkError: The service did not do it; so do the others.

        """
        ...

    async def reject(self, call_id: str, status: int, /) -> None:
        """Refuse the call with a SIP status."""
        ...

    async def refer(self, call_id: str, target: str, /) -> None:
        """Ask the caller's side to call ``target`` instead."""
        ...

    async def hangup(self, call_id: str, /) -> None:
        """End the call."""
        ...


class _State(enum.Enum):
    RINGING = enum.auto()
    ANSWERING = enum.auto()
    UP = enum.auto()
    ENDING = enum.auto()
    OVER = enum.auto()


class HostedLeg:
    """One caller on the service's own SIP address.

    Args:
        call_id: What the service calls the call.
        headers: Those of the INVITE, the first of each name.
        session: What the call is accepted with.
        transfer_seconds: After so long without a sign a transfer came to nothing.

    """

    kind: Final = "hosted"

    def __init__(
        self,
        call_id: str,
        service: HostedCalls,
        on_event: Callable[[LegEvent], None],
        *,
        caller: str,
        called: str,
        headers: Mapping[str, str],
        session: Mapping[str, Any],
        transfer_seconds: float,
    ) -> None:
        self.id = call_id
        self.caller = caller
        self.called = called
        self.headers = headers
        self._service = service
        self._on_event = on_event
        self._session = session
        self._transfer_seconds = transfer_seconds
        self._state = _State.RINGING
        self._is_linked = False  # the service let us in: the call really is up
        self._transfer: asyncio.TimerHandle | None = None  # under way until then
        self._turn = asyncio.Lock()  # requests go out one after the other
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger().bind(hosted_call=call_id)

    # What a leg is asked to do

    def ring(self) -> None:
        """Nothing: it rings until the service is told otherwise."""

    def answer(self) -> None:
        """Have the service take the call."""
        if self._state is _State.RINGING:
            self._state = _State.ANSWERING
            self._begin(self._accept())

    def reject(self, status: int, reason: str = "") -> None:
        """Have the service refuse the call."""
        if self._state is _State.RINGING:
            self._state = _State.ENDING
            refuse = functools.partial(self._service.reject, self.id, status)
            self._begin(self._leave(refuse, status, reason))

    def redirect(self, target: str) -> None:
        """Not possible before the answer: the call is refused, as one that is elsewhere."""
        self._log.warning("cannot redirect a call that the service holds", target=target)
        self.reject(_ELSEWHERE, "redirected")

    def hang_up(self, reason: str = "", q850: int = 16) -> None:
        """End the call, however far it has come; the service chooses the cause."""
        del q850
        if self._state is _State.RINGING:
            self.reject(_DECLINE, reason)
        elif self._state in (_State.ANSWERING, _State.UP):
            self._state = _State.ENDING
            part = functools.partial(self._service.hangup, self.id)
            self._begin(self._leave(part, 200, reason))

    def hold_end(self, seconds: float) -> None:
        """Not possible: it is the service that tells the caller."""

    def let_go(self) -> None:
        """Nothing: the caller has been told."""

    def transfer(self, target: str, replaces: str = "") -> None:
        """Ask the caller's side to call ``target``: the call's end shows that it did.

        There is no second leg of ours that it could take the place of.
        """
        del replaces
        if self._state is _State.UP:
            self._begin(self._refer(target))
        else:
            self._on_event(TransferEnded(is_accepted=False, status=481))

    def hold(self) -> None:
        """Not possible: the caller's sound is the service's."""
        self._log.warning("cannot hold a call that the service holds")

    def resume(self) -> None:
        """Not possible, as is :meth:`hold`."""
        self._log.warning("cannot resume a call that the service holds")

    def send_dtmf(self, digits: str) -> None:
        """Not possible: the caller's sound is the service's."""
        self._log.warning("cannot press keys in a call that the service holds", digits=len(digits))

    # What the call's socket shows

    def note_link(self) -> None:
        """Take in that the service let us in."""
        self._is_linked = True

    def ends_with(self, fault: LinkError) -> bool:
        """Take in how the socket was lost; tells whether the call itself is over."""
        if fault.status != _GONE:
            return False
        if self._is_transferring:
            self._on_event(TransferEnded(is_accepted=True, status=200))
            self._end("gateway", 200, "transferred")
        elif self._is_linked:
            self._end("caller", 200, "hung up, or let go by the service")
        else:
            self._end("peer", 480, "accepted, but then the service knew the call no more")
        return True

    # How it is done

    async def _accept(self) -> None:
        fault = await self._ask(lambda: self._service.accept(self.id, self._session))
        if fault is None:
            if self._state is _State.ANSWERING:
                self._state = _State.UP
                self._on_event(LegAnswered())
        elif fault.status == _GONE:
            self._end("caller", 487, "gave up before the call was answered")
        else:
            self._end("gateway", 503, f"the service does not take the call: {fault}")

    async def _leave(self, request: _Request, status: int, reason: str) -> None:
        """End the call by a request, repeated while it fails: a caller is not left with nobody."""
        give_up_at = asyncio.get_running_loop().time() + _LEAVE_SECONDS
        pause = _FIRST_PAUSE
        while (fault := await self._ask(request)) is not None and fault.status != _GONE:
            is_late = asyncio.get_running_loop().time() + pause > give_up_at
            if is_late or not fault.retryable:
                self._log.error("the service would not end the call", reason=str(fault))
                break
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        self._end("gateway", status, reason)

    async def _refer(self, target: str) -> None:
        self._settle_transfer()
        loop = asyncio.get_running_loop()
        self._transfer = loop.call_later(self._transfer_seconds, self._give_up_transfer)
        fault = await self._ask(lambda: self._service.refer(self.id, target))
        if not self._is_transferring:
            return
        if fault is None:
            self._on_event(TransferProgress(202))
            return
        self._settle_transfer()
        self._log.warning("the service would not transfer the call", reason=str(fault))
        self._on_event(TransferEnded(is_accepted=False, status=fault.status or 408))

    async def _ask(self, request: _Request) -> LinkError | None:
        """Ask something of the service, after what was asked before; returns what went wrong."""
        async with self._turn:
            try:
                async with asyncio.timeout(_REQUEST_SECONDS):
                    await request()
            except LinkError as fault:
                return fault
            except TimeoutError:
                return LinkError(f"no answer within {_REQUEST_SECONDS:g} s")
            except Exception as error:
                self._log.exception("fault while asking the service")
                return LinkError(f"{type(error).__name__} inside the gateway", retryable=False)
        return None

    @property
    def _is_transferring(self) -> bool:
        return self._transfer is not None

    def _give_up_transfer(self) -> None:
        self._transfer = None
        self._on_event(TransferEnded(is_accepted=False, status=408))

    def _settle_transfer(self) -> None:
        if self._transfer is not None:
            self._transfer.cancel()
            self._transfer = None

    def _begin(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(doing, name=f"hosted call {self.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _end(self, by: Literal["caller", "gateway", "peer"], status: int, reason: str) -> None:
        if self._state is _State.OVER:
            return
        self._state = _State.OVER
        self._settle_transfer()
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()
        self._on_event(LegEnded(by, status, reason))

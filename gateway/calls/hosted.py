"""Taking calls in that the service holds: told by webhook, answered by HTTP."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from ..clock import Clock, monotonic
from ..errors import CapacityError, LinkError, SipError
from ..legs.hosted_leg import HostedCalls, HostedLeg
from ..realtime.webhook import IncomingCall, Replays
from ..sip.wire.uri import Uri
from .call import Call
from .links import LinkPlan, first_session
from .registry import Health
from .switchboard import Switchboard

__all__ = ["HostedReception"]

_REFUSALS: Final = {Health.BUSY: 486, Health.DRAINING: 503}
_LONGEST_NAME: Final = 256


class HostedReception:
    """Turns the service's word of a ringing call into a call of ours.

    The word comes more than once: a webhook is repeated until it is answered, and the same
    INVITE may be told by both of the service's products.  A call is taken once.
    """

    def __init__(
        self,
        switchboard: Switchboard,
        service: HostedCalls,
        plan: Callable[[str], LinkPlan],
        clock: Clock = monotonic,
    ) -> None:
        self.ignored = 0  # told again, or not for us
        self._switchboard = switchboard
        self._service = service
        self._plan = plan
        self._clock = clock
        self._known = Replays()  # by the service's name for the call, and by the INVITE's
        self._refusing: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger()

    def take(self, incoming: IncomingCall) -> None:
        """Make a call of it and let it live; nothing is done where it is known already."""
        settings = self._switchboard.settings
        if incoming.front_door != settings.realtime.front_door:
            self.ignored += 1
            self._log.info("call ignored: it is another product's", product=incoming.front_door)
            return
        if not self._is_new(incoming):
            self.ignored += 1
            self._log.info("call ignored: it was told before", hosted_call=incoming.call_id)
            return
        try:
            call = self._switchboard.admit(self._plan(incoming.call_id))
        except CapacityError as error:
            self._refuse(incoming, str(error))
            return
        try:
            call.attach(self._make_leg(incoming, call), None)
        except BaseException:
            self._switchboard.dismiss(call)
            raise
        self._switchboard.begin(call)

    def _make_leg(self, incoming: IncomingCall, call: Call) -> HostedLeg:
        control = self._switchboard.control
        return HostedLeg(
            incoming.call_id,
            self._service,
            call.on_leg,
            caller=_name(incoming.from_uri),
            called=_name(incoming.to_uri),
            headers={h.name: h.value for h in reversed(incoming.sip_headers)},
            session=first_session(control),
            transfer_seconds=control.call.transfer_seconds,
        )

    def _is_new(self, incoming: IncomingCall) -> bool:
        now = self._clock()
        is_new = self._known.is_new(f"call {incoming.call_id}", now)
        if incoming.sip_call_id:
            is_new &= self._known.is_new(f"invite {incoming.sip_call_id}", now)
        return is_new

    def _refuse(self, incoming: IncomingCall, why: str) -> None:
        status = _REFUSALS.get(self._switchboard.registry.health, 486)
        self._log.info("refused", status=status, why=why, hosted_call=incoming.call_id)
        task = asyncio.create_task(self._reject(incoming.call_id, status), name="refusal")
        self._refusing.add(task)
        task.add_done_callback(self._refusing.discard)

    async def _reject(self, call_id: str, status: int) -> None:
        try:
            await self._service.reject(call_id, status)
        except LinkError as error:
            self._log.warning("the service would not refuse the call", reason=str(error))


def _name(address: str) -> str:
    """Return who that is: a number or a name, else the whole address."""
    try:
        uri = Uri.parse(address)
    except SipError:
        return address[:_LONGEST_NAME]
    return uri.username or str(uri)

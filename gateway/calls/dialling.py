"""Calls that the gateway places because somebody asked for one, to whom it may."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from ..errors import CapacityError, DialError, SipError
from ..legs.naming import name_of
from ..sip.wire.uri import Uri
from .call import Call, Origin
from .lanes import called_options
from .links import Links
from .outbound import Outbound
from .permits import is_permitted
from .switchboard import Switchboard

__all__ = ["Dialling", "Wish"]

_PARAMS: Final = frozenset({"transport"})
"""What an address that is let through may have beside who is called, and where."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A call that somebody asks for.

    Attributes:
        to: A name in ``[targets]``, or an address that ``dial.allow`` lets through.
        profile: Who speaks there; empty for the one who always does.
        variables: What the call begins with.

    """

    to: str
    profile: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


class Dialling:
    """Turns wishes into calls."""

    def __init__(self, switchboard: Switchboard, links: Links, outbound: Outbound) -> None:
        self._switchboard = switchboard
        self._settings = switchboard.settings
        self._links = links
        self._outbound = outbound
        self._log = structlog.get_logger()

    async def dial(self, wish: Wish) -> Call:
        """Place a call; returns once it is on its way.

        Raises:
            DialError: It may not be placed, or not so.
            CapacityError: There is no room for it.
            SipError: There is no way to its target.

        """
        address = self._address(wish)
        plan = self._links.plan("")
        every, called = self._switchboard.control, name_of(Uri.parse(address))
        control = every.for_profile(wish.profile) if wish.profile else every.for_call("", called)
        call = self._switchboard.admit(plan)
        try:
            leg, lane = await self._outbound.place(
                address,
                called_options(self._settings, control, plan.lane_audio),
                on_leg=call.on_leg,
                on_lane=call.on_lane,
                on_audio=call.on_audio,
                seconds=self._settings.dial.seconds,
            )
        except BaseException:
            self._switchboard.dismiss(call)
            raise
        if self._switchboard.registry.is_draining:  # since it was admitted
            leg.hang_up()
            lane.close()
            self._switchboard.dismiss(call)
            raise CapacityError("the gateway is being stopped")
        origin = Origin(is_outbound=True, profile=wish.profile, variables=wish.variables)
        call.attach(leg, lane, origin)
        self._switchboard.begin(call)
        return call

    def _address(self, wish: Wish) -> str:
        """Return the address that is to be called, if it is allowed."""
        if wish.profile and wish.profile not in self._settings.profiles:
            raise DialError(f"no profile {wish.profile!r} is configured", status=422)
        target = self._settings.targets.get(wish.to)
        if target is not None:
            return target.uri
        if self._is_allowed(wish.to):
            return wish.to
        self._log.warning("call refused: neither a target nor allowed", to=wish.to)
        problem = "it is neither a name in [targets] nor an address that dial.allow lets through"
        raise DialError(problem, status=403)

    def _is_allowed(self, address: str) -> bool:
        try:
            uri = Uri.parse(address)
        except SipError:
            return False
        is_plain = not (uri.headers or uri.params.keys() - _PARAMS)
        return is_plain and is_permitted(uri, self._settings)

"""The second leg of a call: somebody we call for the caller, one at a time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from ..control import events as control
from ..errors import GatewayError, SipError
from ..legs import events as legs
from ..legs.sip_leg import SipLeg
from ..media.events import LaneEvent, MediaTimeout
from ..media.options import LaneOptions
from .facts import Behalf
from .outbound import Outbound
from .patchbay import Patchbay
from .translate import from_callee, from_lane

__all__ = ["Callee"]

_NO_WAY: Final = 503
_FAULT: Final = 500
_NO_MEDIA: Final = "no media"


@dataclass(slots=True, eq=False)
class _Attempt:
    """One call to somebody, from the asking to its end."""

    leg: SipLeg | None = None
    task: asyncio.Task[None] | None = None
    is_sound_due: bool = False  # answered, and not holding us


class Callee:
    """Whoever is on the second leg; everything here happens on the event loop.

    Args:
        outbound: The way out.
        options: How the lane of the second leg treats its sound.
        patchbay: Where that lane is plugged in.
        post: Is told what becomes of it.
        log: The call's own.

    """

    def __init__(
        self,
        outbound: Outbound,
        options: LaneOptions,
        patchbay: Patchbay,
        post: Callable[[control.Event], None],
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self.behalf: Behalf | None = None  # of the caller, for whom is called
        self._outbound = outbound
        self._options = options
        self._patchbay = patchbay
        self._post = post
        self._attempt: _Attempt | None = None
        self._log = log

    @property
    def replaced_by(self) -> str:
        """What a ``Replaces`` header says to take this call over; empty where it is not up."""
        leg = self._attempt.leg if self._attempt is not None else None
        return leg.replaced_by if leg is not None else ""

    def call(self, target: str, seconds: float) -> None:
        """Call somebody, who may take so long to answer; told by events."""
        self.drop("another is called")
        attempt = self._attempt = _Attempt()
        attempt.task = asyncio.create_task(self._place(attempt, target, seconds), name="callee")

    def press(self, digits: str) -> None:
        """Press keys towards the callee."""
        if self._attempt is not None and self._attempt.leg is not None:
            self._attempt.leg.send_dtmf(digits)

    def drop(self, cause: str) -> None:
        """End the second leg, however far it has come; its end is told."""
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return
        if attempt.leg is not None:
            attempt.leg.hang_up(cause)
        elif attempt.task is not None:
            attempt.task.cancel()
        self._patchbay.detach_callee()
        self._post(control.CalleeEnded(487, cause))

    def close(self) -> None:
        """End the second leg; nobody is told."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None and attempt.leg is not None:
            attempt.leg.hang_up()
        elif attempt is not None and attempt.task is not None:
            attempt.task.cancel()

    async def _place(self, attempt: _Attempt, target: str, seconds: float) -> None:
        try:
            placed = await self._outbound.place(
                target,
                self._options,
                on_leg=lambda event: self._on_leg(attempt, event),
                on_lane=lambda event: self._on_lane(attempt, event),
                on_audio=lambda chunk: self._on_audio(attempt, chunk),
                seconds=seconds,
                behalf=self.behalf,
            )
        except GatewayError as error:
            status = error.status if isinstance(error, SipError) else _NO_WAY
            self._log.warning("cannot call", target=target, why=str(error))
            self._end(attempt, status, str(error))
            return
        except Exception:
            self._log.exception("fault while calling", target=target)
            self._end(attempt, _FAULT, "fault inside the gateway")
            return
        if self._attempt is not attempt:  # dropped in this very moment
            placed.leg.hang_up()
            placed.lane.close()
            return
        attempt.leg = placed.leg
        self._patchbay.attach_callee(placed.lane)

    def _on_leg(self, attempt: _Attempt, event: legs.LegEvent) -> None:
        if self._attempt is not attempt:
            return
        if isinstance(event, legs.LegAnswered | legs.LegHeld):
            attempt.is_sound_due = not (isinstance(event, legs.LegHeld) and event.is_held)
        if isinstance(event, legs.LegEnded):
            self._end(attempt, event.status, event.reason)
        elif (known := from_callee(event)) is not None:
            self._post(known)

    def _on_lane(self, attempt: _Attempt, event: LaneEvent) -> None:
        """Take what the callee's lane tells; of the agent's speech, even once they are gone."""
        if isinstance(event, MediaTimeout):
            is_over = attempt.is_sound_due or event.is_held
            if self._attempt is attempt and attempt.leg is not None and is_over:
                attempt.leg.hang_up(_NO_MEDIA)
        elif self._patchbay.counts(event):
            known = from_lane(event, "callee")
            if known is not None:
                self._post(known)

    def _on_audio(self, attempt: _Attempt, chunk: bytes) -> None:
        if self._attempt is attempt:
            self._patchbay.hear_callee(chunk)

    def _end(self, attempt: _Attempt, status: int, reason: str) -> None:
        if self._attempt is attempt:
            self._attempt = None
            self._patchbay.detach_callee()
            self._post(control.CalleeEnded(status, reason))

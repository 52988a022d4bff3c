"""The registrations and watches of one user agent."""

from collections.abc import Callable

from ..credentials.account import Account
from ..deadline import earliest
from ..flow import Flow
from ..ways.courier import Courier
from ..wire.uri import Uri
from .registration import Enrolment, Registration
from .standing import Duty, DutyEvent, Reported
from .watch import Watch

__all__ = ["Duties"]


class Duties:
    """All that one user agent has set out to do."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier
        self._duties: list[Duty] = []

    @property
    def deadline(self) -> float | None:
        """When :meth:`wake` must next be called, or ``None`` for never."""
        return earliest(*(duty.deadline for duty in self._duties))

    @property
    def is_busy(self) -> bool:
        """Whether one of them is not over."""
        return any(not duty.is_over for duty in self._duties)

    def register(self, enrolment: Enrolment, on_event: Callable[[DutyEvent], None]) -> Registration:
        """Register somewhere, and stay registered; its way is asked for by an event."""
        registration = Registration(enrolment, self._courier, on_event)
        self._duties.append(registration)
        return registration

    def watch(
        self,
        server: Uri,
        seconds: float,
        on_event: Callable[[DutyEvent], None],
        account: Account | None = None,
    ) -> Watch:
        """Ask a server every so many seconds whether it lives."""
        watch = Watch(server, seconds, self._courier, on_event, account=account)
        self._duties.append(watch)
        return watch

    def wake(self, now: float) -> None:
        """Do what is due at ``now``."""
        for duty in self._duties:
            if duty.deadline is not None and duty.deadline <= now:
                duty.wake(now)

    def lose(self, flow: Flow, now: float) -> None:
        """Take note that a connection is gone."""
        for duty in self._duties:
            duty.lose(flow, now)

    def move(self, now: float) -> None:
        """Take note that we may be reached at another address than before."""
        for duty in self._duties:
            duty.move(now)

    def end(self, now: float) -> None:
        """Take back every registration, and watch nobody any more."""
        for duty in self._duties:
            duty.end(now)

    def events(self) -> list[Reported]:
        """Drain what happened since the last call."""
        return [Reported(duty, event) for duty in self._duties for event in duty.events()]

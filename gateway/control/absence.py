"""What goes on while the service is away, and once it is given up.

Menus go on by their files, a goodbye is said all the same, two who talk to each other are left
alone; for everybody else there is the fallback.
"""

from collections.abc import Sequence

from .actions import Request
from .agenda import Agenda
from .context import Context
from .fallback import Fallback
from .menus import Menus
from .states import CallState
from .transfer import TransferDesk
from .turns import Turns

__all__ = ["Absence"]


class Absence:
    """Decides what becomes of a call whose service is not there."""

    def __init__(
        self,
        context: Context,
        turns: Turns,
        agenda: Agenda,
        menus: Menus,
        transfer: TransferDesk,
        fallback: Fallback,
    ) -> None:
        self._context = context
        self._turns = turns
        self._agenda = agenda
        self._menus = menus
        self._transfer = transfer
        self._fallback = fallback

    def begin(self) -> None:
        """The service was lost, and is tried again: have go on at once what can without it."""
        if not self._agenda.is_owed_speech:
            return
        unsaid, is_step = self._turns.unsaid, self._agenda.leads_on
        if not is_step and (way := self._menus.stand_in()):
            self._agenda.replace(way)
            return
        if is_step and self._menus.is_live:
            self._turns.withdraw()  # what follows is not kept waiting for it
        self._agenda.take_back(unsaid)

    def stay(self) -> None:
        """The service is given up: let a whole goodbye be heard, cut anything else."""
        context = self._context
        is_alone = context.away_since is not None and self._menus.needs_no_service
        if is_alone and not self._agenda.is_owed_speech:
            return
        is_whole, unsaid = self._turns.active is None, self._turns.unsaid
        self._turns.reset()
        if context.state is CallState.LEAVING:
            self._agenda.take_back(unsaid)
            if is_whole:
                return
        self._turns.interrupt()
        if context.is_joined and context.state is not CallState.LEAVING:
            self._agenda.replace(())
            self._transfer.leave_line()
        elif context.state not in (CallState.LEAVING, CallState.TRANSFERRING):
            self._agenda.replace(() if context.is_taken_over else self.lead_out())

    def lead_out(self) -> Sequence[Request]:
        """Return how the call goes on without the service."""
        way = self._menus.carry_on()
        return self._fallback.start() if way is None else way

"""What is different for one call: its profile, its variables, its changes of the session."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ..realtime.commands import SessionUpdate
from .actions import (
    OpenMenu,
    Request,
    Respond,
    SendText,
    SetVariables,
    Transfer,
    UpdateSession,
)
from .context import Context
from .events import CallStarted, Event, LegMoved
from .service import Service
from .settings import ControlSettings, merged
from .states import CallState
from .transfer import TransferDesk
from .variables import Variables

__all__ = ["Profiles"]

_LONGEST_NAME: Final = 64  # characters of whoever comes on the line, whom nobody here named


class Profiles:
    """Has the call go by the settings that are meant for it.

    A profile is chosen as the call starts, by its trunk and the number called, and may be
    changed later: that is a transfer to another agent of this gateway.
    """

    def __init__(self, context: Context, transfer: TransferDesk, service: Service) -> None:
        self._context = context
        self._transfer = transfer
        self._service = service

    def handle(self, event: Event) -> Sequence[Request]:
        """Choose the profile of a call that starts, and note who calls whom."""
        if isinstance(event, LegMoved) and event.status < 300:
            return self._note_other(event)
        if isinstance(event, CallStarted):
            context = self._context
            context.call_id = event.call_id
            context.trunk, context.caller, context.called = event.trunk, event.caller, event.called
            context.started_at, context.unix_time = context.now, event.unix_time
            if event.profile in context.settings.profiles:
                context.settings = context.settings.for_profile(event.profile)
            else:
                context.settings = context.settings.for_call(event.trunk, event.called)
            given = {
                "caller": _user(event.caller),
                "called": _user(event.called),
                "trunk": event.trunk,
            }
            context.variables = Variables(
                {**given, **context.settings.call.variables, **event.variables}
            )
        return ()

    def _note_other(self, event: LegMoved) -> Sequence[Request]:
        """Somebody else is on the line: ``{caller}`` is they, and the model is told."""
        who = "the other side" if event.leg == "callee" else "the caller"
        party = _user(event.party)[:_LONGEST_NAME]
        if event.leg == "caller":
            self._context.variables.set("caller", party)
        return (SendText(f"[{party} is on the line now, in the place of {who}.]"),)

    def transfer(self, request: Transfer) -> Sequence[Request]:
        """Send the caller to another profile, or out of this gateway."""
        if not request.profile:
            return self._transfer.start(request)
        context = self._context
        is_possible = context.state in (CallState.SETUP, CallState.TALKING)
        if request.profile not in context.settings.profiles or not is_possible:
            context.log(
                f"not transferred to profile {request.profile!r}: there is none, or no time"
            )
            return ()
        settings = context.settings.for_profile(request.profile)
        context.log(f"transferred to profile {request.profile}")
        self._adopt(settings)
        for name, value in settings.call.variables.items():
            if not context.variables.get(name):
                context.variables.set(name, value)
        if settings.call.menu:
            return (OpenMenu(settings.call.menu),)
        return (OpenMenu("close"), Respond(settings.call.greeting or None))

    def update_session(self, request: UpdateSession) -> Sequence[Request]:
        """Change the session, for this link and those to come."""
        settings = self._context.settings
        self._adopt(replace(settings, session=merged(settings.session, request.fields)))
        return ()

    def set_variables(self, request: SetVariables) -> Sequence[Request]:
        """Give variables their values."""
        for name, value in request.values.items():
            self._context.variables.set(name, value)
        return ()

    def _adopt(self, settings: ControlSettings) -> None:
        """Go by other settings, and have the session follow."""
        context = self._context
        before = self._service.session()
        context.settings = settings
        if context.is_linked and context.state is not CallState.ENDED:
            changes = _changes(before, self._service.session())
            if changes:
                kind = str(settings.session.get("type", "realtime"))
                context.send(SessionUpdate(session={"type": kind, **changes}))


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a session that differ, whole as they are to be."""
    return {name: value for name, value in after.items() if before.get(name) != value}


def _user(address: str) -> str:
    return address.partition(":")[2].partition("@")[0] or address

"""`/v1/calls/{id}/actions` and the end of a call: people have their say in a call in progress.

They ask in the words of rules, and are checked as rules are; targets are those of the
configuration.  Everything stands on the call's timeline, with the name of whoever asked.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final

import msgspec
from aiohttp import web
from pydantic import ValidationError

from ..calls.call import Call
from ..calls.supervisors import seat_of
from ..config import Settings, Step
from ..control.actions import HangUp, Request, Stop, Supervise
from ..control.flow_check import FlowCheck
from ..control.settings import SHIPPED_PROMPTS
from ..errors import ConfigError, RecordError
from ..ops.directory import Directory
from .bodies import read_json
from .calls import unreachable
from .operation import JSON, VISITOR, Answer, Operation, Role
from .problems import FieldFault, Refusal

__all__ = ["SupervisionDoor"]

_MOST_STEPS: Final = 16
_NOT_THERE: Final = {
    404: Answer("there is no such call"),
    409: Answer("it is over, or cannot do so now; says why"),
    503: Answer("the calls that are over cannot be asked for"),
}
_FOR_ADMINS: Final = ("update_session",)
_WHERE: Final = re.compile(r"do\[(\d+)\]: (.*)")

_Written = str | dict[str, Any]


class _Wish(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be done, in order: steps as rules have them, and ``supervise``."""

    do: Annotated[list[_Written], msgspec.Meta(min_length=1, max_length=_MOST_STEPS)]


class _Taken(msgspec.Struct, frozen=True):
    call_id: str
    taken: list[str]


class SupervisionDoor:
    """Takes what supervisors ask of calls.

    Args:
        settings: Says what there is to be named.
        find: Returns a call in progress.
        directory: Knows those that are over.

    """

    def __init__(
        self,
        settings: Settings,
        find: Callable[[str], Call | None],
        directory: Directory,
    ) -> None:
        self._check = FlowCheck(settings, {*SHIPPED_PROMPTS, *settings.prompts}, is_for_people=True)
        self._find = find
        self._directory = directory

    def operations(self) -> Sequence[Operation]:
        """Return what this door does."""
        return (
            Operation(
                "POST",
                "/v1/calls/{id}/actions",
                self._act,
                "Have a call in progress do something, by the steps of rules",
                role=Role.SUPERVISOR,
                body=_Wish,
                answers={
                    202: Answer("the kinds of steps, which are done in order", _Taken),
                    403: Answer("the token's role does not allow a step"),
                    422: Answer("a step is none that can be done; says which"),
                    **_NOT_THERE,
                },
            ),
            Operation(
                "DELETE",
                "/v1/calls/{id}",
                self._end,
                "Hang up a call in progress",
                role=Role.SUPERVISOR,
                answers={204: Answer("it is being ended", media_type=""), **_NOT_THERE},
            ),
        )

    async def _act(self, request: web.Request) -> web.Response:
        wish = await read_json(request, _Wish)
        call = await self._call(request)
        steps = [_step(number, written) for number, written in enumerate(wish.do)]
        visitor = request[VISITOR]
        for number, step in enumerate(steps):
            if step.kind in _FOR_ADMINS and visitor.role < Role.ADMIN:
                raise _at(number, f"{step.kind} is for the role admin", status=403)
        requests = [_seated(one) for one in self._plan(steps)]
        if objection := call.supervisors.objection(requests, visitor.name):
            raise Refusal(409, objection)
        call.supervisors.ask(requests, visitor.name)
        taken = _Taken(call.call_id, [step.kind for step in steps])
        return web.Response(body=msgspec.json.encode(taken), status=202, content_type=JSON)

    async def _end(self, request: web.Request) -> web.Response:
        call = await self._call(request)
        call.supervisors.ask((Stop(), HangUp("supervisor")), request[VISITOR].name)
        return web.Response(status=204)

    async def _call(self, request: web.Request) -> Call:
        """Return the call that is asked for.

        Raises:
            Refusal: It is over, or there was none, or nobody can tell.

        """
        call_id = request.match_info["id"]
        if (call := self._find(call_id)) is not None:
            return call
        try:
            stage = await self._directory.stage(call_id)
        except RecordError as error:
            raise unreachable(error) from None
        if stage:
            raise Refusal(409, "the call is not in progress")
        raise Refusal(404, f"no call {call_id!r}")

    def _plan(self, steps: Sequence[Step]) -> tuple[Request, ...]:
        try:
            return self._check.plan(steps, ("do",))
        except ConfigError as error:
            found = _WHERE.fullmatch(str(error))
            assert found is not None
            raise _at(int(found[1]), found[2]) from None


def _step(number: int, written: _Written) -> Step:
    """Read one step.

    Raises:
        Refusal: There is none like that; says which, and how to mend it.

    """
    try:
        return Step.model_validate(written)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        told = first["msg"].removeprefix("Value error, ")
        raise _at(number, f"{where}: {told}" if where else told) from None


def _at(number: int, fault: str, *, status: int = 422) -> Refusal:
    """Return the refusal of one step."""
    errors = (FieldFault(f"/do/{number}", fault),)
    return Refusal(status, f"step {number + 1}: {fault}", errors=errors)


def _seated(request: Request) -> Request:
    """Return a request by the name that timelines know a connection by."""
    if isinstance(request, Supervise) and request.supervisor:
        return replace(request, supervisor=seat_of(request.supervisor))
    return request

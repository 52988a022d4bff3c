"""Carries out what calls want done outside: webhooks, and functions of the writer's own."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

import msgspec
import structlog

from ..clock import Ids
from ..config import Settings
from ..control.actions import RunErrand
from ..control.events import ErrandDone
from .delivery import Answer, Courier
from .entries import load_entries
from .http_post import HttpPost

__all__ = ["ErrandRunner", "ErrandStats", "Outbox"]

_MOST: Final = 256  # under way at a time, of each name: one that hangs keeps no other waiting
_GRACE: Final = 5.0  # seconds for those under way when the gateway stops
_ACCEPTED: Final = 202
_SHORT: Final = 1.0  # seconds for those that are then cancelled

OnDone = Callable[[ErrandDone], None]


class Outbox(Protocol):
    """Keeps webhooks until they are delivered, though the process may end before."""

    async def post(self, name: str, body: bytes, call_id: str) -> bool:
        """Take a message for the webhook of this name; ``False`` where it cannot be kept."""
        ...


@dataclass(frozen=True, slots=True)
class ErrandStats:
    """What became of errands since the start; ``retried`` counts tries, all else errands."""

    begun: int
    failed: int  # with a problem at their end
    retried: int
    dropped: int  # never begun, for too many were under way, or given up at the gateway's end


class ErrandRunner:
    """The errands of all calls, each a task of its own, bounded in number and in time.

    Args:
        settings: With the webhooks and tools that errands name.
        ids: Names what is posted.
        unix_clock: Unix seconds, which are signed.

    Raises:
        ConfigError: A tool's function cannot be imported, or does not fit its schema.

    """

    def __init__(
        self, settings: Settings, *, ids: Ids, unix_clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._entries = load_entries(settings)
        self._post = HttpPost()
        self.courier = Courier(self._post, ids=ids, unix_clock=unix_clock)
        self.outbox: Outbox | None = None  # for webhooks, where there is a database
        self._tasks: set[asyncio.Task[Answer]] = set()
        self._under_way: Counter[tuple[str, str]] = Counter()
        self._is_closed = False
        self._begun = self._failed = self._dropped = 0
        self._log = structlog.get_logger()

    @property
    def stats(self) -> ErrandStats:
        """What was counted so far."""
        return ErrandStats(self._begun, self._failed, self.courier.retried, self._dropped)

    def begin(self, errand: RunErrand, on_done: OnDone) -> Callable[[], None]:
        """Begin an errand; returns what cancels it, which does nothing once it is over.

        ``on_done`` is called once, later, on the event loop, unless it is cancelled or the
        gateway stops before.
        """
        loop = asyncio.get_running_loop()
        place = (errand.kind, errand.name)
        if self._is_closed or self._under_way[place] >= _MOST:
            self._dropped += 1
            problem = "the gateway stops" if self._is_closed else "too much is under way already"
            done = ErrandDone(errand.errand_id, 0, problem=problem)
            return loop.call_soon(on_done, done).cancel
        self._begun += 1
        self._under_way[place] += 1
        task = loop.create_task(self._carry_out(errand), name=errand.errand_id)
        self._tasks.add(task)
        task.add_done_callback(partial(self._finish, errand, on_done))
        return lambda: _cancel(task)

    async def close(self) -> None:
        """Give those under way a few seconds, then drop them and let go of the connections."""
        self._is_closed = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_GRACE)
        if left := set(self._tasks):
            self._dropped += len(left)
            self._log.warning("errands dropped", errands=sorted(t.get_name() for t in left))
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=_SHORT)
        await self._post.close()

    def _finish(self, errand: RunErrand, on_done: OnDone, task: asyncio.Task[Answer]) -> None:
        self._tasks.discard(task)
        self._under_way[errand.kind, errand.name] -= 1
        if task.cancelled():
            return
        answer = task.result()
        if answer.problem:
            self._failed += 1
            if errand.kind == "webhook":  # there may be no call left that could say so
                call_id = errand.payload.get("call", {}).get("id", "")
                why = answer.problem
                self._log.warning("webhook not delivered", name=errand.name, call=call_id, why=why)
        body = "" if answer.problem else answer.body.decode()
        on_done(ErrandDone(errand.errand_id, answer.status, body, answer.problem))

    async def _carry_out(self, errand: RunErrand) -> Answer:
        try:
            if entry := self._entries.get(errand.name) if errand.kind == "tool" else None:
                seconds = self._settings.tools[errand.name].timeout_seconds
                told = errand.payload
                return await entry.run(told["arguments"], told["call"], seconds)
            return await self._deliver(errand)
        except Exception:
            self._log.exception("fault inside an errand", errand=errand.errand_id)
            return Answer(problem="it failed inside the gateway")

    async def _deliver(self, errand: RunErrand) -> Answer:
        try:
            body = _body(errand)
        except ValueError:
            return Answer(problem="a number in it is not for JSON to say")
        if errand.kind == "webhook":
            hook = self._settings.webhooks[errand.name]
            call_id = str(errand.payload.get("call", {}).get("id", ""))
            if self.outbox is not None and await self.outbox.post(errand.name, body, call_id):
                return Answer(_ACCEPTED)
            return await self.courier.deliver(hook, body, is_answer_wanted=False)
        tool = self._settings.tools[errand.name]
        answer = await self.courier.deliver(tool, body, is_answer_wanted=True)
        if answer.problem or _is_json(answer.body):
            return answer
        return Answer(answer.status, problem="its answer is not JSON in UTF-8")


def _body(errand: RunErrand) -> bytes:
    """Return what is posted: the only place where what is sealed is shown.

    Raises:
        ValueError: The model named a number that is infinite, or none.

    """
    payload: dict[str, Any] = dict(errand.payload)
    if sealed := errand.sealed.reveal():
        call = dict(payload["call"])
        payload["call"] = {**call, "variables": {**call["variables"], **sealed}}
    return json.dumps(payload, allow_nan=False).encode()


def _is_json(body: bytes) -> bool:
    """Tell whether a tool's answer can be read; an empty one says that all is well."""
    if not body:
        return True
    try:
        body.decode()
        msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return False
    return True


def _cancel(task: asyncio.Task[Answer]) -> None:
    task.cancel()

"""What all calls of a process share, and the care of them while they last."""

import asyncio
import math
from collections.abc import Mapping

from ..clock import Ids
from ..config import Settings
from ..control.controller import Controller
from ..control.settings import ControlSettings
from ..media.prompts import Prompt
from ..realtime.faults import classify
from .call import Call, CallParts
from .hands import Runner
from .keeping import Keeper
from .lanes import callee_options
from .links import LinkPlan
from .outbound import Outbound
from .registry import Registry

__all__ = ["Switchboard"]


class Switchboard:
    """Admits calls, lets each live as a task of its own, and sees them off."""

    def __init__(
        self,
        settings: Settings,
        control: ControlSettings,
        *,
        registry: Registry,
        prompts: Mapping[str, Prompt],
        ids: Ids,
        errands: Runner,
        outbound: Outbound | None,
    ) -> None:
        self.settings = settings
        self.control = control
        self.registry = registry
        self._prompts = prompts
        self._ids = ids
        self._errands = errands
        self._outbound = outbound
        self.keeper: Keeper | None = None  # of the records, where there is a database
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls: dict[str, Call] = {}  # that have begun

    @property
    def retry_after(self) -> int:
        """Seconds that a caller is told to wait when there is no room."""
        wait = math.ceil(self.registry.wait_seconds)
        return max(self.settings.limits.retry_after_seconds, wait)

    def admit(self, plan: LinkPlan) -> Call:
        """Take a call in; it has yet to be given its caller.

        Raises:
            CapacityError: There is no room for it.

        """
        parts = CallParts(
            make_link=plan.make,
            transport=plan.transport,
            audio_format=plan.audio_format,
            audio=plan.lane_audio,
            prompts=self._prompts,
            recordings=self.settings.media.recordings,
            recording_format=self.settings.media.recording_format,
            connect_seconds=self.settings.realtime.connect_seconds,
            quota=self.registry.quota,
            errands=self._errands,
            outbound=None if plan.transport == "sip" else self._outbound,
            audience=self.registry.audience,
            callee=callee_options(self.settings, self.control, plan.lane_audio),
            keeper=self.keeper,
        )
        call = Call(self._ids.token(), Controller(self.control, classify), parts)
        self.registry.admit(call)
        return call

    def begin(self, call: Call) -> None:
        """Let a call live, until it ends.

        It starts at once: its leg may tell of an answer before a task would have its turn.
        """
        self._calls[call.call_id] = call
        call.begin()
        task = asyncio.create_task(self._live(call), name=f"call {call.call_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def find(self, call_id: str) -> Call | None:
        """Return a call that has begun and is not over; ``None`` where there is none."""
        return self._calls.get(call_id)

    def dismiss(self, call: Call) -> None:
        """Let go of a call that came to nothing before it began."""
        self.registry.forget(call)

    async def drain(self, seconds: float) -> None:
        """Wait for the calls to end by themselves, then end those that have not."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for call in self.registry:
            call.hang_up("gateway stopped")
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5.0)

    async def _live(self, call: Call) -> None:
        try:
            await call.run()
        finally:
            self._calls.pop(call.call_id, None)
            self.registry.release(call)

"""A call that must not notice what a test does to the gateway, and another that must still work.

Example:
    ::

        async with witnessed() as scene:
            ...  # whatever may come in from outside

When the block ends, the witness's call must have been heard both ways all along, a new caller
must be served, and nothing may have been logged as an error.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from structlog.testing import capture_logs

from ..app import Gateway
from ..calls.registry import CallRecord
from .bare_phone import BarePhone
from .hearing import tone_share
from .loopback import loopback_gateway, sip_address
from .service import LoopbackService, ServiceSession

__all__ = ["Scene", "witnessed"]

Pcm: TypeAlias = NDArray[np.int16]

_CALLER: Final = 407.0  # Hz; what the witness says
_SERVICE: Final = 1037.0  # Hz; what every session says, unless told otherwise
_HEARD: Final = 0.8  # the share of power a tone must have
_SECONDS: Final = 0.4
_LOOK: Final = 0.02  # seconds between two looks at the calls in progress


@dataclass(slots=True)
class Scene:
    """A gateway, its service, and the call that goes on."""

    gateway: Gateway
    service: LoopbackService
    host: str = "127.0.0.1"  # of every phone

    def phone(self, name: str, frequency: float = 587.0) -> BarePhone:
        """Return a phone that may misbehave; to be used as ``async with``."""
        gateway = sip_address(self.gateway)
        return BarePhone(gateway, name=name, frequency=frequency, host=self.host)

    async def session_of(self, phone: BarePhone) -> ServiceSession:
        """Have a phone call, and return the session that answers it, silent so far."""
        number = len(self.service.sessions)
        response = await phone.dial()
        assert response.status == 200, response
        return await self.service.session(number)

    def record(self, name: str) -> CallRecord:
        """Return the record of the latest call of a phone."""
        return next(r for r in self.gateway.registry.records() if r.caller == name)

    async def ended(self, name: str, *, within: float = 5.0) -> CallRecord:
        """Wait until a phone's call is over, and return its record.

        Raises:
            TimeoutError: It still lasts.

        """
        for _ in range(round(within / _LOOK)):
            if not self.is_live(name):
                return self.record(name)
            await asyncio.sleep(_LOOK)
        raise TimeoutError(f"the call of {name} still lasts")

    def is_live(self, name: str) -> bool:
        """Tell whether a phone has a call in progress."""
        return any(call.record().caller == name for call in self.gateway.registry)


@asynccontextmanager
async def witnessed(*, host: str = "127.0.0.1", **tables: Any) -> AsyncIterator[Scene]:
    """Run a gateway with one call up; what the block does must not disturb it.

    The service speaks only when told to; ``host`` is where the callers are, ``tables`` are
    settings.

    Raises:
        AssertionError: The call was disturbed, or no other can be made.

    """
    call = {"greet": False} | tables.pop("call", {})
    async with (
        _no_faults(),
        LoopbackService([_SERVICE]) as service,
        loopback_gateway(service.url, call=call, **tables) as gateway,
    ):
        scene = Scene(gateway, service, host)
        async with scene.phone("witness", _CALLER) as witness:
            session = await scene.session_of(witness)
            session.talk()
            await witness.hears_sound()
            since_phone, since_session = len(witness.heard), len(session.heard)
            yield scene
            await asyncio.gather(session.hears(_SECONDS), _assert_serves(scene))
            _assert_tone(session.heard[since_session:], session.rate, _CALLER, "the service")
            _assert_tone(witness.heard[since_phone:], 8000, _SERVICE, "the witness")
            assert scene.is_live("witness")
            await witness.hang_up()


@asynccontextmanager
async def _no_faults() -> AsyncIterator[None]:
    """Collect what is logged as an error, and what the event loop is told of; expect neither."""
    loop = asyncio.get_running_loop()
    faults: list[Any] = []
    loop.set_exception_handler(lambda _, told: faults.append(told))
    try:
        with capture_logs() as logs:
            yield
    finally:
        loop.set_exception_handler(None)
    faults += [entry for entry in logs if entry["log_level"] in ("error", "critical")]
    assert not faults, faults


async def _assert_serves(scene: Scene) -> None:
    async with scene.phone("newcomer", _CALLER) as phone:
        session = await scene.session_of(phone)
        session.talk()
        await phone.hears_sound()
        _assert_tone(await phone.hears(_SECONDS), 8000, _SERVICE, "the newcomer")
        _assert_tone(await session.hears(_SECONDS), session.rate, _CALLER, "the service")
        assert (await phone.hang_up()).status == 200
    await scene.ended("newcomer")


def _assert_tone(sound: Pcm, rate: int, frequency: float, who: str) -> None:
    share = tone_share(sound, frequency, rate)
    assert share > _HEARD, f"{who} hears {share:.0%} of {frequency} Hz in {len(sound) / rate:.2f} s"

"""Six callers and six sessions at once: each must hear its own partner and nobody else."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs.tones import tone

from gateway.calls.softphone import Softphone
from gateway.testing.hearing import tone_share
from gateway.testing.loopback import loopback_gateway, sip_address
from gateway.testing.service import LoopbackService, ServiceSession
from gateway.testing.sound import write_wav

pytestmark = pytest.mark.interop

# Hz; no tone is near a multiple of another, nor near one of a telephone's keys.
PHONES = [317.0, 407.0, 497.0, 587.0, 731.0, 887.0]
SESSIONS = [1037.0, 1367.0, 1673.0, 1943.0, 2297.0, 2777.0]
SECONDS = 2.0
EAR_RATE = 24_000


def assert_only(recording: NDArray[np.int16], rate: int, own: float, who: str) -> None:
    shares = {frequency: tone_share(recording, frequency, rate) for frequency in PHONES + SESSIONS}
    assert shares.pop(own) > 0.8, f"{who} does not hear {own} Hz"
    loudest = max(shares, key=lambda frequency: shares[frequency])
    assert shares[loudest] < 0.001, f"{who} hears {loudest} Hz: {shares[loudest]:.4f}"


async def hears_its_session(phone: Softphone, own: float) -> None:
    assert await phone.ear.sound(0.5, within=5.0)
    since = len(phone.ear)
    assert await phone.ear.sound(SECONDS, within=5.0)
    assert_only(phone.ear.recording(since), EAR_RATE, own, f"the phone that should hear {own} Hz")


async def hears_its_phone(session: ServiceSession, own: float) -> None:
    await session.hears(0.5)
    recording = await session.hears(SECONDS)
    assert_only(recording, session.rate, own, f"the session that should hear {own} Hz")


@pytest.mark.parametrize("pass_through", [False, True], ids=["pcm", "pass-through"])
async def test_six_callers_hear_their_own_session_and_are_heard_by_it(
    tmp_path: Path, pass_through: bool
) -> None:
    media = {"pass_through": pass_through}
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(LoopbackService(SESSIONS))
        gateway = await stack.enter_async_context(loopback_gateway(service.url, media=media))
        phones: list[Softphone] = []
        for index, frequency in enumerate(PHONES):
            transport: Literal["udp", "tcp"] = "tcp" if index % 2 else "udp"
            phone = await stack.enter_async_context(Softphone(transport=transport))
            host, port = sip_address(gateway, transport)
            await phone.dial(f"sip:demo@{host}:{port}")
            await service.session(index)
            said = tone(frequency, 15_000, 8000, -15.0)
            phone.play(write_wav(tmp_path / f"{index}.wav", said, 8000))
            phones.append(phone)
        async with asyncio.TaskGroup() as listeners:
            for phone, own in zip(phones, SESSIONS, strict=True):
                listeners.create_task(hears_its_session(phone, own))
            for session, own in zip(service.sessions, PHONES, strict=True):
                listeners.create_task(hears_its_phone(session, own))

"""A service that breaks off, talks nonsense or is talked over: no caller is left in silence.

Where the service breaks off here it is not tried again; `test_reconnect.py` is about that.
"""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray
from voicecodecs.tones import tone

from gateway.media.prompts import SHIPPED, Prompt
from gateway.testing.bare_phone import BarePhone
from gateway.testing.hearing import active, heard_part, tone_share
from gateway.testing.service import ServiceSession
from gateway.testing.sound import write_wav
from gateway.testing.witness import Scene, witnessed

pytestmark = pytest.mark.interop

SERVICE, PROMPT = 1037.0, 1673.0  # Hz
PROMPT_MS = 800
SLACK_MS = 60
KEY = "input_audio_buffer.dtmf_event_received"
AT_ONCE: Final[dict[str, Any]] = {"reconnect_seconds": 0.0}  # done without, once it is lost
GOODBYE: Final[dict[str, Any]] = {"on": KEY, "digit": "9", "do": [{"say": "Goodbye."}, "hangup"]}


@contextlib.asynccontextmanager
async def in_call(scene: Scene) -> AsyncIterator[tuple[BarePhone, ServiceSession]]:
    """A caller who is being talked to."""
    async with scene.phone("caller") as phone:
        session = await scene.session_of(phone)
        session.talk()
        await phone.hears_sound()
        await phone.hears(0.2)
        yield phone, session


def prompting(folder: Path) -> dict[str, Any]:
    """Settings under which a caller is told that the service is away."""
    path = write_wav(folder / "sorry.wav", tone(PROMPT, PROMPT_MS, 8000, -15.0), 8000)
    return {"fallback": {"prompt": "sorry"}, "prompts": {"sorry": path}, "realtime": AT_ONCE}


def milliseconds(sound: NDArray[np.int16], frequency: float) -> int:
    """Return how long a tone is heard in 8 kHz sound."""
    frames = sound[: len(sound) // 160 * 160].reshape(-1, 160)
    return 20 * sum(tone_share(frame, frequency, 8000) > 0.8 for frame in frames)


async def break_off(session: ServiceSession, how: str) -> None:
    await (session.vanish() if how == "reset" else session.close())


# The service breaks off


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_a_caller_hears_an_apology_though_nothing_is_configured(how: str) -> None:
    async with witnessed(realtime=AT_ONCE) as scene, in_call(scene) as (phone, session):
        since = len(phone.heard)
        await break_off(session, how)
        await phone.asked("BYE", within=9.0)
        apology = Prompt.load(SHIPPED / "unavailable.wav")
        heard = heard_part(phone.heard[since:], apology.at(8000), 8000)
        assert heard.similarity > 0.9
        assert heard.offset < 0.3 * 8000, "the caller is left in silence"
        assert heard.at_least_ms > apology.seconds * 1000 - 500
        record = await scene.ended("caller")
        assert (record.ended_by, record.reason) == ("gateway", "service lost")


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_the_call_ends_at_once_where_the_prompt_is_switched_off(how: str) -> None:
    tables = {"fallback": {"prompt": ""}, "realtime": AT_ONCE}
    async with witnessed(**tables) as scene, in_call(scene) as (phone, session):
        await break_off(session, how)
        await phone.asked("BYE", within=1.0)
        record = await scene.ended("caller")
        assert (record.ended_by, record.reason) == ("gateway", "service lost")


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_the_caller_hears_a_prompt_first_where_there_is_one(tmp_path: Path, how: str) -> None:
    async with witnessed(**prompting(tmp_path)) as scene, in_call(scene) as (phone, session):
        since = len(phone.heard)
        await break_off(session, how)
        await phone.asked("BYE", within=3.0)
        sound = phone.heard[since:]
        assert abs(milliseconds(sound, PROMPT) - PROMPT_MS) <= SLACK_MS
        assert active(sound, 8000).mean() > 0.8, "the caller is left in silence"
        record = await scene.ended("caller")
        assert (record.ended_by, record.reason) == ("gateway", "service lost")


@pytest.mark.parametrize("welcome", ["ignore", "close"])
async def test_a_service_that_never_gets_ready_refuses_the_call(welcome: Any) -> None:
    async with witnessed(realtime={"connect_seconds": 1.0}) as scene:
        scene.service.welcome = welcome
        async with scene.phone("caller") as phone:
            assert (await phone.dial()).status == 503
        scene.service.welcome = "serve"


async def test_a_caller_is_told_of_a_service_that_never_gets_ready(tmp_path: Path) -> None:
    settings = prompting(tmp_path) | {"realtime": {"connect_seconds": 1.0}}
    async with witnessed(**settings) as scene, scene.phone("caller") as phone:
        scene.service.welcome = "ignore"
        assert (await phone.dial()).status == 200
        await phone.asked("BYE", within=3.0)
        assert abs(milliseconds(phone.heard, PROMPT) - PROMPT_MS) <= SLACK_MS
        scene.service.welcome = "serve"


async def test_a_goodbye_that_is_all_here_is_heard_though_the_service_breaks_off() -> None:
    async with witnessed(rules=[GOODBYE]) as scene, in_call(scene) as (phone, session):
        session.replies = [0.8]
        await phone.press("9")
        await session.until(lambda: bool(session.of("response.create")))
        since = len(phone.heard)
        await session.until_hushed()
        await session.close()
        await phone.asked("BYE", within=3.0)
        assert abs(milliseconds(phone.heard[since:], SERVICE) - 800) <= SLACK_MS


# Keys during a goodbye


async def test_a_key_without_a_rule_does_not_touch_a_goodbye() -> None:
    async with witnessed(rules=[GOODBYE]) as scene, in_call(scene) as (phone, session):
        session.replies = [1.2]
        await phone.press("9")
        await session.until(lambda: bool(session.of("response.create")))
        since = len(phone.heard)
        await phone.hears(0.4)
        await phone.press("5")
        await phone.asked("BYE", within=3.0)
        assert abs(milliseconds(phone.heard[since:], SERVICE) - 1200) <= SLACK_MS
        record = await scene.ended("caller")
        assert record.ended_by == "gateway"
        assert any("key 5 ignored" in str(entry["detail"]) for entry in record.timeline)


async def test_a_key_with_a_rule_takes_a_goodbye_back() -> None:
    stay = {"on": KEY, "digit": "1", "do": ["respond"]}
    async with witnessed(rules=[GOODBYE, stay]) as scene, in_call(scene) as (phone, session):
        session.replies = [1.2, 600.0]
        await phone.press("9")
        await session.until(lambda: len(session.of("response.create")) == 1)
        await phone.hears(0.4)
        await phone.press("1")
        await session.until(lambda: len(session.of("response.create")) == 2)
        sound = await phone.hears(1.5)
        assert milliseconds(sound, SERVICE) > 1200
        assert scene.is_live("caller")
        assert scene.record("caller").state == "talking"


# The service talks nonsense


def nonsense() -> list[str | bytes]:
    """Messages no service should send."""
    delta = {"type": "response.output_audio.delta", "response_id": "resp_1", "item_id": "item_1"}
    objects: list[Any] = [
        None, 42, [], {}, {"type": None}, {"type": ["a"]}, {"type": ""},
        {"type": "input_audio_buffer.telepathy_received", "thought": "?"},
        {"type": "session.updated", "session": "mine"},
        {"type": "response.created", "response": 7},
        {"type": "response.done", "response": {"id": {}, "output": "none"}},
        {"type": "response.done"},
        {"type": "error"},
        {"type": "error", "error": {"code": "no_such_code", "message": None}},
        {"type": "input_audio_buffer.dtmf_event_received", "event": "☎", "received_at": "now"},
        {"type": "input_audio_buffer.dtmf_event_received", "event": "12345", "received_at": -1},
        {"type": "conversation.item.done", "item": {"type": "function_call", "arguments": "{"}},
        {"type": "response.function_call_arguments.done", "call_id": "c", "arguments": "}{"},
        {**delta}, {**delta, "delta": 5}, {**delta, "delta": "not base64 !"},
        {**delta, "delta": "QQ=="}, {**delta, "delta": "AAAA", "content_index": "first"},
    ]  # fmt: skip
    texts = [json.dumps(thing) for thing in objects]
    deep = "[" * 100_000
    return [*texts, "", "}", deep, '{"type": "error", "error": ' + deep, b"\0\xff\xfe", b"{}"]


async def test_nonsense_from_the_service_is_passed_over() -> None:
    async with witnessed() as scene, in_call(scene) as (phone, session):
        since = len(phone.heard)
        for message in nonsense():
            await session.send_raw(message)
        await phone.hears(0.6)
        assert tone_share(phone.heard[since:], SERVICE, 8000) > 0.8
        assert (await phone.hang_up()).status == 200
        link = (await scene.ended("caller")).link
        assert link["malformed_events"] > 10
        assert link["unknown_events"] > link["malformed_events"]


async def test_what_still_comes_of_a_cut_response_is_not_heard() -> None:
    async with witnessed() as scene, in_call(scene) as (phone, session):
        await session.send("input_audio_buffer.speech_started", item_id="i", audio_start_ms=0)
        await session.until(lambda: bool(session.of("conversation.item.truncate")))
        await phone.hears(0.1)
        assert milliseconds(await phone.hears(0.6), SERVICE) == 0  # it goes on talking meanwhile
        await session.hush("cancelled")
        session.talk()
        await phone.hears_sound(within=1.0)


async def test_audio_of_a_response_never_begun_does_not_hold_a_call_up() -> None:
    hang_up = {"on": KEY, "digit": "9", "do": ["hangup"]}
    call = {"goodbye_seconds": 1.0}
    async with witnessed(rules=[hang_up], call=call) as scene, in_call(scene) as (phone, session):
        await session.hush()
        await session.send_audio("resp_of_nobody", 0.4)
        await phone.press("9")
        await phone.asked("BYE", within=4.0)
        assert (await scene.ended("caller")).ended_by == "gateway"

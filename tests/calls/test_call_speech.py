"""Speech that comes over a link: played, finished, and heard out though the link is gone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from call_parts import parts

from gateway.calls.attachment import OnAudio
from gateway.calls.call import Call
from gateway.config import Settings
from gateway.control.controller import Controller
from gateway.control.settings import ControlSettings
from gateway.errors import LinkError
from gateway.legs.events import LegAnswered, LegEnded
from gateway.media.events import Mark
from gateway.media.stats import LaneStats
from gateway.realtime.commands import ClientEvent, SessionUpdate
from gateway.realtime.events import (
    ResponseCreated,
    ResponseDone,
    ResponseOutputAudioDelta,
    SessionUpdated,
)
from gateway.realtime.faults import classify
from gateway.realtime.items import ResponseInfo
from gateway.realtime.link import Link, LinkStats, OnClosed, OnEvent
from gateway.testing.virtual_time import run


class FakeLane:
    figures: LaneStats | None = None

    def __init__(self) -> None:
        self.did: list[tuple[Any, ...]] = []

    def play(self, audio: bytes, mark: Mark) -> None:
        self.did.append(("play", mark.response_id))

    def stream(self, audio: bytes, source: str = "agent") -> None:
        assert source == "agent"
        self.did.append(("stream", audio))

    def finish(self, response_id: str) -> None:
        self.did.append(("finish", response_id))

    def flush(self) -> None:
        self.did.append(("flush",))

    def play_prompt(self, prompt: object, name: str, *, repeat: bool = False) -> None:
        self.did.append(("prompt", name, repeat))

    def stats(self) -> LaneStats | None:
        return self.figures

    def close(self) -> None:
        pass


class FakeLeg:
    kind, id, caller, called = "sip", "leg", "ann", "demo"

    def __init__(self) -> None:
        self.call: Call

    def ring(self) -> None:
        pass

    def answer(self) -> None:
        self.call.on_leg(LegAnswered())

    def hang_up(self, reason: str = "") -> None:
        self.call.on_leg(LegEnded("gateway", 200, reason))


class FakeLink:
    def __init__(self, on_event: OnEvent, on_closed: OnClosed, on_audio: OnAudio) -> None:
        self.on_event, self.on_closed, self.on_audio = on_event, on_closed, on_audio
        self.stats = LinkStats()
        self.sent: list[ClientEvent] = []

    async def connect(self) -> None:
        pass

    def send(self, command: ClientEvent) -> str:
        self.sent.append(command)
        if isinstance(command, SessionUpdate):
            confirmed = SessionUpdated(session=command.session)
            asyncio.get_running_loop().call_soon(self.on_event, confirmed)
        return command.event_id or ""

    def append(self, chunk: bytes) -> None:
        pass

    async def close(self) -> None:
        pass

    def speak(self, response_id: str) -> None:
        """Begin a response and send a piece of it."""
        self.on_event(ResponseCreated(response=ResponseInfo(id=response_id, status="in_progress")))
        delta = ResponseOutputAudioDelta(
            response_id=response_id, item_id="i", output_index=0, content_index=0, delta=bytes(960)
        )
        self.on_event(delta)


class Scene:
    def __init__(self, **changes: Any) -> None:
        self.links: list[FakeLink] = []
        self.lane, self.leg = FakeLane(), FakeLeg()
        controller = Controller(ControlSettings.of(Settings()), classify)
        self.call = self.leg.call = Call("1", controller, parts(make_link=self.make, **changes))
        self.call.attach(cast("Any", self.leg), cast("Any", self.lane))
        self.call.begin()
        self.task = asyncio.create_task(self.call.run())

    def make(self, *callbacks: Any) -> Link:
        self.links.append(FakeLink(*callbacks))
        return cast("Link", self.links[-1])

    @property
    def link(self) -> FakeLink:
        return self.links[-1]


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    await settle()
    yield scene
    scene.call.hang_up("test over")
    await scene.task


async def test_speech_is_played_and_its_end_marked(scene: Scene) -> None:
    scene.link.speak("r1")
    scene.link.on_event(ResponseDone(response=ResponseInfo(id="r1", status="completed")))
    assert scene.lane.did == [("play", "r1"), ("finish", "r1")]


async def test_what_came_before_the_link_was_lost_is_heard_to_its_end(scene: Scene) -> None:
    scene.link.speak("r1")
    scene.link.on_closed(LinkError("broke off"))
    assert scene.lane.did == [("play", "r1"), ("finish", "r1")]
    assert scene.call.record().state == "talking"


async def test_a_finished_answer_is_not_finished_again_by_a_loss(scene: Scene) -> None:
    scene.link.speak("r1")
    scene.link.on_event(ResponseDone(response=ResponseInfo(id="r1", status="completed")))
    scene.lane.did.clear()
    scene.link.on_closed(LinkError("broke off"))
    assert scene.lane.did == []


def test_a_record_tells_how_well_the_caller_was_received_all_along() -> None:
    async def live() -> dict[str, Any]:
        scene = Scene()
        scene.lane.figures = LaneStats(codec="PCMU", packets_received=250)
        await asyncio.sleep(12)
        scene.call.hang_up("test over")
        await scene.task
        assert "series" not in scene.call.record().as_dict(with_timeline=False)["media"]
        return scene.call.record().as_dict()

    points = run(live())["media"]["series"]
    assert [(point["at"], point["codec"]) for point in points] == [
        (5.0, "PCMU"),
        (10.0, "PCMU"),
        (12.0, "PCMU"),
    ]


async def test_live_speech_goes_straight_to_the_caller() -> None:
    scene = Scene(transport="webrtc", audio_format="")
    await settle()
    scene.link.on_audio(b"\x01\x02")
    scene.link.speak("r1")  # of no use where the sound comes by itself
    assert scene.lane.did == [("stream", b"\x01\x02")]
    scene.call.hang_up("test over")
    await scene.task

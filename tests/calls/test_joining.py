"""Coming to supervise a call: once the connection is up, and gone again with it."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from gateway.calls.browsers import Guest
from gateway.calls.call import Call
from gateway.calls.narration import Narration
from gateway.calls.patchbay import Patchbay
from gateway.calls.registry import CallRecord
from gateway.calls.supervision import Supervision
from gateway.calls.supervisors import Asked, Supervisors, seat_of
from gateway.control.actions import Supervise
from gateway.control.events import Event, LegEnded, SupervisionChanged
from gateway.errors import DialError
from gateway.legs.web_connection import WebConnection
from gateway.legs.web_events import Connected, Disconnected, MessageCame, WebEvent
from gateway.media.events import VoiceStarted
from gateway.media.options import LaneOptions
from gateway.testing.flow import Flow
from gateway.testing.virtual_time import run
from tests.control.call_scenes import talking

ANN = Guest("ann")


class FakeLane:
    """A supervisor's, of which packets come or do not."""

    def __init__(self) -> None:
        self.packets_received = 0

    def stats(self) -> "FakeLane":
        return self

    def stream(self, chunk: bytes, source: str) -> None:
        pass


class FakeConnection:
    def __init__(self, on_event: Callable[[WebEvent], None], on_lane: Any, on_audio: Any) -> None:
        self.id = "secret"
        self.lane = FakeLane()
        self.tell, self.on_lane, self.on_audio = on_event, on_lane, on_audio
        self.closed: list[str] = []

    def close(self, reason: str = "") -> None:
        self.closed.append(reason)
        self.tell(Disconnected(reason))


class Line:
    """A call in virtual time, and whoever joins it."""

    def __init__(self, flow: Flow | None = None) -> None:
        self.call_id = "call"
        self.unix_time = 1000.0
        self.flow = flow or talking()
        self.bay = Patchbay(
            {}, None, is_ours_to_play=True, audio="pcmu", to_service=lambda chunk: None
        )
        self.supervisors = Supervisors(self.flow.controller, self.bay, "pcmu", self.post)
        self.connections: list[FakeConnection] = []
        self.options: LaneOptions | None = None

    def post(self, event: Event | Asked) -> None:
        before = len(self.flow.actions)
        if isinstance(event, Asked):
            self.flow.ask(*event.requests, by=event.by)
        else:
            self.flow.post(event)
        for _, action in self.flow.actions[before:]:
            if isinstance(action, Supervise):
                self.bay.supervise(action.supervisor, action.mode)

    async def connect(self, offer: bytes, options: LaneOptions, **told: Any) -> WebConnection:
        assert offer == b"offer"
        self.options = options
        self.connections.append(FakeConnection(**told))
        return cast("WebConnection", self.connections[-1])

    async def join(
        self, mode: Any = "listen", call_id: str = "call", guest: Guest = ANN
    ) -> FakeConnection:
        found = {"call": cast("Call", self)}
        supervision = Supervision(found.get, self.connect, unix_clock=lambda: self.unix_time)
        await supervision.join(call_id, mode, b"offer", guest)
        return self.connections[-1]

    @property
    def news(self) -> list[str]:
        entries = [entry.subject for entry in self.flow.timeline.entries]
        return [one.mode for one in entries if isinstance(one, SupervisionChanged)]


async def test_somebody_is_there_once_their_connection_is_up_and_gone_with_it() -> None:
    line = Line()
    page = await line.join()
    assert line.options == LaneOptions(uplink="pcmu", detect_inband=False, voice="energy")
    assert line.news == []
    page.tell(Connected())
    page.tell(MessageCame("hello"))
    assert line.news == ["listen"]
    assert seat_of("secret") in line.bay.gallery
    page.tell(Disconnected("the page is gone"))
    assert line.news == ["listen", "leave"]
    assert len(line.bay.gallery) == 0


async def test_there_must_be_such_a_call_and_a_place_in_it() -> None:
    line = Line()
    with pytest.raises(LookupError):
        await line.join(call_id="other")
    page = await line.join("speak")
    page.tell(Connected())
    with pytest.raises(DialError, match="ann speaks to the caller already") as refusal:
        await line.join("takeover")
    assert refusal.value.status == 409
    assert len(line.connections) == 1


async def test_who_comes_too_late_is_told_why_and_leaves_no_trace() -> None:
    line = Line()
    page = await line.join("takeover")
    line.post(LegEnded("caller"))
    page.tell(Connected())
    assert page.closed == ["the call is over"]
    assert line.news == []
    assert len(line.bay.gallery) == 0


async def test_whoever_is_asked_to_leave_has_their_connection_ended() -> None:
    line = Line()
    page = await line.join()
    page.tell(Connected())
    line.supervisors.ask((Supervise("leave"),), "ann")
    assert page.closed == ["no longer supervises the call"]
    assert line.news == ["listen", "leave"]


async def test_with_the_call_every_connection_ends() -> None:
    line = Line()
    page = await line.join()
    page.tell(Connected())
    line.post(LegEnded("caller"))
    line.bay.close()
    assert page.closed == ["no longer supervises the call"]


@pytest.mark.parametrize("mode", ["takeover", "listen", "speak"])
def test_only_who_has_the_agents_place_must_be_heard_of_all_the_time(mode: str) -> None:
    async def scene() -> None:
        line = Line()
        page = await line.join(mode)
        page.tell(Connected())
        for _ in range(60):
            page.lane.packets_received += 50
            await asyncio.sleep(1.0)
        await asyncio.sleep(2.0)
        assert line.news == [mode]
        await asyncio.sleep(2.0)
        assert line.news == ([mode, "leave"] if mode == "takeover" else [mode])
        assert bool(page.closed) is (mode == "takeover")
        page.tell(Disconnected("the end"))

    run(scene())


@pytest.mark.parametrize("mode", ["takeover", "listen", "speak"])
def test_nobody_stays_longer_than_their_token_is_good_for(mode: str) -> None:
    async def scene() -> None:
        line = Line()
        page = await line.join(mode, guest=Guest("ann", until=1060.0))
        page.tell(Connected())
        for _ in range(59):
            page.lane.packets_received += 50
            line.unix_time += 1.0
            await asyncio.sleep(1.0)
        assert line.news == [mode]
        line.unix_time += 1.0
        await asyncio.sleep(1.0)
        assert line.news == [mode, "leave"]
        assert page.closed == ["no longer supervises the call"]
        assert not line.bay.gallery.is_taken_over
        (left,) = [one for one in line.flow.timeline.entries if one.name == "supervisor.left"]
        assert left.detail["reason"] == "their token has expired"

    run(scene())


async def test_whose_token_has_ended_before_they_came_is_not_let_in() -> None:
    line = Line()
    page = await line.join("takeover", guest=Guest("ann", until=1001.0))
    line.unix_time = 1001.0
    page.tell(Connected())
    assert page.closed == ["their token has expired"]
    assert line.news == []


async def test_that_a_supervisor_speaks_is_told_while_the_caller_hears_them() -> None:
    line = Line()
    page = await line.join()
    page.tell(Connected())
    page.on_lane(VoiceStarted(1.0))
    assert "voice.started" not in {entry.name for entry in line.flow.timeline.entries}
    line.supervisors.ask((Supervise("speak"),), "ann")
    page.on_lane(VoiceStarted(2.0))
    assert line.flow.timeline.entries[-1].detail == {"leg": "supervisor"}


def test_a_caller_at_a_page_of_their_own_is_not_told_who_listens() -> None:
    flow, told = talking(), list[str]()
    narration = Narration()
    narration.follow("call", told.append)
    narration.call_began(CallRecord("call", "ann", "web", 0.0, "talking", 1.0))
    before = len(flow.timeline.entries)
    flow.ask(Supervise("listen", "a"), by="ann")
    for entry in flow.timeline.entries[before:]:
        narration.call_told("call", entry)
    assert "supervision.changed" in {entry.name for entry in flow.timeline.entries}
    assert not any('"supervision"' in message or "ann" in message for message in told[1:])

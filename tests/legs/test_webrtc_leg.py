"""A caller at a browser, in the words of any leg."""

import pytest
from web_scene import WebScene, settle

from gateway.legs.events import (
    LegAnswered,
    LegEnded,
    LegEvent,
    LegKey,
    LegMedia,
    TransferEnded,
)
from gateway.legs.webrtc_leg import WebRtcLeg
from gateway.testing.offers import chromium


class Scene(WebScene):
    """A leg over a connection that is prepared."""

    def __init__(self, offer: str = "") -> None:
        super().__init__(offer)
        self.events: list[LegEvent] = []
        self.leg: WebRtcLeg

    async def begin(self) -> "Scene":
        await self.connection.prepare()
        self.leg = WebRtcLeg(
            "leg-1",
            self.connection,
            self.events.append,
            caller="ann",
            called="web",
            headers={"Origin": "https://shop.example"},
            explain=lambda end: f"ended: {end.reason}",
        )
        return self

    async def talk(self) -> "Scene":
        await self.begin()
        self.leg.answer()
        self.way.come()
        self.events.clear()
        return self


async def test_it_is_answered_when_there_is_a_way_for_its_sound() -> None:
    scene = await Scene().begin()
    scene.leg.ring()
    scene.leg.answer()
    assert scene.events == []
    scene.way.come()
    assert scene.events == [LegMedia(scene.connection.negotiated), LegAnswered()]


async def test_a_way_that_is_there_first_waits_for_the_answer() -> None:
    scene = await Scene().begin()
    scene.way.come()
    assert scene.events == [LegMedia(scene.connection.negotiated)]
    scene.leg.answer()
    scene.leg.answer()
    assert scene.events[1:] == [LegAnswered()]


async def test_keys_of_the_page_are_told_as_the_browser_s() -> None:
    scene = await Scene().talk()
    scene.way.hear('{"type":"key","key":"5","duration_ms":100}')
    scene.way.hear('{"type":"key","key":"a"}')
    scene.way.hear('{"type":"key","key":"#","duration_ms":1e300,"more":1}')
    assert scene.events == [
        LegKey("5", "browser", 100),
        LegKey("A", "browser", 0),
        LegKey("#", "browser", 60_000),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "[]",
        '{"type":"key"}',
        '{"type":"key","key":"12"}',
        '{"type":"key","key":7}',
        '{"type":"key","key":"5","duration_ms":"long"}',
        '{"type":"hang_up"}',
        '{"type":"key","key":"5","junk":"' + "x" * 2000 + '"}',
        "[" * 5000,
        "\ud800",
    ],
)
async def test_what_is_none_of_the_protocol_s_is_counted(text: str) -> None:
    scene = await Scene().talk()
    scene.way.hear(text)
    assert (scene.events, scene.leg.unread) == ([], 1)


async def test_a_hold_is_silence_and_a_word_to_the_page() -> None:
    scene = await Scene().talk()
    scene.leg.hold()
    scene.leg.resume()
    assert scene.lane.holds == [True, False]
    assert scene.way.sent == ['{"type":"held","is_on":true}', '{"type":"held","is_on":false}']


async def test_keys_for_the_page_go_in_the_sound_and_in_a_message() -> None:
    scene = await Scene().talk()
    scene.leg.send_dtmf("1a?")
    scene.leg.send_dtmf("?")
    assert scene.lane.digits == ["1A"]
    assert scene.way.sent == ['{"type":"keys","keys":"1A"}']


async def test_a_page_without_keys_in_its_sound_gets_the_message_alone() -> None:
    scene = await Scene(chromium().replace("telephone-event", "x-event")).talk()
    scene.leg.send_dtmf("1")
    assert scene.lane.digits == []
    assert scene.way.sent == ['{"type":"keys","keys":"1"}']


async def test_nobody_is_sent_elsewhere() -> None:
    scene = await Scene().talk()
    scene.leg.transfer("sip:operator@pbx.example")
    assert scene.events == [TransferEnded(is_accepted=False, status=501)]


async def test_hanging_up_tells_the_page_why_and_is_told_once() -> None:
    scene = await Scene().talk()
    scene.leg.hang_up("goodbye")
    scene.leg.hang_up("goodbye again")
    await settle()
    assert scene.way.sent == ["ended: goodbye"]
    assert scene.events == [LegEnded("gateway", 200, "goodbye", 16)]
    assert scene.lane.is_closed


async def test_a_call_that_is_not_taken_ends_with_its_status() -> None:
    scene = await Scene().begin()
    scene.way.come()
    scene.leg.reject(486, "closed")
    await settle()
    assert scene.way.sent == ["ended: closed"]
    assert scene.events[1:] == [LegEnded("gateway", 486, "closed", 17)]


async def test_a_redirect_is_a_refusal() -> None:
    scene = await Scene().begin()
    scene.way.come()
    scene.leg.redirect("sip:other@pbx.example")
    await settle()
    assert isinstance(ended := scene.events[-1], LegEnded)
    assert (ended.by, ended.status) == ("gateway", 501)


@pytest.mark.parametrize(
    ("so_far", "how", "status", "reason"),
    [
        ("nothing", "go", 408, "never connected"),
        ("nothing", "leave", 487, "hung up"),
        ("way", "go", 487, "never connected"),
        ("up", "go", 200, "never connected"),
        ("up", "leave", 200, "hung up"),
    ],
)
async def test_a_page_that_is_gone_ended_its_call_however_far_that_was(
    so_far: str, how: str, status: int, reason: str
) -> None:
    scene = await Scene().begin()
    if so_far != "nothing":
        scene.way.come()
    if so_far == "up":
        scene.leg.answer()
    if how == "go":
        scene.way.go("never connected")
    else:
        scene.connection.leave()
    await settle()
    assert isinstance(ended := scene.events[-1], LegEnded)
    assert (ended.by, ended.status, ended.reason) == ("caller", status, reason)
    scene.leg.hang_up("late")
    scene.leg.answer()
    await settle()
    assert scene.events[-1] is ended


async def test_a_page_that_leaves_while_we_hang_up_ends_the_call_once() -> None:
    scene = await Scene().talk()
    scene.leg.hang_up("goodbye")
    scene.connection.leave()
    scene.way.go("gone")
    await settle()
    assert scene.events == [LegEnded("gateway", 200, "goodbye", 16)]

"""A browser's connection: what it agrees to, how it is changed, and how it ends."""

import asyncio

import pytest
from web_scene import WebScene, settle

from gateway.errors import NegotiationError, RtcError, SdpError
from gateway.legs.web_events import Connected, Disconnected, MessageCame
from gateway.rtc.way import WayState
from gateway.sdp.description import SessionDescription
from gateway.sdp.fragment import IceFragment
from gateway.testing.offers import chromium
from gateway.testing.virtual_time import run

ANEW = b"a=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n"
MORE = (
    b"a=ice-ufrag:Xy9z\r\na=ice-pwd:4ZcD2x6FJjcJqRr0V0kW8bQp\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
    b"a=candidate:1 1 udp 1 192.0.2.9 4000 typ host\r\na=end-of-candidates\r\n"
)


async def test_the_answer_tells_where_we_are_and_the_lane_waits_for_whoever_proves_it() -> None:
    scene = await WebScene().prepare()
    (audio, _) = SessionDescription.parse(scene.connection.answer).media
    assert audio.attribute("candidate") == scene.way.candidates[0]
    assert audio.attribute("ice-ufrag") == "ours1"
    assert scene.lane.agreed == [scene.connection.negotiated]
    assert [remote.ufrag for remote in scene.way.remotes] == ["Xy9z"]
    assert [candidate.split()[5] for candidate in scene.way.tried] == ["46243", "9"]
    assert scene.told == []


async def test_sound_is_told_once_however_often_the_way_is_quiet_in_between() -> None:
    scene = await WebScene().prepare()
    for state in (WayState.CONNECTED, WayState.QUIET, WayState.CONNECTED):
        scene.way.on_state(state)
    assert scene.told == [Connected()]


async def test_messages_wait_for_the_channel_the_latest_of_them() -> None:
    scene = await WebScene().prepare()
    for number in range(70):
        scene.connection.send(f"{number}")
    assert scene.way.sent == []
    scene.way.come()
    assert scene.way.sent == [f"{number}" for number in range(6, 70)]
    scene.connection.send("now")
    assert scene.way.sent[-1] == "now"
    scene.way.is_full = True
    scene.connection.send("too much")
    assert scene.connection.unsent == 7


async def test_a_browser_without_a_channel_is_told_nothing() -> None:
    scene = await WebScene(chromium(data=False)).prepare()
    scene.connection.send("hello")
    scene.way.come()
    assert (scene.way.sent, scene.connection.unsent) == ([], 1)


async def test_more_addresses_are_tried_and_begin_nothing_anew() -> None:
    scene = await WebScene().prepare()
    tag = scene.connection.entity_tag
    assert scene.connection.change(MORE, is_any=False) is None
    assert scene.way.tried[-1] == "1 1 udp 1 192.0.2.9 4000 typ host"
    assert (len(scene.way.remotes), scene.connection.entity_tag) == (1, tag)


async def test_new_credentials_begin_another_search_under_another_tag() -> None:
    scene = await WebScene().prepare()
    tag = scene.connection.entity_tag
    with pytest.raises(NegotiationError, match="If-Match") as caught:
        scene.connection.change(ANEW, is_any=False)
    assert caught.value.status == 422
    told = scene.connection.change(ANEW, is_any=True)
    assert told is not None
    ours = IceFragment.parse(told, "0")
    assert ours.credentials is not None
    assert (ours.credentials.ufrag, ours.is_complete) == ("ours2", True)
    assert ours.candidates == tuple(scene.way.candidates)
    assert scene.connection.entity_tag != tag
    assert [remote.ufrag for remote in scene.way.remotes] == ["Xy9z", "ysXw"]
    assert scene.connection.change(ANEW, is_any=False) is None  # of this generation


async def test_what_comes_late_of_a_search_that_is_over_begins_nothing() -> None:
    scene = await WebScene().prepare()
    scene.connection.change(ANEW, is_any=True)
    tag = scene.connection.entity_tag
    late = ANEW.replace(b"ysXw", b"Xy9z")
    for is_any in (True, False):
        with pytest.raises(NegotiationError, match="over") as caught:
            scene.connection.change(late, is_any=is_any)
        assert caught.value.status == 409
    assert (scene.connection.entity_tag, len(scene.way.remotes)) == (tag, 2)


async def test_an_answer_calls_us_what_our_reports_do() -> None:
    scene = await WebScene().prepare()
    named = f"a=ssrc:{scene.lane.ssrc} cname:{scene.lane.cname}\r\n"
    assert named.encode() in scene.connection.answer


async def test_a_search_that_cannot_be_begun_leaves_the_present_one() -> None:
    scene = await WebScene().prepare()
    tag = scene.connection.entity_tag
    scene.way.fault = "no relay"
    with pytest.raises(RtcError):
        scene.connection.change(ANEW, is_any=True)
    with pytest.raises(SdpError):
        scene.connection.change(b"nonsense", is_any=True)
    scene.way.come()
    assert (scene.connection.entity_tag, scene.told) == (tag, [Connected()])
    scene.way.fault = ""
    assert scene.connection.change(ANEW, is_any=True) is not None


@pytest.mark.parametrize("end", ["goes", "leaves", "is closed", "is refused"])
async def test_however_it_ends_that_is_told_once_and_the_lane_is_free(end: str) -> None:
    scene = await WebScene().prepare()
    scene.way.come()
    reasons = {"goes": "no answer", "leaves": "hung up", "is closed": "bye", "is refused": "forged"}
    for _ in range(2):
        match end:
            case "goes":
                scene.way.go("no answer")
            case "leaves":
                scene.connection.leave()
            case "is closed":
                scene.connection.close("bye")
            case _:
                scene.lane.refuse("forged")
        await settle()
    assert scene.told == [Connected(), Disconnected(reasons[end], has_left=end == "leaves")]
    assert (scene.way.is_closed, scene.lane.is_closed) == (True, True)
    assert scene.over == [scene.connection]
    scene.way.hear("late")
    scene.way.come()
    assert len(scene.told) == 2


@pytest.mark.parametrize("end", ["goes", "is closed", "is refused"])
async def test_goodbye_is_said_before_anybody_who_holds_the_lane_hears_of_the_end(end: str) -> None:
    scene = await WebScene().prepare()
    was_said: list[bool] = []
    scene.connection.listen(lambda event: was_said.append(scene.way.is_closed))
    end_of = {"goes": scene.way.go, "is closed": scene.connection.close}
    end_of.get(end, scene.lane.refuse)("why")
    await settle()
    assert was_said == [True]


async def test_what_the_page_says_is_told() -> None:
    scene = await WebScene().prepare()
    scene.way.come()
    scene.way.hear("hello")
    assert scene.told == [Connected(), MessageCame("hello")]


def test_a_page_that_is_to_learn_why_is_given_three_seconds() -> None:
    async def part() -> tuple[float, list[str]]:
        scene = await WebScene().prepare()
        scene.connection.send("why")
        scene.connection.close("closed hours", is_explained=True)
        asyncio.get_running_loop().call_later(when, scene.way.come)
        while not scene.told:
            await asyncio.sleep(0.1)
        return asyncio.get_running_loop().time(), scene.way.sent

    when = 1.0
    at, sent = run(part())
    assert (1.0 <= at < 1.3, sent) == (True, ["why"])
    when = 60.0
    at, sent = run(part())
    assert (3.0 <= at < 3.3, sent) == (True, [])

"""One link at a time: what an old one says is not heard, what the caller says is not lost."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gateway.calls.attachment import Attachment, OnAudio
from gateway.control.events import Transport
from gateway.errors import LinkError, NegotiationError
from gateway.realtime.commands import ClientEvent, ResponseCreate
from gateway.realtime.events import (
    ErrorDetail,
    ErrorEvent,
    ServerEvent,
    SessionCreated,
    Unknown,
)
from gateway.realtime.link import Link, LinkStats, OnClosed, OnEvent

CREATED = SessionCreated(session={})
CHUNK = b"\x01\x02" * 480  # 20 ms of 24 kHz PCM


class FakeLink:
    """A link that connects when told to."""

    transport: Transport = "websocket"

    def __init__(self, on_event: OnEvent, on_closed: OnClosed, on_audio: OnAudio) -> None:
        self.on_event, self.on_closed, self.on_audio = on_event, on_closed, on_audio
        self.stats = LinkStats()
        self.sent: list[ClientEvent] = []
        self.heard: list[bytes] = []
        self.reached = asyncio.Event()
        self.fault: Exception | None = None
        self.is_closed = False
        self.before: Callable[[], None] = lambda: None  # done while connecting

    async def connect(self) -> None:
        await self.reached.wait()
        self.before()
        if self.fault is not None:
            raise self.fault

    def send(self, command: ClientEvent) -> str:
        self.sent.append(command)
        self.stats.commands += 1
        return "1"

    def append(self, chunk: bytes) -> None:
        self.heard.append(chunk)
        self.stats.audio_bytes += len(chunk)

    async def close(self) -> None:
        self.is_closed = True


class Owner:
    def __init__(self) -> None:
        self.told: list[Any] = []

    def on_link(self, event: ServerEvent | Unknown) -> None:
        self.told.append(event)

    def on_link_ready(self) -> None:
        self.told.append("ready")

    def on_link_lost(self, fault: LinkError) -> None:
        self.told.append(fault)

    def on_speech(self, sound: bytes) -> None:
        self.told.append(sound)


class Scene:
    def __init__(self, transport: Transport = "websocket") -> None:
        self.owner = Owner()
        self.links: list[FakeLink] = []
        self.attachment = Attachment(self.make, self.owner, transport=transport, seconds=5.0)

    def make(self, *callbacks: Any) -> Link:
        self.links.append(FakeLink(*callbacks))
        return self.links[-1]

    async def connect(self) -> FakeLink:
        self.attachment.connect()
        await settle()
        self.links[-1].reached.set()
        await settle()
        return self.links[-1]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def scene() -> Scene:
    return Scene()


async def test_a_link_that_is_up_is_told_and_takes_commands(scene: Scene) -> None:
    link = await scene.connect()
    scene.attachment.send(ResponseCreate())
    link.on_event(CREATED)
    assert scene.owner.told == ["ready", CREATED]
    assert link.sent == [ResponseCreate()]


async def test_what_a_link_says_before_it_is_up_is_told_after(scene: Scene) -> None:
    scene.attachment.connect()
    await settle()
    (link,) = scene.links
    link.before = lambda: link.on_event(CREATED)
    link.reached.set()
    await settle()
    assert scene.owner.told == ["ready", CREATED]


async def test_a_link_that_never_stops_talking_before_it_is_up_is_lost(scene: Scene) -> None:
    scene.attachment.connect()
    await settle()
    for _ in range(2000):
        scene.links[0].on_event(CREATED)
    await settle()
    (fault,) = scene.owner.told
    assert "before the link is up" in str(fault)
    assert scene.links[0].is_closed


@pytest.mark.parametrize(
    ("fault", "is_retryable"),
    [
        (LinkError("refused", retryable=False, status=401), False),
        (LinkError("no route"), True),
        (NegotiationError("no codec"), False),
        (RuntimeError("a fault of ours"), False),
        (TimeoutError(), True),
    ],
)
async def test_a_service_that_is_not_reached_is_told_once(
    scene: Scene, fault: Exception, is_retryable: bool
) -> None:
    scene.attachment.connect()
    await settle()
    scene.links[0].fault = fault
    scene.links[0].reached.set()
    await settle()
    (told,) = scene.owner.told
    assert isinstance(told, LinkError)
    assert told.retryable is is_retryable
    assert scene.links[0].is_closed


async def test_an_attempt_that_takes_too_long_is_given_up() -> None:
    scene = Scene()
    scene.attachment._seconds = 0.001
    scene.attachment.connect()
    async with asyncio.timeout(5):
        while not scene.owner.told:
            await asyncio.sleep(0)
    assert "did not answer" in str(scene.owner.told[0])
    await settle()
    assert scene.links[0].is_closed


async def test_a_lost_link_is_told_once_and_closed(scene: Scene) -> None:
    link = await scene.connect()
    fault = LinkError("broke off")
    link.on_closed(fault)
    link.on_closed(fault)
    await settle()
    assert scene.owner.told == ["ready", fault]
    assert link.is_closed


async def test_a_link_that_ends_while_it_comes_up_is_told_once(scene: Scene) -> None:
    scene.attachment.connect()
    await settle()
    (link,) = scene.links
    fault = LinkError("broke off")
    link.before = lambda: link.on_closed(fault)
    link.reached.set()
    await settle()
    assert scene.owner.told == [fault]
    assert link.is_closed


async def test_an_old_link_is_closed_and_no_longer_heard(scene: Scene) -> None:
    old = await scene.connect()
    new = await scene.connect()
    assert old.is_closed
    scene.owner.told.clear()
    old.on_event(CREATED)
    old.on_audio(CHUNK)
    old.on_closed(LinkError("late"))
    assert scene.owner.told == []
    scene.attachment.send(ResponseCreate())
    assert (old.sent, new.sent) == ([], [ResponseCreate()])


async def test_a_link_let_go_for_good_hears_nothing_more_and_nothing_is_kept(scene: Scene) -> None:
    link = await scene.connect()
    scene.attachment.listen()
    scene.owner.told.clear()
    scene.attachment.disconnect()
    scene.attachment.hear(CHUNK)
    await settle()
    assert link.is_closed
    assert scene.owner.told == []
    later = await scene.connect()
    scene.attachment.listen()
    assert link.heard == later.heard == []


async def test_an_attempt_is_given_up_for_the_next(scene: Scene) -> None:
    scene.attachment.connect()
    await settle()
    link = await scene.connect()
    assert scene.owner.told == ["ready"]
    assert [each.is_closed for each in scene.links] == [True, False]
    assert link is scene.links[1]


async def test_live_speech_is_passed_on_while_the_link_is_up(scene: Scene) -> None:
    link = await scene.connect()
    link.on_audio(CHUNK)
    assert scene.owner.told == ["ready", CHUNK]


# The caller's voice


def numbered(count: int, start: int = 0) -> list[bytes]:
    return [number.to_bytes(2) * 480 for number in range(start, start + count)]


async def test_nothing_is_sent_or_kept_before_the_service_first_listens(scene: Scene) -> None:
    link = await scene.connect()
    scene.attachment.hear(CHUNK)
    scene.attachment.listen()
    assert link.heard == []


async def test_what_the_caller_says_meanwhile_goes_first_to_the_next_link(scene: Scene) -> None:
    old = await scene.connect()
    scene.attachment.listen()
    before, during, after = numbered(3), numbered(100, 3), numbered(3, 103)
    for chunk in before:
        scene.attachment.hear(chunk)
    old.on_closed(LinkError("broke off"))
    for chunk in during[:50]:
        scene.attachment.hear(chunk)
    new = await scene.connect()
    for chunk in during[50:]:
        scene.attachment.hear(chunk)
    assert new.heard == []
    scene.attachment.listen()
    for chunk in after:
        scene.attachment.hear(chunk)
    assert old.heard == before
    assert new.heard == during + after
    assert scene.attachment.stats["held_audio_bytes"] == 100 * len(CHUNK)


async def test_only_the_last_ten_seconds_are_kept(scene: Scene) -> None:
    link = await scene.connect()
    scene.attachment.listen()
    link.on_closed(LinkError("broke off"))
    for chunk in numbered(600):
        scene.attachment.hear(chunk)
    new = await scene.connect()
    scene.attachment.listen()
    assert new.heard == numbered(500, 100)
    assert scene.attachment.stats["forgotten_audio_bytes"] == 100 * len(CHUNK)


async def test_a_link_in_real_time_catches_up_by_and_by() -> None:
    scene = Scene("webrtc")
    link = await scene.connect()
    scene.attachment.listen()
    link.on_closed(LinkError("broke off"))
    for chunk in numbered(40):
        scene.attachment.hear(chunk)
    new = await scene.connect()
    scene.attachment.listen()
    sizes = []
    for chunk in numbered(20, 40):
        before = len(new.heard)
        scene.attachment.hear(chunk)
        sizes.append(len(new.heard) - before)
    assert max(sizes) <= 4
    assert new.heard == numbered(60)
    assert sizes[-1] == 1, "it has caught up"


# Ends and counts


async def test_closing_ends_the_link_and_what_is_still_coming_up(scene: Scene) -> None:
    link = await scene.connect()
    await scene.attachment.close()
    assert link.is_closed
    scene.attachment.connect()
    await settle()
    await scene.attachment.close()
    assert scene.links[1].is_closed
    assert scene.owner.told == ["ready"]


async def test_a_link_that_fails_to_close_disturbs_nobody(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = await scene.connect()

    async def fail() -> None:
        raise RuntimeError("already gone")

    monkeypatch.setattr(link, "close", fail)
    await scene.attachment.close()


async def test_counts_add_up_over_all_links(scene: Scene) -> None:
    for _ in range(3):
        await scene.connect()
        scene.attachment.send(ResponseCreate())
    assert scene.attachment.stats["commands"] == 3
    assert scene.attachment.stats["connections"] == 3


async def test_the_reason_that_a_link_gave_before_it_was_up_is_told_though_it_is_gone(
    scene: Scene,
) -> None:
    refused = ErrorEvent(error=ErrorDetail(code="insufficient_quota"))
    scene.attachment.connect()
    await settle()
    (link,) = scene.links
    link.on_event(refused)
    link.on_closed(LinkError("closed"))
    await settle()
    assert scene.owner.told[:2] == ["ready", refused]
    assert [str(told) for told in scene.owner.told[2:]] == ["closed"]
    assert link.is_closed

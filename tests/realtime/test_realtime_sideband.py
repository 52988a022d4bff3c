"""The sideband of a call the service holds, in virtual time."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

import pytest
from fake_socket import FakeSocket
from structlog.testing import capture_logs
from websockets.frames import Close

from gateway.errors import LinkError
from gateway.realtime.commands import ResponseCreate
from gateway.realtime.endpoint import Endpoint
from gateway.realtime.events import ServerEvent, Unknown, wire_name
from gateway.realtime.sideband import SidebandLink
from gateway.testing.virtual_time import run

NOT_FOUND = LinkError("no such call", retryable=False, status=404)
FORBIDDEN = LinkError("forbidden", retryable=False, status=403)
AWAY = LinkError("cannot be reached")
HERE = None  # the service lets us in


class Scene:
    """A service that does what it is told each time somebody comes, and the owner of a link."""

    def __init__(self, *outcomes: LinkError | None, then: LinkError | None = NOT_FOUND) -> None:
        self.outcomes = list(outcomes)
        self.then = then
        self.sockets: list[FakeSocket] = []
        self.came: list[float] = []
        self.urls: set[str] = set()
        self.events: list[str] = []
        self.ends: list[LinkError | None] = []
        self.link = SidebandLink(
            Endpoint("wss://service/v1/realtime?model=m"),
            "rtc_1",
            on_event=self.take,
            on_closed=self.ends.append,
            connect=self.connect,
        )

    def take(self, event: ServerEvent | Unknown) -> None:
        self.events.append(wire_name(event))

    async def connect(self, endpoint: Endpoint) -> FakeSocket:
        self.came.append(asyncio.get_running_loop().time())
        self.urls.add(endpoint.url)
        outcome = self.outcomes.pop(0) if self.outcomes else self.then
        if outcome is not None:
            raise outcome
        self.sockets.append(FakeSocket())
        return self.sockets[-1]

    def lose(self, goodbye: Close | None = None) -> None:
        self.sockets[-1].on_end(goodbye)


def play(story: Coroutine[Any, Any, None]) -> None:
    run(story)


def rounded(times: Iterable[float]) -> list[float]:
    return [round(time, 2) for time in times]


def test_a_call_that_is_not_known_yet_is_asked_for_again() -> None:
    async def story() -> None:
        scene = Scene(NOT_FOUND, NOT_FOUND, AWAY, NOT_FOUND, NOT_FOUND, HERE)
        await scene.link.connect()
        assert rounded(scene.came) == [0.0, 0.1, 0.25, 0.45, 0.7, 0.95]
        assert scene.urls == {"wss://service/v1/realtime?call_id=rtc_1"}
        assert scene.link.transport == "sip"
        await scene.link.close()
        assert scene.ends == [None]

    play(story())


def test_a_call_that_is_never_known_is_given_up_after_three_seconds() -> None:
    async def story() -> None:
        scene = Scene()
        with pytest.raises(LinkError) as refused:
            await scene.link.connect()
        assert refused.value.status == 404
        assert 2.7 < scene.came[-1] <= 3.0

    play(story())


def test_a_key_that_is_refused_is_not_waited_for() -> None:
    async def story() -> None:
        scene = Scene(FORBIDDEN)
        with pytest.raises(LinkError):
            await scene.link.connect()
        assert scene.came == [0.0]

    play(story())


def test_the_link_is_up_before_the_service_says_a_word() -> None:
    async def story() -> None:
        scene = Scene(HERE)
        await scene.link.connect()
        scene.link.send(ResponseCreate())
        scene.link.append(bytes(10_000))
        assert scene.sockets[0].names == ["response.create"]
        await scene.link.close()

    play(story())


def test_a_lost_socket_is_replaced_and_nobody_is_told() -> None:
    async def story() -> None:
        scene = Scene(HERE, AWAY, AWAY, HERE)
        await scene.link.connect()
        await asyncio.sleep(60)
        scene.lose()
        scene.link.send(ResponseCreate())
        await asyncio.sleep(1)
        assert rounded(scene.came) == [0.0, 60.0, 60.1, 60.3]
        scene.sockets[-1].on_writable()
        scene.sockets[-1].say({"type": "session.updated", "session": {}})
        assert scene.sockets[-1].names == ["response.create"]
        assert (scene.events, scene.ends) == (["session.updated"], [])
        assert scene.link.stats.reconnects == 1
        await scene.link.close()
        assert scene.ends == [None]

    play(story())


@pytest.mark.parametrize("goodbye", [None, Close(1000, ""), Close(1011, "internal error")])
def test_only_a_404_afterwards_means_that_the_call_is_over(goodbye: Close | None) -> None:
    async def story() -> None:
        scene = Scene(HERE, AWAY)
        await scene.link.connect()
        scene.lose(goodbye)
        await asyncio.sleep(5)
        (end,) = scene.ends
        assert end is not None
        assert (str(end), end.status, end.retryable) == ("the call is over", 404, False)
        assert rounded(scene.came) == [0.0, 0.0, 0.1]
        await scene.link.close()
        assert len(scene.ends) == 1

    play(story())


def test_another_refusal_is_told_as_it_is() -> None:
    async def story() -> None:
        scene = Scene(HERE, FORBIDDEN)
        await scene.link.connect()
        scene.lose()
        await asyncio.sleep(5)
        assert scene.ends == [FORBIDDEN]

    play(story())


def test_coming_back_is_given_up_after_thirty_seconds() -> None:
    async def story() -> None:
        scene = Scene(HERE, then=AWAY)
        await scene.link.connect()
        scene.lose()
        await asyncio.sleep(100)
        (end,) = scene.ends
        assert end is not None
        assert "did not come back" in str(end)
        assert end.status == 0
        assert 28 <= scene.came[-1] <= 30
        assert len(scene.came) < 22

    play(story())


def test_a_socket_that_is_lost_at_once_again_and_again_does_not_last_for_ever() -> None:
    async def story() -> None:
        scene = Scene(then=HERE)
        await scene.link.connect()
        for _ in range(100):
            if scene.ends:
                break
            scene.lose()
            await asyncio.sleep(3)
        (end,) = scene.ends
        assert end is not None
        assert "did not come back" in str(end)
        assert len(scene.sockets) < 15

    play(story())


def test_a_socket_that_lasted_earns_the_next_one_all_the_patience() -> None:
    async def story() -> None:
        scene = Scene(then=HERE)
        await scene.link.connect()
        for _ in range(50):
            await asyncio.sleep(20)
            scene.lose()
        await asyncio.sleep(1)
        assert (len(scene.sockets), scene.ends) == (51, [])
        await scene.link.close()

    play(story())


def test_closing_while_the_socket_is_away_is_our_own_wish() -> None:
    async def story() -> None:
        scene = Scene(HERE, then=AWAY)
        await scene.link.connect()
        scene.lose()
        await asyncio.sleep(3)
        await scene.link.close()
        scene.link.send(ResponseCreate())
        await asyncio.sleep(60)
        assert scene.ends == [None]
        assert scene.came[-1] < 3.1

    play(story())


def test_closing_while_a_call_is_asked_for_ends_the_asking() -> None:
    async def story() -> None:
        scene = Scene(then=NOT_FOUND)
        connecting = asyncio.create_task(scene.link.connect())
        await asyncio.sleep(0.5)
        await scene.link.close()
        scene.then = HERE
        with pytest.raises(LinkError, match="closed before"):
            await connecting
        assert (scene.sockets, scene.came[-1] <= 0.5) == ([], True)

    play(story())


def test_giving_up_the_closing_is_not_taken_for_its_end() -> None:
    async def story() -> None:
        scene = Scene(HERE, then=HERE)
        lets_go = asyncio.Event()

        async def linger(endpoint: Endpoint) -> FakeSocket:
            try:
                await asyncio.sleep(60)
            finally:
                await lets_go.wait()
            raise AssertionError

        await scene.link.connect()
        scene.link._connect = linger
        scene.lose()
        await asyncio.sleep(1)
        closing = asyncio.create_task(scene.link.close())
        await asyncio.sleep(1)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        lets_go.set()
        await scene.link.close()
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    play(story())


def test_a_fault_of_our_own_on_the_way_back_is_told() -> None:
    async def story() -> None:
        scene = Scene(HERE)

        async def fail(endpoint: Endpoint) -> FakeSocket:
            raise ZeroDivisionError

        await scene.link.connect()
        scene.link._connect = fail
        scene.lose()
        with capture_logs() as logs:
            await asyncio.sleep(1)
        (end,) = scene.ends
        assert "inside the gateway" in str(end)
        assert [entry["log_level"] for entry in logs] == ["error"]

    play(story())


def test_commands_without_end_while_the_socket_is_away_end_the_link() -> None:
    async def story() -> None:
        scene = Scene(HERE, then=AWAY)
        await scene.link.connect()
        scene.lose()
        for _ in range(1010):
            scene.link.send(ResponseCreate())
        scene.then = HERE
        await asyncio.sleep(60)
        (end,) = scene.ends
        assert end is not None
        assert "stopped reading" in str(end)
        assert len(scene.sockets) == 1
        await scene.link.close()

    play(story())


def test_a_fault_of_our_own_is_no_reason_to_come_back() -> None:
    async def story() -> None:
        scene = Scene(HERE, then=HERE)
        await scene.link.connect()
        scene.link.on_event = lambda event: 1 / 0  # type: ignore[assignment, return-value]
        scene.sockets[0].say({"type": "session.updated", "session": {}})
        scene.lose()
        await asyncio.sleep(5)
        (end,) = scene.ends
        assert "inside the gateway" in str(end)
        assert len(scene.sockets) == 1

    play(story())

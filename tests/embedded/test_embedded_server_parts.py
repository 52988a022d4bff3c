"""What the service's server is made of: the player, client secrets, keys, faults; in no time."""

import asyncio
from typing import Any

import pytest
from rote_agent import Fake

from gateway.clock import CountedIds
from gateway.embedded.calls.rtc_player import Beat, Player
from gateway.embedded.connection import Connection
from gateway.embedded.faults import Faults, inflict
from gateway.embedded.http.errors import HttpRefusal
from gateway.embedded.http.keys import Keys
from gateway.embedded.http.secrets import ClientSecrets, Preset
from gateway.embedded.protocol.checks import Refused
from gateway.embedded.protocol.session import Limits
from gateway.embedded.protocol.sounds import Finish, Flush, Play
from gateway.embedded.session_faults import SessionFaults
from gateway.embedded.sessions import Opening, Sessions
from gateway.embedded.workers import Workers
from gateway.errors import CapacityError
from gateway.media.events import Mark, PlayoutFlushed, PlayoutStarted, PlayoutStopped
from gateway.testing.virtual_time import run

FRAME = 960
FIRST, SECOND = Mark("resp_1", "item_1"), Mark("resp_1", "item_2")


def beats(player: Player, count: int) -> list[bytes | None]:
    return [player.beat(0.02 * number) for number in range(count)]


# The player


def test_speech_of_any_length_goes_out_in_frames_and_the_last_is_filled_with_silence() -> None:
    player = Player()
    player.take([Play(FIRST, b"a" * 500), Play(FIRST, b"b" * 1000), Finish("resp_1")], 0.0)
    first, second, third = beats(player, 3)
    assert first == b"a" * 500 + b"b" * 460
    assert second == b"b" * 540 + bytes(420)
    assert third is None
    started, stopped = player.played()
    assert started == PlayoutStarted("resp_1", 0.0)
    assert isinstance(stopped, PlayoutStopped)
    assert player.played() == []


def test_speech_that_stays_away_for_a_while_is_waited_for() -> None:
    player = Player()
    player.take([Play(FIRST, bytes(FRAME))], 0.0)
    assert beats(player, 3) == [bytes(FRAME), None, None]
    player.take([Play(FIRST, b"c" * FRAME), Finish("resp_1")], 0.0)
    assert beats(player, 2) == [b"c" * FRAME, None]
    assert [type(event) for event in player.played()] == [PlayoutStarted, PlayoutStopped]


def test_two_parts_do_not_share_a_frame() -> None:
    player = Player()
    player.take([Play(FIRST, b"a" * 100), Play(SECOND, b"b" * 100), Finish("resp_1")], 0.0)
    assert beats(player, 2) == [b"a" * 100 + bytes(860), b"b" * 100 + bytes(860)]


def test_what_is_cut_is_not_heard_and_what_was_heard_is_told() -> None:
    player = Player()
    player.take([Play(FIRST, bytes(10 * FRAME + 48))], 0.0)
    beats(player, 3)
    player.take([Flush()], 0.05)
    assert player.beat(0.06) is None
    flushed = player.played()[-1]
    assert isinstance(flushed, PlayoutFlushed)
    (heard,) = flushed.items
    assert (heard.item_id, heard.sent_ms, heard.received_ms) == ("item_1", 60, 201)


def test_the_beat_is_heard_by_those_who_joined_and_stops_when_all_have_left() -> None:
    async def listen() -> list[float]:
        beat = Beat(asyncio.get_running_loop().time)
        heard: list[float] = []
        beat.join(heard.append)
        await asyncio.sleep(1.01)
        beat.leave(heard.append)
        await asyncio.sleep(1.0)
        return heard

    assert len(run(listen())) == 50


# Client secrets and keys


def test_a_secret_is_known_until_an_hour_after_it_expired() -> None:
    secrets = ClientSecrets(CountedIds())
    secret = secrets.create({"expires_after": {"seconds": 10}}, 1000.0)
    assert secret.expires_at == 1010
    assert secrets.find(secret.value) is secret
    secrets.create({}, 1010.0 + 3599)
    assert secrets.find(secret.value) is secret
    secrets.create({}, 1010.0 + 3601)
    assert secrets.find(secret.value) is None


def test_there_are_only_so_many_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.embedded.http.secrets._MOST", 2)
    secrets = ClientSecrets(CountedIds())
    secrets.create({}, 0.0)
    secrets.create({}, 0.0)
    with pytest.raises(CapacityError):
        secrets.create({}, 0.0)


def test_a_secret_does_not_show_itself() -> None:
    secret = ClientSecrets(CountedIds()).create({}, 0.0)
    assert secret.value not in repr(secret)


def test_a_description_is_the_sessions_own() -> None:
    described: dict[str, Any] = {"type": "realtime", "tools": []}
    preset = Preset.read(described)
    preset.copy()["tools"].append("mine")
    assert preset.session == {"type": "realtime", "tools": []}


def test_a_secret_expires_to_the_second() -> None:
    secrets = ClientSecrets(CountedIds())
    secret = secrets.create({"expires_after": {"seconds": 10}}, 0.0)
    keys = Keys("sk-1", secrets)
    bearer = {"Authorization": f"Bearer {secret.value}"}
    assert keys.check(bearer, {}, 9.9) is secret
    with pytest.raises(HttpRefusal, match="expired"):
        keys.check(bearer, {}, 10.0)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"Authorization": "Bearer sk-1"}, {}),
        ({"api-key": "sk-1"}, {}),
        ({}, {"api-key": "sk-1"}),
        ({"Sec-WebSocket-Protocol": "realtime, openai-insecure-api-key.sk-1"}, {}),
    ],
)
def test_a_key_may_come_in_four_ways(headers: dict[str, str], query: dict[str, str]) -> None:
    keys = Keys("sk-1", ClientSecrets(CountedIds()))
    assert keys.check(headers, query, 0.0) is None
    with pytest.raises(HttpRefusal):
        Keys("sk-2", ClientSecrets(CountedIds())).check(headers, query, 0.0)


@pytest.mark.parametrize("shown", ["", "sk-", "sk-11", "sk-\udcff"])
def test_what_is_nearly_a_key_is_none(shown: str) -> None:
    keys = Keys("sk-1", ClientSecrets(CountedIds()))
    with pytest.raises(HttpRefusal) as refused:
        keys.check({"api-key": shown}, {}, 0.0)
    assert refused.value.status == 401


# Faults


def test_a_lasting_fault_strikes_who_comes_until_it_is_over() -> None:
    faults = Faults()
    order = {"fault": "stall", "seconds": 5}
    assert inflict(order, faults, [], CountedIds(), lambda: 100.0) == 0
    assert faults.of_session(104.0).is_stalled(104.9)
    assert not faults.of_session(104.0).is_stalled(105.0)
    assert faults.of_session(106.0) == SessionFaults()
    inflict(order, faults, [], CountedIds(), lambda: 200.0)
    faults.clear()
    assert faults.of_session(201.0) == SessionFaults()


@pytest.mark.parametrize("asked", [None, 7, {}, {"fault": None}, {"fault": "x"}, {"fault": []}])
def test_an_order_names_a_fault_there_is(asked: Any) -> None:
    with pytest.raises(Refused):
        inflict(asked, Faults(), [], CountedIds(), lambda: 0.0)


# A session that fails from inside


class Brittle(Fake):
    """An agent that cannot bear to be asked."""

    def handle(self, event: Any, now: float) -> Any:
        if type(event).__name__ == "ResponseRequested":
            raise RuntimeError("inside")
        return super().handle(event, now)


class Recorder:
    """A client that says one thing and listens."""

    def __init__(self, says: str) -> None:
        self.says: list[str | None] = [says]
        self.closed: tuple[int, str] | None = None
        self.sent = 0

    async def receive(self) -> str | None:
        if self.says:
            return self.says.pop()
        await asyncio.sleep(3600)
        return None

    async def send(self, frame: bytes) -> None:
        self.sent += len(frame)

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def abort(self) -> None:
        self.closed = (1006, "")


class Mute:
    def speak(self, text: str) -> Any:
        raise AssertionError(text)


async def test_a_fault_inside_a_session_ends_that_session_and_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    agents = iter([Fake(), Fake(), Brittle(), Brittle()])
    workers = Workers(Mute(), None)
    sessions = Sessions(
        lambda: next(agents),
        workers,
        Limits(longest=1e9),
        most=5,
        ids=CountedIds(),
        faults=Faults(),
        clock=asyncio.get_running_loop().time,
        calendar=lambda: 0.0,
    )

    async def serve(client: Recorder) -> None:
        live = sessions.open(Opening())
        async with sessions.running(live):
            await Connection(client, live).run()

    sound, unsound = (
        Recorder('{"type":"input_audio_buffer.clear"}'),
        Recorder('{"type":"response.create"}'),
    )
    lasting = asyncio.create_task(serve(sound))
    await asyncio.sleep(0)
    await serve(unsound)
    assert unsound.closed == (1011, "internal error")
    assert sound.closed is None
    assert len(sessions) == 1
    await sessions.close(1.0)
    await lasting
    assert sound.closed == (1001, "the service is going away")
    assert "fault inside a session" in capsys.readouterr().out
    workers.close()

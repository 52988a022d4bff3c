"""A connection joins a socket, a session and slow work, and leaves nothing behind."""

import asyncio
import json
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.clock import CountedIds
from gateway.embedded.agents.agent import Grammar
from gateway.embedded.agents.echo import EchoAgent
from gateway.embedded.agents.engine import ScriptAgent
from gateway.embedded.agents.script import load_script
from gateway.embedded.connection import Connection
from gateway.embedded.faults import Faults
from gateway.embedded.protocol.outbox import Hear, Speak
from gateway.embedded.protocol.session import Limits, Session
from gateway.embedded.sessions import Opening, Sessions
from gateway.embedded.workers import Workers
from gateway.errors import CapacityError, ConfigError

Pcm = NDArray[np.int16]
CREATE = b'{"type":"response.create"}'


class Mute:
    """A voice that takes no time, or has nothing to say."""

    def __init__(self, *, is_able: bool = True) -> None:
        self.is_able = is_able

    def speak(self, text: str) -> Iterator[Pcm]:
        if not self.is_able:
            raise ConfigError("install flite")
        yield np.zeros(240 * len(text), np.int16)


class Parrot:
    """A recogniser that understands the length of what it hears."""

    def start(self, grammar: Grammar) -> None:
        self.words, self.samples = grammar.phrases, 0

    def feed(self, pcm: Pcm) -> None:
        self.samples += len(pcm)

    def finish(self) -> str:
        return f"{self.words[0]} {self.samples}"


class FakeSocket:
    def __init__(self) -> None:
        self.incoming: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.sent: list[str] = []
        self.closed: tuple[int, str] | None = None
        self.can_send = asyncio.Event()
        self.can_send.set()

    async def receive(self) -> bytes | None:
        return await self.incoming.get()

    async def send(self, frame: bytes) -> None:
        await self.can_send.wait()
        self.sent.append(json.loads(frame)["type"])

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def abort(self) -> None:
        self.closed = (1006, "")


def connect(
    workers: Workers, limits: Limits | None = None, faults: Faults | None = None
) -> tuple[FakeSocket, asyncio.Task[None]]:
    script = load_script("demo")
    sessions = Sessions(
        lambda: ScriptAgent(script),
        workers,
        limits or Limits(),
        most=1,
        ids=CountedIds(),
        faults=faults or Faults(),
        clock=asyncio.get_running_loop().time,
        calendar=lambda: 0.0,
    )
    socket = FakeSocket()
    return socket, asyncio.create_task(serve(sessions, socket))


async def serve(sessions: Sessions, socket: FakeSocket) -> None:
    live = sessions.open(Opening())
    async with sessions.running(live):
        await Connection(socket, live).run()


async def until(socket: FakeSocket, name: str) -> None:
    async with asyncio.timeout(5):
        while name not in socket.sent:
            await asyncio.sleep(0.001)


async def test_a_response_is_spoken_and_a_client_that_goes_leaves_nothing() -> None:
    workers = Workers(Mute(), None)
    unhurried = Limits(longest=1e9, burst_ms=1e9)
    socket, running = connect(workers, unhurried)
    socket.incoming.put_nowait(CREATE)
    await until(socket, "response.done")
    assert socket.sent[0] == "session.created"
    assert "response.output_audio.delta" in socket.sent
    socket.incoming.put_nowait(CREATE)
    socket.incoming.put_nowait(None)
    await running
    assert asyncio.all_tasks() == {asyncio.current_task()}
    workers.close()


async def test_a_voice_that_cannot_speak_fails_the_response_and_no_more() -> None:
    workers = Workers(Mute(is_able=False), None)
    socket, running = connect(workers, Limits(longest=1e9))
    socket.incoming.put_nowait(CREATE)
    await until(socket, "response.done")
    assert "response.output_audio.delta" not in socket.sent
    assert not running.done()
    socket.incoming.put_nowait(None)
    await running
    workers.close()


async def test_the_end_of_the_session_closes_the_socket() -> None:
    workers = Workers(Mute(), None)
    socket, running = connect(workers, Limits(longest=0.0))
    await running
    assert socket.sent == ["session.created", "error"]
    assert socket.closed is not None
    assert socket.closed[0] == 1001
    workers.close()


async def test_a_client_that_does_not_read_is_dropped() -> None:
    workers = Workers(Mute(), None)
    socket, running = connect(workers, Limits(longest=1e9))
    socket.can_send.clear()
    update = {
        "type": "session.update",
        "session": {"type": "realtime", "instructions": "x" * 10**6},
    }
    for _ in range(20):
        socket.incoming.put_nowait(json.dumps(update).encode())
    await asyncio.sleep(0)
    while not socket.incoming.empty():
        await asyncio.sleep(0)
    socket.can_send.set()
    await running
    assert socket.closed == (1008, "the client does not read")
    workers.close()


async def test_turns_are_understood_at_the_recognisers_rate() -> None:
    workers = Workers(Mute(), Parrot)
    grammar = Grammar(("sales",))
    turn = np.zeros(8000, np.int16)
    assert await workers.hear(Hear("j", turn, 8000, grammar)) == "sales 16000"
    workers.close()
    deaf = Workers(Mute(), None)
    with pytest.raises(ConfigError, match="nothing here can listen"):
        await deaf.hear(Hear("j", turn, 8000, grammar))
    deaf.close()


async def test_too_much_work_is_refused_at_once() -> None:
    workers = Workers(Mute(), Parrot, threads=1)
    jobs = [workers.speak(Speak("j", "word " * 50)) for _ in range(150)]
    done = await asyncio.gather(*jobs, return_exceptions=True)
    refused = [each for each in done if isinstance(each, CapacityError)]
    assert len(refused) == workers.refused == 50
    workers.close()


def test_the_echo_agent_is_an_agent() -> None:
    session = Session(EchoAgent, CountedIds(), now=0.0, unix_now=0)
    assert b"session.created" in session.data_to_send()[0]


@pytest.mark.parametrize("text", ["", "a", "a" * 1000])
async def test_speech_comes_in_one_piece(text: str) -> None:
    workers = Workers(Mute(), None)
    assert len(await workers.speak(Speak("j", text))) == 240 * len(text)
    workers.close()


async def test_a_fault_while_news_are_collected_ends_that_session_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workers = Workers(Mute(), None)
    socket, running = connect(workers, Limits(longest=1e9))
    await until(socket, "session.created")

    def fail(_session: Session) -> list[object]:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(Session, "jobs", fail)
    socket.incoming.put_nowait(CREATE)
    async with asyncio.timeout(5):
        await running
    assert socket.closed == (1011, "internal error")
    workers.close()

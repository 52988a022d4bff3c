"""A recording is as long as what went by, and both sides stand in it where they were heard."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from media_recording import sides
from numpy.typing import NDArray

from gateway.media import thread
from gateway.media.events import Mark
from gateway.media.thread import MediaThread
from gateway.sdp.codecs import Codec
from gateway.sdp.negotiate import Negotiated
from gateway.testing.media import MediaCall, MediaWorld, tone

FRAME = 0.02
G722 = Codec("G722", 8000, 1, 9)


class Clock:
    """The media thread's ``time``: nobody waits, but it stands still where it is told to."""

    def __init__(self, world: MediaWorld, stalls: dict[float, float]) -> None:
        self._world = world
        self._stalls = stalls

    def monotonic(self) -> float:
        return self._world.network.now

    def sleep(self, seconds: float) -> None:
        network = self._world.network
        network.now += seconds
        for at in [at for at in self._stalls if network.now >= at]:
            network.now += self._stalls.pop(at)


class Scene:
    """A call that is recorded on the thread's own loop.

    Args:
        stalls: when the machine stands still, and how long.
        late: when the caller's packets are held up, and how long.

    """

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        path: Path,
        *,
        stalls: dict[float, float] | None = None,
        late: dict[float, float] | None = None,
        negotiated: Negotiated | None = None,
    ) -> None:
        self.world = MediaWorld()
        self.call: MediaCall = self.world.call(negotiated=negotiated)
        self.path = path
        self.orders: dict[float, Callable[[], object]] = {}
        self._patch = monkeypatch
        self._late = late or {}
        monkeypatch.setattr(thread, "time", Clock(self.world, dict(stalls or {})))
        monkeypatch.setattr(self.world.network, "_delay", lambda _: self._under_way())
        self.call.lane.record(str(path))

    def _under_way(self) -> float:
        """Return how long a packet takes: all that were held up come at once."""
        now = self._sent_at
        return next(
            (at + held - now for at, held in self._late.items() if at <= now < at + held), 0
        )

    def run(self, seconds: float) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        """Let so much time go by; return caller and gateway."""
        engine, network = self.world.engine, self.world.network
        loop = asyncio.new_event_loop()
        media = MediaThread(engine.core, loop)
        tick = engine.core.tick
        sent = 0

        def tick_and_talk(number: int, now: float) -> list[object]:
            nonlocal sent
            while sent * FRAME <= now:  # the caller does not wait for us
                network.now = self._sent_at = sent * FRAME
                self.call.phone.tick()
                sent += 1
            network.now = now
            for at in [at for at in self.orders if at <= now]:
                self.orders.pop(at)()
            tick(number, now)
            media._is_over = now >= seconds
            network.now += 1e-9  # a tick takes time
            return []

        self._patch.setattr(engine.core, "tick", tick_and_talk)
        media._run()
        self._patch.undo()
        loop.close()
        self.call.lane.stop_recording()
        return sides(self.world, self.path)


def beep(seconds: float, at: float, whole: float) -> NDArray[np.int16]:
    """Return so much silence with one tone in it."""
    sound = np.zeros(round(whole * 8000), np.int16)
    sound[round(at * 8000) :][: round(seconds * 8000)] = tone(1004, seconds, 8000)
    return sound


def heard(sound: NDArray[np.int16]) -> tuple[float, float]:
    """Return when something is heard first and last, in seconds."""
    loud = np.flatnonzero(np.abs(sound.reshape(-1, 80).astype(int)).max(axis=1) > 1000) / 100
    return float(loud.min()), float(loud.max()) + 0.01


def cut(sound: NDArray[np.int16]) -> NDArray[np.int16]:
    return sound[: len(sound) // 80 * 80]


STALLS = [
    {1.0: 0.1, 2.0: 0.15, 3.0: 0.19, 4.0: 0.21},
    {at / 2: 0.3 for at in range(2, 10)},
    {1.0: 1.017, 3.0: 0.6},
    {at / 10: 0.07 for at in range(5, 50)},
]


@pytest.mark.parametrize("name", ["call.wav", "call.opus"])
@pytest.mark.parametrize("codec", ["PCMU", "G722"])
@pytest.mark.parametrize("stalls", STALLS)
def test_however_often_the_machine_stands_still_both_sides_keep_to_the_time(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    stalls: dict[float, float],
    codec: str,
    name: str,
) -> None:
    wide = Negotiated(("192.0.2.1", 20000), None, G722, {9: G722})
    negotiated = wide if codec == "G722" else None
    scene = Scene(monkeypatch, tmp_path / name, stalls=stalls, negotiated=negotiated)
    scene.call.phone.say(beep(0.4, 7.0, 8.0))
    scene.orders[7.0] = lambda: scene.call.lane.play(
        tone(611, 0.4, 24000).tobytes(), Mark("resp_1", "item_1")
    )
    caller, agent = scene.run(8.0)
    assert len(agent) / 8000 == pytest.approx(8.0, abs=FRAME + 1e-3)
    assert heard(cut(agent)) == pytest.approx((7.0, 7.4), abs=0.04)
    assert codec == "G722" or heard(cut(caller)) == pytest.approx((7.0, 7.4), abs=0.06)


@pytest.mark.parametrize("held", [0.15, 0.3, 0.6, 2.0])
def test_what_comes_late_takes_the_place_of_the_silence_that_stood_in_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, held: float
) -> None:
    late = {1.0: held, 4.0: held, 7.0: held}
    scene = Scene(monkeypatch, tmp_path / "call.wav", late=late)
    scene.call.phone.say(beep(0.4, 10.0, 11.0))
    caller, agent = scene.run(11.0)
    assert len(agent) / 8000 == pytest.approx(11.0, abs=FRAME)
    assert heard(cut(caller)) == pytest.approx((10.0, 10.4), abs=0.06)


@pytest.mark.parametrize("at", [1.1, 1.2, 1.3, 1.4])
def test_a_tone_that_is_held_up_for_a_moment_is_whole_and_in_its_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, at: float
) -> None:
    scene = Scene(monkeypatch, tmp_path / "call.wav", late={at: 0.3})
    scene.call.phone.say(beep(0.8, 1.0, 3.0))
    caller, _ = scene.run(3.0)
    assert heard(cut(caller)) == pytest.approx((1.0, 1.8), abs=0.04)
    assert np.count_nonzero(np.abs(caller.astype(int)) > 500) / 8000 > 0.7


def test_holds_keys_pauses_and_a_line_that_only_listens_take_their_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scene = Scene(monkeypatch, tmp_path / "call.wav", stalls={1.7: 0.3, 5.2: 0.5})
    lane, phone = scene.call.lane, scene.call.phone
    phone.say(beep(0.4, 9.0, 10.0))
    silent = phone.negotiated(direction="recvonly")
    scene.orders = {
        1.0: lambda: lane.hold(True),
        2.0: lambda: lane.hold(False),
        2.5: lambda: lane.send_digits("123", duration_ms=200),
        4.0: lambda: lane.pause_recording(True),
        4.5: lambda: lane.pause_recording(False),
        5.0: lambda: lane.configure(silent),
        7.0: lambda: lane.configure(phone.negotiated()),
        9.0: lambda: lane.play(tone(611, 0.4, 24000).tobytes(), Mark("resp_1", "item_1")),
    }
    caller, agent = scene.run(10.0)
    assert len(agent) / 8000 == pytest.approx(10.0, abs=FRAME)
    assert heard(cut(agent)) == pytest.approx((9.0, 9.4), abs=0.04)
    assert heard(cut(caller)) == pytest.approx((9.0, 9.4), abs=0.06)

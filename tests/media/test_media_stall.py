"""After a stall of the media clock the listener sees a gap in time, not a delay that stays."""

import asyncio
import itertools
from pathlib import Path

import numpy as np
import pytest
from media_recording import sides

from gateway.media import thread
from gateway.media.events import Mark
from gateway.media.thread import MediaThread
from gateway.rtp.packet import RtpPacket, timestamp_delta
from gateway.sdp.codecs import Codec
from gateway.sdp.negotiate import Negotiated
from gateway.testing.media import MediaCall, MediaWorld, tone

G722 = Codec("G722", 8000, 1, 9)


class VirtualTime:
    """The media thread's ``time``: nobody waits, but once the clock stalls."""

    def __init__(self, world: MediaWorld, *, stall: float, at: float) -> None:
        self._world = world
        self._stall, self._at = stall, at

    def monotonic(self) -> float:
        return self._world.network.now

    def sleep(self, seconds: float) -> None:
        network = self._world.network
        network.now += seconds
        if self._stall and network.now >= self._at:
            network.now += self._stall
            self._stall = 0.0


def stalled(
    monkeypatch: pytest.MonkeyPatch, world: MediaWorld, call: MediaCall, stall: float
) -> list[tuple[float, RtpPacket]]:
    """Run for two seconds with one stall in the thread's own loop; return what was sent, when."""
    monkeypatch.setattr(thread, "time", VirtualTime(world, stall=stall, at=0.5))
    engine = world.engine
    loop = asyncio.new_event_loop()
    media = MediaThread(engine.core, loop)
    tick = engine.core.tick

    frames = itertools.count()
    following = next(frames)

    def tick_and_listen(number: int, now: float) -> list[object]:
        nonlocal following
        while following * 0.02 <= now:  # the caller does not wait for us
            call.phone.tick()
            following = next(frames)
        tick(number, now)
        media._is_over = now >= 2.0
        world.network.now += 1e-9  # a tick takes time
        call.phone.listen()
        return []

    monkeypatch.setattr(engine.core, "tick", tick_and_listen)
    monkeypatch.setattr(world.network, "_delay", lambda _: 0.0)
    media._run()
    loop.close()
    return call.phone.packets


@pytest.mark.parametrize("stall", [0.03, 0.1, 0.4, 1.017])
@pytest.mark.parametrize("codec", ["PCMU", "G722", "PCMU of 40 ms"])
def test_timestamps_keep_up_with_the_clock_through_a_stall(
    monkeypatch: pytest.MonkeyPatch, codec: str, stall: float
) -> None:
    world = MediaWorld()
    negotiated = None
    if codec == "G722":
        negotiated = Negotiated(("192.0.2.1", 20000), None, G722, {9: G722})
    elif codec != "PCMU":
        pcmu = Codec("PCMU", 8000)
        negotiated = Negotiated(("192.0.2.1", 20000), None, pcmu, {0: pcmu}, ptime=40)
    call = world.call(negotiated=negotiated)
    call.lane.play(tone(611, 5.0, 24000).tobytes(), Mark("resp_1", "item_1"))
    packets = stalled(monkeypatch, world, call, stall)

    begun, first = packets[0]
    spread = [
        timestamp_delta(p.timestamp, first.timestamp) / 8000 - (at - begun) for at, p in packets
    ]
    settled = [late for (at, _), late in zip(packets, spread, strict=True) if at > 0.6 + stall]
    assert len(settled) > 5
    assert np.abs(settled).max() < 0.021
    for (_, before), (_, after) in itertools.pairwise(packets):
        assert (after.sequence - before.sequence) & 0xFFFF == 1
    assert sum(p.marker for _, p in packets) == (2 if stall > 0.06 else 1)


def test_a_recording_is_as_long_as_the_call_though_the_clock_stood_still(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = MediaWorld()
    call = world.call()
    call.lane.record(str(tmp_path / "call.wav"))
    call.phone.say(np.pad(tone(1004, 0.2, 8000), (11_200, 0)))
    call.lane.play(tone(611, 5.0, 24000).tobytes(), Mark("resp_1", "item_1"))
    stalled(monkeypatch, world, call, 0.6)
    caller, agent = sides(world, tmp_path / "call.wav")
    assert len(agent) / 8000 == pytest.approx(2.0, abs=0.06)
    loud = np.flatnonzero(caller.reshape(-1, 80).any(axis=1)) / 100
    assert (loud.min(), loud.max()) == pytest.approx((1.4, 1.6), abs=0.04)
    silent = np.flatnonzero(~agent.reshape(-1, 80).any(axis=1)) / 100
    assert silent.min() == pytest.approx(0.5, abs=0.1)
    assert silent.max() == pytest.approx(1.1, abs=0.1)

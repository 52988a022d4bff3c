"""Keys and a network that is late: the service's clock, which counts sound, keeps the time."""

import itertools
import random
from collections.abc import Callable

import pytest

from gateway.rtp.dtmf import EventSender
from gateway.rtp.packet import RtpPacket
from gateway.testing.media import MediaCall, MediaWorld, tone
from gateway.testing.rtp import MemoryNetwork

PRESSES = 10


def press(world: MediaWorld, call: MediaCall, *, has_sound: bool, is_clocked: bool) -> None:
    """Press a key for 160 ms, beside the sound or in its place."""
    phone, sender = call.phone, EventSender()
    phone.is_silent = not has_sound
    sender.start("4", 160, phone.timestamp)
    for event in iter(sender.tick, None):
        phone.send(RtpPacket(101, phone.sequence, event.timestamp, phone.ssrc, event.payload))
        phone.sequence = (phone.sequence + 1) & 0xFFFF
        if not has_sound and is_clocked:
            phone.timestamp = (phone.timestamp + 160) & 0xFFFFFFFF
        world.run(0.02)
    phone.is_silent = False


def in_pairs() -> Callable[[random.Random], float]:
    turns = itertools.count()
    return lambda _: 0.021 if next(turns) % 4 < 2 else 0.001


@pytest.mark.parametrize(
    ("has_sound", "is_clocked"),
    [(True, True), (False, True), (False, False)],
    ids=["sound goes on", "sound pauses", "sound and its clock pause"],
)
@pytest.mark.parametrize("is_late", [False, True])
def test_ten_presses_take_the_service_s_clock_no_time(
    has_sound: bool, is_clocked: bool, is_late: bool
) -> None:
    network = MemoryNetwork(delay=in_pairs()) if is_late else MemoryNetwork()
    world = MediaWorld(network)
    call = world.call()
    call.phone.say(tone(500.0, 8.0, 8000))
    world.run(0.6)
    heard, began = len(call.sound) / 24_000, network.now
    for _ in range(PRESSES):
        press(world, call, has_sound=has_sound, is_clocked=is_clocked)
        world.run(0.2)
    sound, time = len(call.sound) / 24_000 - heard, network.now - began
    most = 0.06 if is_clocked else 0.04 * PRESSES
    assert abs(sound - time) <= most

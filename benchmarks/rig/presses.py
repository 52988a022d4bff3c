"""Callers who press keys, by every source, over a network that loses packets; in virtual time.

Each way returns the reports of one call: when, which key, and who saw it.
"""

import dataclasses
import random
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from voicecodecs.tones import dtmf_tone

from gateway.config import Settings
from gateway.control import ControlSettings
from gateway.control.controller import Controller
from gateway.control.events import CallStarted, KeyPressed, LegAnswered, LinkReady
from gateway.legs.info_keys import RELAY, read_key, write_key
from gateway.media.events import KeyPressed as LaneKey
from gateway.realtime.events import InputAudioBufferDtmfEventReceived
from gateway.realtime.faults import classify
from gateway.rtp.dtmf import EventSender
from gateway.rtp.packet import RtpPacket
from gateway.sip.dialogs.session_events import InfoReceived
from gateway.testing.media import MediaCall, MediaWorld
from gateway.testing.rtp import MemoryNetwork
from gateway.testing.sip import VirtualNetwork

__all__ = ["KEYS", "Report", "by_events", "by_info", "by_sound", "differences", "told", "typed"]

KEYS: Final = "0123456789*#ABCD"
PRESS_MS: Final = 100
PACE: Final = 0.2  # seconds from one press to the next
_CALLS: Final = 50  # at a time
_INFO_PACE: Final = 0.3
_EVENT_TYPE: Final = 101


class Report(NamedTuple):
    """A detector saw a key go down."""

    at: float
    key: str
    source: Any


Reports: TypeAlias = list[Report]


def typed(calls: int, each: int, seed: int = 1) -> list[str]:
    """Return the keys that each call's caller presses, at random, neighbours often alike."""
    rng = random.Random(seed)
    return ["".join(rng.choice(KEYS[:12]) for _ in range(each)) for _ in range(calls)]


def by_events(typed: list[str], loss: float, burst: float, clock: int) -> Iterator[Reports]:
    """Press keys as telephone events (RFC 4733) of a clock in Hz."""
    for part in _parts(typed):
        world = MediaWorld(MemoryNetwork(loss=loss, burst=burst))
        callers = [_EventCaller(_joined(world, clock), keys, clock) for keys in part]
        for _ in range(round((len(part[0]) + 5) * PACE / 0.02)):
            for caller in callers:
                caller.tick()
            world.run(0.02)
        yield from (_reports(caller.call) for caller in callers)


def by_sound(typed: list[str], loss: float, burst: float) -> Iterator[Reports]:
    """Press keys as tones in G.711, to a peer with no telephone events."""
    gap = np.zeros(round(PACE * 8000) - PRESS_MS * 8, np.int16)
    for part in _parts(typed):
        world = MediaWorld(MemoryNetwork(loss=loss, burst=burst))
        calls = [_joined(world, 0) for _ in part]
        for call, keys in zip(calls, part, strict=True):
            call.phone.say(np.concatenate([np.zeros(1600, np.int16), *_tones(keys, gap)]))
        world.run((len(part[0]) + 5) * PACE)
        yield from (_reports(call) for call in calls)


def by_info(typed: list[str], loss: float, burst: float) -> Iterator[Reports]:
    """Press keys as INFO requests over UDP, which are sent again until they are answered."""
    for seed, keys in enumerate(typed):
        network = VirtualNetwork(loss=loss, burst=burst, seed=seed)
        ann, bob = network.phone("192.0.2.1"), network.phone("192.0.2.2")
        while not bob.calls:  # of bursts of loss a whole INVITE may be lost, all seven times
            call = ann.call(bob, b"offer")
            network.run(40.0)
        bob.calls[0].answer(b"answer", network.now)
        network.run(32.0)
        for key in keys:
            call.info(RELAY, write_key(key, PRESS_MS), network.now)
            network.run(_INFO_PACE)
        network.run(40.0)
        news = [each for each in bob.heard(bob.calls[0]) if isinstance(each, InfoReceived)]
        found = [read_key(each.content_type, each.body) for each in news]
        yield [
            Report(number * _INFO_PACE, info.key, "info")
            for number, info in enumerate(found)
            if info is not None
        ]


def told(reports: Iterable[Report]) -> str:
    """Return the keys that a call's control makes of the reports."""
    controller = Controller(ControlSettings.of(Settings()), classify)
    for event in (CallStarted("call", "sip:a@test", "sip:b@test"), LinkReady(), LegAnswered()):
        controller.handle(event, 0.0)
    for at, key, source in sorted(reports):
        controller.handle(KeyPressed(key, source), 1.0 + at)
    return "".join(
        entry.subject.event
        for entry in controller.timeline.entries
        if isinstance(entry.subject, InputAudioBufferDtmfEventReceived)
    )


def differences(pressed: str, seen: str) -> tuple[int, int]:
    """Return how many presses are missed and how many are extra, by the longest common part."""
    row = [0] * (len(seen) + 1)
    for key in pressed:
        corner = 0
        for index, other in enumerate(seen, 1):
            above = row[index]
            row[index] = corner + 1 if key == other else max(above, row[index - 1])
            corner = above
    return len(pressed) - row[-1], len(seen) - row[-1]


class _EventCaller:
    """Presses one key after another in place of sound."""

    def __init__(self, call: MediaCall, keys: str, clock: int) -> None:
        self.call = call
        self._keys = keys
        self._sender = EventSender(clock)
        self._ticks = 0

    def tick(self) -> None:
        phone = self.call.phone
        index, rest = divmod(self._ticks, round(PACE / 0.02))
        self._ticks += 1
        if rest == 0 and 1 <= index <= len(self._keys):
            self._sender.start(self._keys[index - 1], PRESS_MS, phone.timestamp)
        sent = self._sender.tick()
        phone.is_silent = sent is not None
        if sent is not None:
            packet = RtpPacket(
                _EVENT_TYPE, phone.sequence, sent.timestamp, phone.ssrc, sent.payload, sent.marker
            )
            phone.send(packet)
            phone.sequence = (phone.sequence + 1) & 0xFFFF
            phone.timestamp = (phone.timestamp + 160) & 0xFFFF_FFFF


def _joined(world: MediaWorld, clock: int) -> MediaCall:
    """Open a call whose peer sends telephone events of this clock; 0: none."""
    call = world.call()
    call.phone.target = (call.lane.host, call.lane.port)
    plain = call.phone.negotiated()
    types = {_EVENT_TYPE: clock} if clock else {}
    call.lane.configure(dataclasses.replace(plain, dtmf_receive_types=types))
    return call


def _tones(keys: str, gap: Any) -> Iterator[Any]:
    for key in keys:
        yield dtmf_tone(key, PRESS_MS)
        yield gap


def _reports(call: MediaCall) -> Reports:
    keys = [event for event in call.events if isinstance(event, LaneKey) and event.is_down]
    return [Report(event.at, event.key, event.source) for event in keys]


def _parts(typed: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(typed), _CALLS):
        yield typed[start : start + _CALLS]

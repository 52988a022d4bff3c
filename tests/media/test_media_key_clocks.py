"""Keys as telephone events of 8, 16 and 48 kHz clocks beside every codec: once, and as long."""

import dataclasses
from typing import Final

import numpy as np
import pytest

from gateway.calls.translate import from_lane
from gateway.control.events import KeyPressed as Pressed
from gateway.control.events import KeyReleased as Released
from gateway.media.events import KeyPressed
from gateway.media.formats import Format
from gateway.rtp.dtmf import KEYS, EventReceiver, EventSender, KeyUp
from gateway.rtp.packet import RtpPacket
from gateway.sdp.codecs import Codec
from gateway.testing.media import MediaCall, MediaWorld

CODECS: Final = {
    "PCMU": Codec("PCMU", 8000, 1, 0),
    "PCMA": Codec("PCMA", 8000, 1, 8),
    "G722": Codec("G722", 8000, 1, 9),
    "L16": Codec("L16", 16_000, 1, 108),
    "opus": Codec("opus", 48_000, 2, 107),
}
CLOCKS: Final = {"PCMU": 8000, "PCMA": 8000, "G722": 8000, "L16": 16_000, "opus": 48_000}
EVENTS: Final = 101


def telephone(world: MediaWorld, name: str, clock: int) -> MediaCall:
    """Return a call of one codec and one clock of its telephone events."""
    call = world.call()
    codec = CODECS[name]
    call.phone.is_silent = True
    call.lane.configure(
        dataclasses.replace(
            call.phone.negotiated(),
            codec=codec,
            receive_types={codec.payload_type: codec},
            dtmf_send_type=EVENTS,
            dtmf_receive_types={EVENTS: clock},
            dtmf_send_clock=clock,
        )
    )
    return call


def press(world: MediaWorld, call: MediaCall, of: Format, clock: int, key: str, ms: int) -> None:
    """Press a key for so long, between two stretches of silence in packets of the codec."""
    phone, coder = call.phone, of.coder()
    sender = EventSender(clock)
    start = phone.timestamp
    is_started = False
    silence = np.zeros(of.samples, np.int16)
    for beat in range(10 + ms // 20 + 10):
        if beat == 5:
            sender.start(key, ms, start + 5 * clock // 50)
            is_started = True
        event = sender.tick() if is_started else None
        if event is None:
            payload = coder.encode(silence) if coder else of.pack(silence)
            kind, stamp = call_type(of), phone.timestamp
        else:
            payload, kind, stamp = event.payload, EVENTS, event.timestamp
        if payload:
            phone.send(RtpPacket(kind, phone.sequence, stamp & 0xFFFFFFFF, phone.ssrc, payload))
            phone.sequence = (phone.sequence + 1) & 0xFFFF
        phone.timestamp = (phone.timestamp + of.step) & 0xFFFF_FFFF
        world.run(0.020)


def call_type(of: Format) -> int:
    return CODECS[of.name].payload_type


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("ms", [40, 100, 250, 2000])
def test_a_key_is_told_once_and_for_as_long_as_it_was_pressed(name: str, ms: int) -> None:
    world = MediaWorld()
    clock = CLOCKS[name]
    call = telephone(world, name, clock)
    press(world, call, Format.of(CODECS[name]), clock, "5", ms)
    keys = [event for event in call.events if isinstance(event, KeyPressed)]
    assert [(e.key, e.source, e.is_down, e.duration_ms) for e in keys] == [
        ("5", "rfc4733", True, 0),
        ("5", "rfc4733", False, ms),
    ]
    told = [from_lane(event, "callee") for event in keys]
    assert isinstance(told[0], Pressed)
    assert (told[0].key, told[0].leg) == ("5", "callee")
    assert told[1] == Released("5", "rfc4733", ms, "callee")


@pytest.mark.parametrize("clock", [8000, 16_000, 48_000])
def test_a_key_of_seconds_goes_on_past_the_longest_segment_of_its_clock(clock: int) -> None:
    longest_ms = 0xFFFF * 1000 // clock
    world = MediaWorld()
    call = telephone(world, "PCMU", clock)
    ms = longest_ms // 20 * 20 + 400
    press(world, call, Format.of(CODECS["PCMU"]), clock, "#", ms)
    keys = [event for event in call.events if isinstance(event, KeyPressed)]
    assert [event.is_down for event in keys] == [True, False]
    assert keys[1].duration_ms == pytest.approx(ms, abs=21)


@pytest.mark.parametrize("clock", [8000, 16_000, 48_000])
@pytest.mark.parametrize("name", CODECS)
def test_keys_we_send_last_as_long_in_the_clock_that_was_agreed(name: str, clock: int) -> None:
    world = MediaWorld()
    call = telephone(world, name, clock)
    world.run(0.1)
    call.lane.send_digits("".join(KEYS)[:12], duration_ms=120, gap_ms=60)
    world.run(4.0)
    receiver, lengths = EventReceiver(clock), []
    for at, packet in call.phone.packets:
        if packet.payload_type == EVENTS:
            ups = [e for e in receiver.receive(packet, at) if isinstance(e, KeyUp)]
            lengths += [(e.key, e.duration_ms) for e in ups]
    assert lengths == [(key, 120) for key in "".join(KEYS)[:12]]

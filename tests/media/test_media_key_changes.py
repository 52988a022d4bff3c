"""Keys through exchanges of descriptions: what is sent goes on, what is heard is told once."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.media.events import KeyPressed
from gateway.media.formats import Format
from gateway.rtp.dtmf import EventPayload, EventReceiver, EventSender, KeyUp
from gateway.rtp.packet import RtpPacket
from gateway.sdp.codecs import Codec
from gateway.sdp.negotiate import Negotiated
from gateway.testing.hearing import tone_share
from gateway.testing.media import MediaCall, MediaWorld, tone
from gateway.testing.rtp import Phone

USUAL: Final = "AES_CM_128_HMAC_SHA1_80"
AWAY: Final = ("198.51.100.77", 20_000)
OPUS: Final = Codec("opus", 48_000, 2, 107)
G722: Final = Codec("G722", 8000, 1, 9)
PCMA: Final = Codec("PCMA", 8000, 1, 8)

Pcm = NDArray[np.int16]
Change = Callable[[Negotiated], Negotiated]


def changed(**what: Any) -> Change:
    return lambda negotiated: replace(negotiated, **what)


CHANGES: Final[dict[str, Change]] = {
    "packet time": changed(ptime=30),
    "codec": changed(codec=PCMA, receive_types={8: PCMA}),
    "hold and no key": changed(direction="sendonly", is_held=True),
    "number": changed(dtmf_send_type=96, dtmf_receive_types={96: 8000}),
    "further clock": changed(dtmf_receive_types={101: 8000, 97: 48_000}),
    "reports": changed(is_rtcp_mux=True),
}
NUMBERS: Final = {"number": 96}


@pytest.fixture(params=["plain", "encrypted"])
def call(request: pytest.FixtureRequest) -> MediaCall:
    world = MediaWorld()
    phone = Phone(world.network, 20_000)
    if request.param == "encrypted":
        phone.encrypt(USUAL)
    call = world.call(phone=phone)
    call.world = world  # type: ignore[attr-defined]
    run(call, 0.1)
    return call


def run(call: MediaCall, seconds: float) -> None:
    world: MediaWorld = call.world  # type: ignore[attr-defined]
    world.run(seconds)


def configure(call: MediaCall, change: Change) -> None:
    call.lane.configure(change(call.phone.negotiated()))


def presses(packets: list[tuple[float, RtpPacket]], number: int = 101) -> list[list[RtpPacket]]:
    """Return the packets of each press that were sent, by their timestamps."""
    events = [p for _, p in packets if p.payload_type == number]
    return [list(group) for _, group in itertools.groupby(events, key=lambda p: p.timestamp)]


def pressed(packets: list[RtpPacket]) -> tuple[int, int, int]:
    """Return of a press its code, its ends, and its length in clock units."""
    (code,) = {p.payload[0] for p in packets}
    ends = sum(p.payload[1] >> 7 for p in packets)
    return code, ends, max(int.from_bytes(p.payload[2:]) for p in packets)


def told(call: MediaCall) -> list[tuple[str, bool, int]]:
    keys = [event for event in call.events if isinstance(event, KeyPressed)]
    return [(key.key, key.is_down, key.duration_ms) for key in keys]


def press(call: MediaCall, key: str = "4", ms: int = 160) -> list[EventPayload]:
    """Return the packets of a press that starts now; they are still to be sent."""
    sender = EventSender()
    sender.start(key, ms, call.phone.timestamp)
    return list(iter(sender.tick, None))


def send(call: MediaCall, events: list[EventPayload], number: int = 101) -> None:
    phone = call.phone
    phone.is_silent = True
    for event in events:
        phone.send(RtpPacket(number, phone.sequence, event.timestamp, phone.ssrc, event.payload))
        phone.sequence = (phone.sequence + 1) & 0xFFFF
        phone.timestamp = (phone.timestamp + 160) & 0xFFFFFFFF
        run(call, 0.02)
    phone.is_silent = False


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("after_ms", range(0, 240, 40))
def test_keys_we_send_go_on_whatever_is_agreed_meanwhile(
    call: MediaCall, change: str, after_ms: int
) -> None:
    call.lane.send_digits("12#", duration_ms=100, gap_ms=60)
    run(call, after_ms / 1000)
    configure(call, CHANGES[change])
    run(call, 1.5)
    number = NUMBERS.get(change, 101)
    packets = [
        (at, replace_type(p, 101) if p.payload_type == number else p)
        for at, p in call.phone.packets
    ]
    assert [pressed(group) for group in presses(packets)] == [
        (1, 3, 800),
        (2, 3, 800),
        (11, 3, 800),
    ]
    sequences = [p.sequence for _, p in packets]
    assert all((b - a) & 0xFFFF == 1 for a, b in itertools.pairwise(sequences))


def loud_ms(pcm: Pcm, rate: int) -> float:
    """Return for how long a key's tone is heard; 4 % of one are near the zero."""
    return float(np.count_nonzero(np.abs(pcm.astype(int)) > 400)) / 0.96 * 1000 / rate


def replace_type(packet: RtpPacket, number: int) -> RtpPacket:
    return RtpPacket(
        number, packet.sequence, packet.timestamp, packet.ssrc, packet.payload, packet.marker
    )


@pytest.mark.parametrize("after_ms", [20, 60, 120, 160])
def test_keys_go_on_to_where_the_other_side_has_moved(call: MediaCall, after_ms: int) -> None:
    """A PBX that steps out of the way of the media says so just after the answer."""
    world: MediaWorld = call.world  # type: ignore[attr-defined]
    there = Phone(world.network, AWAY[1], host=AWAY[0])
    call.lane.send_digits("123", duration_ms=100, gap_ms=60)
    run(call, after_ms / 1000)
    call.phone.listen()
    if call.phone.cipher is not None:
        there.encrypt(USUAL, 2)
    there.target = call.phone.target
    call.lane.configure(there.negotiated())
    world.network.run(1.5, world.engine, [there])
    here, later = presses(call.phone.packets), presses(there.packets)
    assert [pressed(group) for group in later[-2:]] == [(2, 3, 800), (3, 3, 800)]
    whole = [*here[0], *(p for group in later for p in group if p.payload[0] == 1)]
    assert pressed(whole) == (1, 3, 800)
    assert len({p.timestamp for p in whole}) == 1


@pytest.mark.parametrize("after_ms", [20, 80, 120, 140])
def test_a_hold_ends_the_press_and_the_rest_waits_for_its_end(
    call: MediaCall, after_ms: int
) -> None:
    call.lane.send_digits("12", duration_ms=100, gap_ms=60)
    run(call, after_ms / 1000)
    configure(call, changed(direction="inactive", is_held=True))
    run(call, 0.1)
    (first,) = presses(call.phone.packets)
    assert pressed(first)[:2] == (1, 3)
    count = len(call.phone.packets)
    run(call, 2.0)
    assert len(call.phone.packets) == count
    configure(call, changed())
    run(call, 1.0)
    assert [pressed(group)[:2] for group in presses(call.phone.packets)] == [(1, 3), (2, 3)]


@pytest.mark.parametrize("lack", [{"remote": None}, {"is_secure": True, "srtp": None}])
def test_a_press_ends_where_the_address_or_the_keys_are_still_to_come(lack: dict[str, Any]) -> None:
    world = MediaWorld()
    call = world.call()
    call.lane.send_digits("12", duration_ms=100, gap_ms=60)
    world.run(0.06)
    call.lane.configure(replace(call.phone.negotiated(), **lack))
    world.run(0.1)
    first, *_ = presses(call.phone.packets)
    assert pressed(first)[:2] == (1, 3)


class OnePeer:
    """A second socket at a port, for one peer alone, which sends nothing once it is closed."""

    def __init__(self, phone: Phone, port: Any) -> None:
        self.is_closed = False
        self.used = 0
        self._port, self._peer = port, phone.port.address

    def send(self, data: bytes) -> int:
        if self.is_closed:
            raise OSError(9, "bad file descriptor")
        self.used += 1
        return int(self._port.sendto(data, self._peer))


def test_a_press_that_a_move_ends_is_ended_though_its_own_socket_is_gone(
    call: MediaCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat = call.lane._seat
    line, link = seat._line, OnePeer(call.phone, seat.pair.rtp)
    assert line is not None
    part = line.part

    def close() -> None:
        link.is_closed = True
        part()

    monkeypatch.setattr(line, "part", close)
    seat.outlet.aim(call.phone.port.address, link)  # type: ignore[arg-type]
    call.lane.send_digits("1", duration_ms=100, gap_ms=60)
    run(call, 0.06)
    assert link.used
    configure(call, changed(remote=AWAY, dtmf_send_clock=48_000))
    run(call, 0.1)
    assert [pressed(group)[:2] for group in presses(call.phone.packets)] == [(1, 3)]
    assert call.lane.stats().send_errors == 0


def test_another_clock_ends_the_press_and_the_rest_counts_by_it(call: MediaCall) -> None:
    call.lane.send_digits("12", duration_ms=100, gap_ms=60)
    run(call, 0.06)
    configure(call, changed(dtmf_send_type=97, dtmf_send_clock=48_000))
    run(call, 1.0)
    ((code, ends, units),) = [pressed(group) for group in presses(call.phone.packets)]
    assert (code, ends) == (1, 3)
    assert 160 <= units <= 640
    assert [pressed(group) for group in presses(call.phone.packets, 97)] == [(2, 3, 4800)]


def test_where_events_are_given_up_the_press_ends_and_the_rest_are_tones(call: MediaCall) -> None:
    call.lane.send_digits("15", duration_ms=100, gap_ms=60)
    run(call, 0.06)
    configure(call, changed(dtmf_send_type=None))
    run(call, 1.0)
    assert [pressed(group)[:2] for group in presses(call.phone.packets)] == [(1, 3)]
    heard = call.phone.heard()
    loud = heard[np.abs(heard) > 0]
    assert len(loud) == pytest.approx(800, abs=20)
    assert tone_share(loud, 770, 8000) + tone_share(loud, 1336, 8000) > 0.95


@pytest.mark.parametrize("codec", [PCMA, G722, OPUS])
@pytest.mark.parametrize("after_ms", [20, 80, 140])
def test_tones_go_on_in_another_codec(codec: Codec, after_ms: int) -> None:
    world = MediaWorld()
    call = world.call()
    no_events = replace(call.phone.negotiated(), dtmf_send_type=None)
    call.lane.configure(no_events)
    call.lane.send_digits("55", duration_ms=100, gap_ms=60)
    world.run(after_ms / 1000)
    call.lane.configure(replace(no_events, codec=codec, receive_types={codec.payload_type: codec}))
    world.run(1.0)
    before = call.phone.heard()
    of = Format.of(codec)
    coder = of.coder()
    payloads = [p.payload for _, p in call.phone.packets if p.payload_type == codec.payload_type]
    after = np.concatenate([coder.decode(p) if coder else of.unpack(p) for p in payloads])
    assert loud_ms(before, 8000) + loud_ms(after, of.rate) == pytest.approx(
        200, abs=18
    )  # Opus rings


def test_tones_give_way_to_events_once_those_are_agreed_on(call: MediaCall) -> None:
    configure(call, changed(dtmf_send_type=None))
    call.lane.send_digits("512", duration_ms=100, gap_ms=60)
    run(call, 0.06)
    configure(call, changed())
    run(call, 1.0)
    assert np.count_nonzero(call.phone.heard()) == pytest.approx(800, abs=20)
    assert [pressed(group) for group in presses(call.phone.packets)] == [(1, 3, 800), (2, 3, 800)]


def test_a_tone_that_a_hold_cut_off_is_not_heard_twice(call: MediaCall) -> None:
    configure(call, changed(dtmf_send_type=None))
    call.lane.send_digits("52", duration_ms=100, gap_ms=60)
    run(call, 0.06)
    configure(call, changed(dtmf_send_type=None, direction="inactive", is_held=True))
    run(call, 1.0)
    count = len(call.phone.packets)
    configure(call, changed(dtmf_send_type=None))
    run(call, 1.0)
    call.phone.packets = call.phone.packets[count:]
    heard = call.phone.heard()
    assert not heard[:480].any()  # the gap between two keys
    loud = heard[np.abs(heard) > 0]
    assert len(loud) == pytest.approx(800, abs=20)
    assert tone_share(loud, 697, 8000) + tone_share(loud, 1336, 8000) > 0.95


def test_a_lane_on_hold_by_us_goes_on_with_its_keys(call: MediaCall) -> None:
    call.lane.send_digits("12", duration_ms=100, gap_ms=60)
    run(call, 0.06)
    call.lane.hold(True)
    configure(call, CHANGES["hold and no key"])
    run(call, 1.0)
    assert [pressed(group) for group in presses(call.phone.packets)] == [(1, 3, 800), (2, 3, 800)]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("after", range(1, 11))
def test_a_key_is_told_once_whenever_something_else_is_agreed(
    call: MediaCall, change: str, after: int
) -> None:
    """After each packet of the press, between the copies of its end, and behind it."""
    events = press(call)
    assert len(events) == 10
    send(call, events[:after])
    configure(call, CHANGES[change])
    send(call, events[after:], NUMBERS.get(change, 101))
    run(call, 0.5)
    assert told(call) == [("4", True, 0), ("4", False, 160)]


@pytest.mark.parametrize("change", [*CHANGES, "no events", "another clock"])
def test_a_key_whose_packets_stop_at_a_change_is_let_go_and_the_caller_heard(
    call: MediaCall, change: str
) -> None:
    changes = CHANGES | {
        "no events": changed(dtmf_send_type=None, dtmf_receive_types={}),
        "another clock": changed(dtmf_receive_types={101: 48_000}),
    }
    send(call, press(call)[:3])
    configure(call, changes[change])
    if change == "codec":
        call.phone.change_law(8)
    run(call, 0.2)
    assert told(call) == [("4", True, 0), ("4", False, 60)]
    call.phone.say(tone(1004, 1.0, 8000))
    run(call, 0.8)
    assert tone_share(call.sound[-9600:], 1004, 24_000) > 0.95


def test_the_same_key_by_another_clock_is_another_press_at_once(call: MediaCall) -> None:
    send(call, press(call)[:3])
    configure(call, changed(dtmf_receive_types={97: 48_000}))
    sender = EventSender(48_000)
    sender.start("4", 40, call.phone.timestamp - 100_000)  # it counts otherwise
    send(call, list(iter(sender.tick, None)), 97)
    assert told(call) == [("4", True, 0), ("4", False, 60), ("4", True, 0), ("4", False, 40)]


def test_a_key_is_let_go_when_the_caller_is_put_on_hold_and_moved(call: MediaCall) -> None:
    world: MediaWorld = call.world  # type: ignore[attr-defined]
    send(call, press(call)[:3])
    configure(call, changed(direction="inactive", is_held=True))
    run(call, 0.3)
    assert told(call) == [("4", True, 0), ("4", False, 60)]
    there = Phone(world.network, AWAY[1], host=AWAY[0])
    there.target = call.phone.target
    if call.phone.cipher is not None:
        there.encrypt(USUAL, 2)
    call.lane.configure(there.negotiated())
    there.say(tone(1004, 1.5, 8000))
    world.network.run(1.0, world.engine, [there])
    assert tone_share(call.sound[-9600:], 1004, 24_000) > 0.95
    assert len(told(call)) == 2


def test_a_press_that_goes_on_from_another_place_is_told_as_it_is_let_go(call: MediaCall) -> None:
    """Whoever takes over has a source of their own: their key is theirs, and told for itself."""
    world: MediaWorld = call.world  # type: ignore[attr-defined]
    send(call, press(call)[:3])
    there = Phone(world.network, AWAY[1], host=AWAY[0])
    there.target = call.phone.target
    if call.phone.cipher is not None:
        there.encrypt(USUAL, 2)
    call.lane.configure(there.negotiated())
    world.network.run(0.2, world.engine, [there])
    call.phone = there
    send(call, press(call, "7", 100))
    assert told(call) == [("4", True, 0), ("4", False, 60), ("7", True, 0), ("7", False, 100)]


@pytest.mark.parametrize("clock", [8000, 48_000])
def test_a_long_press_of_ours_goes_on_where_its_segment_ended(clock: int) -> None:
    """RFC 4733 section 2.5.1.3: the next segment starts at the end of the one before."""
    world = MediaWorld()
    call = world.call()
    call.lane.configure(replace(call.phone.negotiated(), dtmf_send_clock=clock))
    seconds = 0xFFFF / clock + 1.0
    call.lane.send_digits("5", duration_ms=round(seconds * 1000))
    world.run(seconds + 0.5)
    groups = presses(call.phone.packets)
    starts = [group[0].timestamp for group in groups]
    assert [(b - a) & 0xFFFFFFFF for a, b in itertools.pairwise(starts)] == [0xFFFF]
    assert pressed(groups[-1])[2] == round(seconds * 1000) * clock // 1000 - 0xFFFF
    receiver = EventReceiver(clock)
    ups = [
        event
        for at, packet in call.phone.packets
        if packet.payload_type == 101
        for event in receiver.receive(packet, at)
        if isinstance(event, KeyUp)
    ]
    assert ups == [KeyUp("5", round(seconds * 1000))]

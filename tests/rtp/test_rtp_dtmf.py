"""RFC 4733: every press once, whatever the network does to it."""

import itertools
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rtp.dtmf import (
    END_TIMEOUT,
    KEYS,
    EventPayload,
    EventReceiver,
    EventSender,
    KeyDown,
    KeyEvent,
    KeyUp,
)
from gateway.rtp.packet import RtpPacket

TICK = 0.020


def carried(event: EventPayload, ssrc: int = 1) -> RtpPacket:
    return RtpPacket(101, 0, event.timestamp, ssrc, event.payload, event.marker)


def press(
    key: str, ms: int = 100, timestamp: int = 8000, clock: int = 8000, ssrc: int = 1
) -> list[RtpPacket]:
    sender = EventSender(clock)
    sender.start(key, ms, timestamp)
    return [carried(event, ssrc) for event in iter(sender.tick, None)]


def heard(
    packets: list[RtpPacket], receiver: EventReceiver | None = None, start: float = 0.0
) -> list[KeyEvent]:
    """Return what a receiver makes of packets 20 ms apart, and of the silence after them."""
    receiver = receiver or EventReceiver()
    events: list[KeyEvent] = []
    now = start
    for packet in packets:
        events += receiver.receive(packet, now)
        now += TICK
    return events + receiver.wake(now + END_TIMEOUT)


def test_a_press_is_a_marker_a_growing_duration_and_three_ends() -> None:
    packets = press("5", 60, timestamp=1234)
    assert [p.marker for p in packets] == [True, False, False, False, False]
    assert {p.timestamp for p in packets} == {1234}
    assert [p.payload.hex() for p in packets] == [
        "050a00a0", "050a0140", "058a01e0", "058a01e0", "058a01e0",
    ]  # fmt: skip


def test_a_sender_is_busy_until_the_last_end() -> None:
    sender = EventSender()
    assert sender.tick() is None
    sender.start("1", 20, 0)
    for _ in range(3):
        assert sender.is_busy
        assert sender.tick() is not None
    assert not sender.is_busy
    assert sender.tick() is None


@pytest.mark.parametrize("key", KEYS)
def test_every_key_arrives_with_its_duration(key: str) -> None:
    assert heard(press(key, 120)) == [KeyDown(key), KeyUp(key, 120)]


def test_a_press_that_is_cut_ends_as_long_as_it_is() -> None:
    sender = EventSender()
    sender.start("5", 500, 8000)
    packets = [carried(event) for _ in range(3) if (event := sender.tick()) is not None]
    ends = [carried(event) for event in sender.cut()]
    assert [p.payload.hex() for p in ends] == ["058a01e0"] * 3
    assert not sender.is_busy
    assert sender.cut() == []
    assert heard(packets + ends) == [KeyDown("5"), KeyUp("5", 60)]


def test_letters_may_be_small_and_unknown_keys_are_refused() -> None:
    assert heard(press("c"))[0] == KeyDown("C")
    with pytest.raises(KeyError):
        EventSender().start("x", 100, 0)


@pytest.mark.parametrize("lost", range(7))
def test_any_one_lost_packet_changes_nothing(lost: int) -> None:
    packets = press("7")
    del packets[lost]
    assert heard(packets) == [KeyDown("7"), KeyUp("7", 100)]


def test_a_lost_marker_and_start_do_not_lose_the_key() -> None:
    assert heard(press("7")[-1:]) == [KeyDown("7"), KeyUp("7", 100)]


def test_lost_ends_are_closed_by_time_with_what_was_heard_last() -> None:
    receiver = EventReceiver()
    for n, packet in enumerate(press("7")[:3]):
        receiver.receive(packet, n * TICK)
    assert receiver.deadline == pytest.approx(2 * TICK + END_TIMEOUT)
    assert receiver.wake(0.150) == []
    assert receiver.wake(0.161) == [KeyUp("7", 60)]
    assert receiver.deadline is None
    assert receiver.wake(9.0) == []


def test_a_press_that_resumes_after_it_was_closed_is_not_a_second_one() -> None:
    receiver = EventReceiver()
    packets = press("7", 400)
    assert heard(packets[:3], receiver) == [KeyDown("7"), KeyUp("7", 60)]
    assert heard(packets[12:], receiver, start=0.240) == []


def test_lost_ends_are_closed_by_the_next_key() -> None:
    events = heard(press("7")[:3] + press("7", timestamp=9600))
    assert events == [KeyDown("7"), KeyUp("7", 60), KeyDown("7"), KeyUp("7", 100)]


def test_copies_and_stragglers_of_a_press_are_nothing_new() -> None:
    first, second = press("1"), press("2", timestamp=9600)
    mixed = [*first, *first, *second[:2], *first[-2:], *second[2:], *second]
    assert heard(mixed) == [KeyDown("1"), KeyUp("1", 100), KeyDown("2"), KeyUp("2", 100)]


def test_packets_in_any_order_are_one_press() -> None:
    packets = press("9")
    random.Random(3).shuffle(packets)
    events = heard(packets)
    assert [type(event) for event in events] == [KeyDown, KeyUp]


def test_the_same_key_from_another_source_is_another_press() -> None:
    assert len(heard(press("1", ssrc=1) + press("1", ssrc=2))) == 4


@pytest.mark.parametrize("clock", [8000, 16_000, 48_000])
def test_a_press_of_twenty_seconds_is_one_press(clock: int) -> None:
    packets = press("5", 20_000, timestamp=0xFFFFFF00, clock=clock)
    segments = 20_000 * clock // 1000 // 0xFFFF + 1
    assert len({p.timestamp for p in packets}) == segments
    assert sum(p.marker for p in packets) == 1
    assert heard(packets, EventReceiver(clock)) == [KeyDown("5"), KeyUp("5", 20_000)]


@pytest.mark.parametrize("clock", [8000, 48_000])
def test_each_segment_of_a_long_press_starts_where_the_one_before_ends(clock: int) -> None:
    """RFC 4733 section 2.5.1.3: 0xFFFF units after it, and what was sent beyond is its own."""
    packets = press("5", 20_000, timestamp=0xFFFFFF00, clock=clock)
    starts = list(dict.fromkeys(p.timestamp for p in packets))
    assert starts == [(0xFFFFFF00 + n * 0xFFFF) & 0xFFFFFFFF for n in range(len(starts))]
    assert len(starts) == 20 * clock // 0xFFFF + 1
    ends = [(p.timestamp + int.from_bytes(p.payload[2:])) & 0xFFFFFFFF for p in packets[:-2]]
    step = clock // 50
    assert {(b - a) & 0xFFFFFFFF for a, b in itertools.pairwise(ends)} == {step}


def test_a_press_whose_clock_changes_under_way_is_one_press_of_its_own_length() -> None:
    receiver = EventReceiver(8000)
    events = [e for packet in press("4")[:3] for e in receiver.receive(packet, 0.0)]
    receiver.clock = 48_000
    events += heard(press("4", clock=48_000)[3:], receiver)
    assert events == [KeyDown("4"), KeyUp("4", 100)]


def test_losses_around_the_seam_of_a_long_press_do_not_split_it() -> None:
    packets = press("5", 10_000, clock=48_000)
    seam = next(n for n, p in enumerate(packets) if p.timestamp != packets[0].timestamp)
    del packets[seam - 2 : seam + 2]
    assert heard(packets, EventReceiver(48_000)) == [KeyDown("5"), KeyUp("5", 10_000)]


def test_the_same_key_pressed_again_at_the_seam_of_a_long_one_is_a_second_press() -> None:
    lone = press("5", timestamp=0)[:1]
    again = press("5", timestamp=0xFFFF)
    assert heard(lone + again) == [
        KeyDown("5"), KeyUp("5", 20), KeyDown("5"), KeyUp("5", 100),
    ]  # fmt: skip


def test_short_payloads_and_other_events_are_counted() -> None:
    receiver = EventReceiver()
    for payload in (b"", b"\1\0\0", b"\x11\0\0\1", b"\xff\xff\xff\xff"):
        assert receiver.receive(RtpPacket(101, 0, 0, 1, payload), 0.0) == []
    assert (receiver.malformed, receiver.unknown) == (2, 2)


def pressed(count: int, rng: random.Random) -> Iterator[tuple[str, float, list[RtpPacket]]]:
    for n in range(count):
        key = rng.choice("0123456789*#")
        yield key, n * 0.3, press(key, rng.choice((60, 80, 100, 160)), timestamp=n * 2400)


@pytest.mark.parametrize("copies", [0.0, 0.05])
@pytest.mark.parametrize("seed", range(3))
def test_at_a_tenth_of_packets_lost_every_key_arrives_and_none_twice(
    copies: float, seed: int
) -> None:
    rng = random.Random(seed)
    keys: list[str] = []
    wire: list[tuple[float, int, RtpPacket]] = []
    for key, start, packets in pressed(1000, rng):
        keys.append(key)
        for n, packet in enumerate(packets):
            for _ in range(2 if rng.random() < copies else 1):
                delay = 0.025 if rng.random() < copies else 0.0
                if rng.random() >= 0.10:
                    wire.append((start + n * TICK + delay, len(wire), packet))
    receiver = EventReceiver()
    events: list[KeyEvent] = []
    for at, _, packet in sorted(wire, key=lambda item: item[:2]):
        events += receiver.receive(packet, at)
    events += receiver.wake(1e9)
    assert [event.key for event in events if isinstance(event, KeyDown)] == keys
    assert [event.key for event in events if isinstance(event, KeyUp)] == keys


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3).map(lambda n: n * 0x8000_0000 // 2),
            st.binary(max_size=6),
            st.floats(0, 0.2),
            st.integers(1, 2),
        ),
        max_size=40,
    )
)
@settings(max_examples=200)
def test_any_packets_give_downs_and_ups_in_turn(
    packets: list[tuple[int, bytes, float, int]],
) -> None:
    receiver, now = EventReceiver(), 0.0
    events: list[KeyEvent] = []
    for timestamp, payload, pause, ssrc in packets:
        now += pause
        events += receiver.receive(RtpPacket(101, 0, timestamp, ssrc, payload), now)
    events += receiver.wake(now + 1)
    assert [isinstance(event, KeyDown) for event in events] == [
        n % 2 == 0 for n in range(len(events))
    ]
    assert len(events) % 2 == 0

"""The service's live sound: how long it waits, what is given up, and what goes before it."""

import random
from collections.abc import Callable

import numpy as np
import pytest

from gateway.media.events import PlayoutFlushed, PromptStopped
from gateway.media.formats import PCMU, Format
from gateway.media.live import CAPACITY, Live, are_audible
from gateway.media.playout import Playout
from gateway.media.prompts import Prompt
from gateway.rtc.sound import Decoder
from gateway.rtp.packet import RtpPacket
from gateway.sdp.codecs import Codec
from gateway.testing.hearing import tone_share
from gateway.testing.media import MediaWorld, tone
from gateway.testing.rtp import MemoryNetwork

BEAT = 0.005
QUIET = PCMU.silence


def loud(number: int = 1) -> bytes:
    """Return a µ-law frame of one loud value, told apart by ``number``."""
    return bytes([number]) * 160


class Stream:
    """A service that speaks in numbered frames, through the network, to one caller."""

    def __init__(self, delay: Callable[[random.Random, int], float], clock: float) -> None:
        self.network = MemoryNetwork(delay=lambda _: 0.0)
        self.world = MediaWorld(self.network)
        self.call = self.world.call(uplink="pcmu")
        self.decoder = Decoder("audio/pcmu", {0: "PCMU"})
        self.arrived: dict[int, float] = {}
        self.heard: dict[int, float] = {}
        self._delay = delay
        self._clock = clock

    @staticmethod
    def frame(number: int) -> bytes:
        return bytes([number & 0x7F]) * 80 + bytes([number >> 7]) * 80

    def run(self, frames: int, is_lost: Callable[[int], bool]) -> None:
        """Send numbered frames, and note when each comes in and goes out to the caller."""
        chance = random.Random(7)
        start = self.step() + 0.003
        due = sorted(
            (start + n * 0.020 * self._clock + self._delay(chance, n), n)
            for n in range(frames)
            if not is_lost(n)
        )
        end = due[-1][0] + 0.2
        while self.network.now < end:
            while due and due[0][0] <= self.network.now + BEAT:
                at, number = due.pop(0)
                self.wake(at)
                self.arrived[number] = at
                packet = RtpPacket(0, number & 0xFFFF, number * 160, 1, self.frame(number))
                self.pass_on(self.decoder.receive(packet, at))
            self.wake(self.network.now + BEAT)
            self.step()

    def wake(self, now: float) -> None:
        if self.decoder.deadline is not None and self.decoder.deadline <= now:
            self.pass_on(self.decoder.wake(now))

    def pass_on(self, sound: bytes) -> None:
        if sound:
            self.call.lane.stream(sound)

    def step(self) -> float:
        self.call.phone.packets.clear()
        self.world.run(BEAT)
        self.call.phone.listen()
        for at, packet in self.call.phone.packets:
            number = packet.payload[0] | packet.payload[-1] << 7
            if packet.payload == self.frame(number) and number in self.arrived:
                self.heard.setdefault(number, at)
        return self.network.now

    @property
    def waits(self) -> list[float]:
        """Milliseconds from the network to the caller's line, of each frame heard unchanged."""
        return sorted((self.heard[n] - self.arrived[n]) * 1000 for n in self.heard)


@pytest.mark.parametrize(
    ("delay", "clock", "is_lost", "usual", "share"),
    [
        pytest.param(lambda r, n: 0.0, 1.0, lambda n: False, 21, 1.0, id="steady"),
        pytest.param(lambda r, n: r.random() / 60, 1.0, lambda n: False, 25, 0.99, id="jitter"),
        pytest.param(lambda r, n: (2 - n % 3) * 0.02, 1.0, lambda n: False, 45, 0.99, id="bursts"),
        pytest.param(lambda r, n: 0.0, 0.9998, lambda n: False, 25, 0.99, id="fast clock"),
        pytest.param(lambda r, n: 0.0, 1.0002, lambda n: False, 25, 0.99, id="slow clock"),
        pytest.param(lambda r, n: 0.0, 1.0, lambda n: n == 100, 45, 0.98, id="one lost"),
        pytest.param(lambda r, n: 0.0, 1.0, lambda n: n % 50 == 9, 45, 0.94, id="2 % lost"),
        pytest.param(
            lambda r, n: max(0.0, 0.1 - 0.02 * (n % 250)),
            1.0,
            lambda n: False,
            45,
            0.96,
            id="stalls",
        ),
    ],
)
def test_no_frame_waits_60_ms_whatever_the_network_does(
    delay: Callable[[random.Random, int], float],
    clock: float,
    is_lost: Callable[[int], bool],
    usual: float,
    share: float,
) -> None:
    stream = Stream(delay, clock)
    stream.run(1500, is_lost)
    waits = stream.waits
    assert len(waits) >= share * len(stream.arrived)
    assert waits[-1] < 60
    assert waits[len(waits) // 2] <= usual


def test_after_a_lost_packet_the_wait_becomes_short_again() -> None:
    stream = Stream(lambda r, n: 0.0, 1.0)
    stream.run(400, lambda n: n == 100)
    late = [(stream.heard[n] - stream.arrived[n]) * 1000 for n in range(300, 390)]
    assert max(late) <= 21
    stats = stream.call.lane.stats()
    assert stats.live_dropped == 1
    assert stream.decoder.concealed == 1


def test_a_frame_that_does_not_come_is_made_up_for_60_ms_and_no_longer() -> None:
    live = Live(PCMU)
    frames = [PCMU.pack(part) for part in tone(400, 0.06, 8000).reshape(3, 160)]
    for frame in frames:
        live.push([frame], [True])
        assert live.take() == (frame, True)
    made_up = [live.take()[0] for _ in range(4)]
    assert made_up[3] is None
    levels = [np.abs(PCMU.unpack(frame).astype(int)).max() for frame in made_up if frame]
    assert levels[0] > 6000
    assert levels[0] > levels[1] > levels[2]
    assert live.made_up == 3
    live.push([loud()], [True])
    assert live.take() == (loud(), True)


def test_a_silent_frame_is_given_up_before_one_with_sound() -> None:
    live = Live(PCMU)
    live.push([loud(1), QUIET, loud(2), loud(3)], [True, False, True, True])
    assert [live.take()[0] for _ in range(CAPACITY)] == [loud(1), loud(2), loud(3)]
    assert live.dropped == 1


def test_of_sound_alone_two_frames_are_faded_into_one() -> None:
    live = Live(PCMU)
    live.push([loud(1), loud(40), loud(2), loud(3)], [True] * 4)
    frame, _ = live.take()
    assert frame is not None
    assert (frame[0], frame[-1]) == (1, 40)
    assert [live.take()[0] for _ in range(2)] == [loud(2), loud(3)]


def test_a_frame_never_needed_is_given_up_at_the_first_silence_or_after_a_second() -> None:
    live = Live(PCMU)
    live.push([QUIET], [False])
    for beat in range(60):
        live.push([loud()], [True])
        live.take()
        assert live.dropped == (beat >= 50)
    live.push([loud()], [True])
    for _ in range(11):
        live.push([QUIET], [False])
        live.take()
    assert live.dropped == 2


def test_a_prompt_is_heard_to_its_end_and_live_sound_meanwhile_is_not() -> None:
    playout = Playout()
    playout.live = live = Live(PCMU)
    playout.append_prompt([b"p" * 160] * 3, "menu")
    heard = []
    for beat in range(5):
        live.push([loud()], [True])
        heard.append(playout.take(beat * 0.02))
    assert heard == [b"p" * 160] * 3 + [loud()] * 2
    assert live.masked == 3
    assert playout.events == [PromptStopped("menu", True, 0.06)]


def test_a_repeated_prompt_stands_in_for_silence_and_yields_to_the_first_sound() -> None:
    playout = Playout()
    playout.live = live = Live(PCMU)
    playout.append_prompt([b"c" * 160, b"d" * 160], "comfort", is_repeated=True)
    heard = []
    for beat in range(6):
        is_loud = beat == 4
        live.push([loud() if is_loud else QUIET], [is_loud])
        heard.append(playout.take(beat * 0.02))
    assert heard == [b"c" * 160, b"d" * 160, b"c" * 160, b"d" * 160, loud(), QUIET]
    assert playout.events == [PromptStopped("comfort", True, 0.08)]
    assert (playout.frame_count, live.masked) == (0, 0)


def test_flush_leaves_nothing_of_the_live_sound_to_be_heard() -> None:
    world = MediaWorld()
    call = world.call()
    world.run(0.1)
    call.lane.stream(tone(700, 0.06, 24_000).tobytes())
    call.lane.flush()
    world.run(0.2)
    assert not call.phone.heard()[800:].any()
    assert isinstance(call.events[-1], PlayoutFlushed)


@pytest.mark.parametrize("payload_type", [0, 8])
def test_24_khz_sound_is_heard_as_the_telephone_speaks(payload_type: int) -> None:
    world = MediaWorld()
    call = world.call(payload_type=payload_type)
    sound = tone(700, 1.0, 24_000).tobytes()
    for start in range(0, len(sound), 960):
        call.lane.stream(sound[start : start + 960])
        world.run(0.020)
    heard = call.phone.heard()
    assert tone_share(heard[len(heard) // 2 :][:3200], 700, 8000) > 0.98
    stats = call.lane.stats()
    assert (stats.live_dropped, stats.live_masked, stats.dropped_playout) == (0, 0, 0)


def test_another_law_in_mid_stream_is_followed() -> None:
    world = MediaWorld()
    call = world.call()
    sound = tone(700, 2.0, 24_000).tobytes()
    for number, start in enumerate(range(0, len(sound), 960)):
        if number == 50:
            call.phone.change_law(8)
            call.lane.configure(call.phone.negotiated())
            call.phone.packets.clear()
        call.lane.stream(sound[start : start + 960])
        world.run(0.020)
    assert tone_share(call.phone.heard()[1600:6400], 700, 8000) > 0.97


def test_sound_that_came_while_the_engine_stood_still_does_not_lag_behind() -> None:
    world = MediaWorld()
    call = world.call()
    world.run(0.1)
    call.lane.stream(tone(700, 3.0, 24_000).tobytes())
    world.run(0.1)
    assert call.lane.stats().live_dropped == 150 - CAPACITY
    call.phone.packets.clear()
    world.run(0.2)
    assert not call.phone.heard()[320:].any()


@pytest.mark.parametrize(
    "codec", [Codec("PCMA", 8000), Codec("L16", 16_000), Codec("opus", 48_000)]
)
def test_sound_and_silence_are_told_apart_in_every_format(codec: Codec) -> None:
    of = Format.of(codec)
    noise = of.pack(np.full(of.samples, 100, np.int16))
    sound = of.pack(tone(400, 0.02, of.rate, 1000))
    assert are_audible([noise, sound, of.silence], of) == [False, True, False]
    assert are_audible([], of) == []


def test_a_repeated_prompt_plays_on_under_a_service_that_sends_silence() -> None:
    world = MediaWorld()
    call = world.call()
    call.lane.play_prompt(Prompt(tone(900, 0.1, 8000), 8000), "comfort", repeat=True)
    for _ in range(50):
        call.lane.stream(bytes(960))
        world.run(0.020)
    assert tone_share(call.phone.heard()[-4000:-800], 900, 8000) > 0.95
    assert not [event for event in call.events if isinstance(event, PromptStopped)]

"""Whom a supervisor hears, and who hears a supervisor: as lanes are told, and at telephones."""

from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import pytest

from gateway.calls.patchbay import Patchbay
from gateway.control.actions import Patching, Supervising
from gateway.media.engine import Lane
from gateway.media.events import Mark
from gateway.media.live import LiveFrom
from gateway.realtime.events import ResponseDone, ResponseInfo, ResponseOutputAudioDelta
from gateway.testing.hearing import tone_share
from gateway.testing.media import MediaCall, MediaWorld, Pcm, tone

CALLER, CALLEE, AGENT, ANN, BOB = (
    np.full(480, level, "<i2").tobytes() for level in (100, 20, 3, 7, 9)
)
NAMES: Final = {CALLER: "caller", CALLEE: "callee", AGENT: "agent", ANN: "ann", BOB: "bob"}
SILENT: Final = bytes(960)


class NotingLane:
    """Notes what it is asked, and plays what is tapped from it when told to."""

    def __init__(self) -> None:
        self.did: list[tuple[Any, ...]] = []
        self.on_played: Any = None

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **named: self.did.append((name, *args, *sorted(named.items())))

    def tap(self, on_played: Any) -> None:
        self.on_played = on_played

    def of(self, name: str) -> list[tuple[Any, ...]]:
        return [done[1:] for done in self.did if done[0] == name]

    @property
    def heard(self) -> dict[str, LiveFrom]:
        """Who was heard there live, and as whom."""
        return {NAMES[chunk]: source for chunk, source in self.of("stream")}


class Room:
    """A patchbay with a caller, perhaps a callee, and two supervisors who have joined."""

    def __init__(self, line: Patching = "caller", *, muted: str = "none") -> None:
        self.service: list[bytes] = []
        self.bay = Patchbay(
            {}, None, is_ours_to_play=True, audio="pcm24", to_service=self.service.append
        )
        self.caller, self.callee, self.ann, self.bob = (NotingLane() for _ in range(4))
        self.gone: list[str] = []
        self.bay.attach_caller(cast("Lane", self.caller))
        self.bay.mute(cast("Any", muted))
        self.has_callee = line != "caller"
        if self.has_callee:
            self.bay.attach_callee(cast("Lane", self.callee))
            self.bay.patch(line)
        for name, lane in (("a", self.ann), ("b", self.bob)):
            self.bay.gallery.admit(
                name, cast("Lane", lane), lambda name=name: self.gone.append(name)
            )  # type: ignore[misc]

    def talk(self) -> None:
        """Have everybody say something."""
        if self.has_callee:
            self.bay.hear_callee(CALLEE)
        self.bay.hear_caller(CALLER)
        self.bay.hear_supervisor("a", ANN)
        self.bay.hear_supervisor("b", BOB)
        for lane in (self.caller, self.callee):
            if lane.on_played is not None:
                lane.on_played(AGENT)


@pytest.mark.parametrize(
    ("line", "mode", "ann_hears", "caller_hears", "callee_hears", "service_hears"),
    [
        ("caller", "listen", {"caller", "agent"}, set(), set(), [100]),
        ("caller", "speak", {"caller", "agent"}, {"ann"}, set(), [100]),
        ("caller", "takeover", {"caller", "agent"}, {"ann"}, set(), [0]),
        ("consult", "listen", {"caller", "callee", "agent"}, set(), set(), [20]),
        ("bridge", "listen", {"caller", "callee", "agent"}, {"callee"}, {"caller"}, []),
        (
            "conference",
            "speak",
            {"caller", "callee", "agent"},
            {"callee", "ann"},
            {"caller", "ann"},
            [120],
        ),
    ],
)
def test_everybody_hears_whom_the_tables_say(
    line: Patching,
    mode: Supervising,
    ann_hears: set[str],
    caller_hears: set[str],
    callee_hears: set[str],
    service_hears: list[int],
) -> None:
    room = Room(line)
    room.bay.supervise("a", mode)
    room.talk()
    assert set(room.ann.heard) == ann_hears
    assert set(room.caller.heard) == caller_hears
    assert set(room.callee.heard) == callee_hears
    assert [int(np.frombuffer(chunk, "<i2")[0]) for chunk in room.service] == service_hears
    assert room.bob.heard == {}  # who has joined hears nothing until it is their time


def test_who_listens_hears_who_speaks_and_each_as_somebody_else() -> None:
    room = Room("conference")
    room.bay.supervise("a", "speak")
    room.bay.supervise("b", "listen")
    room.talk()
    assert room.bob.heard == {
        "caller": "caller",
        "callee": "callee",
        "agent": "agent",
        "ann": "supervisor",
    }
    assert "bob" not in room.caller.heard


def test_what_is_played_is_tapped_from_the_one_whom_the_agent_speaks_to_while_anybody_listens() -> (
    None
):
    room = Room("consult")
    assert room.callee.on_played is None
    room.bay.supervise("a", "listen")
    assert room.callee.on_played is not None
    assert room.caller.on_played is None
    room.bay.patch("caller")
    assert room.caller.on_played is not None
    room.bay.supervise("a", "leave")
    assert room.caller.on_played is None
    assert room.gone == ["a"]


def test_a_caller_whom_a_menu_keeps_from_the_service_is_heard_by_who_listens() -> None:
    room = Room(muted="caller")
    assert room.caller.of("mute")[-1] == (("agent", False), ("caller", True))
    room.bay.supervise("a", "listen")
    assert room.caller.of("mute")[-1] == (("agent", False), ("caller", False))
    room.talk()
    assert room.ann.heard["caller"] == "caller"
    assert room.service == [SILENT]
    for name in ("a", "b"):
        room.bay.supervise(name, "leave")
    assert room.caller.of("mute")[-1] == (("agent", False), ("caller", True))


def test_an_agent_whose_place_is_taken_is_muted_and_nobodys_echo_is_looked_for() -> None:
    room = Room()
    room.bay.supervise("a", "takeover")
    assert room.caller.of("mute")[-1] == (("agent", True), ("caller", False))
    assert room.caller.of("guard")[-1] == (False,)
    room.bay.supervise("a", "listen")
    assert room.caller.of("mute")[-1] == (("agent", False), ("caller", False))
    assert room.caller.of("guard")[-1] == (True,)


def test_a_service_that_loses_the_caller_hears_two_seconds_of_silence_and_then_nothing() -> None:
    room = Room()
    room.bay.supervise("a", "takeover")
    for _ in range(500):
        room.bay.hear_caller(CALLER)
    assert room.service == [SILENT] * 100
    room.bay.supervise("a", "leave")
    room.bay.hear_caller(CALLER)
    assert room.service[100:] == [CALLER]


def test_with_the_call_everybody_goes() -> None:
    room = Room()
    room.bay.supervise("a", "speak")
    room.bay.close()
    assert room.gone == ["a", "b"]
    room.bay.hear_supervisor("a", ANN)
    assert not room.caller.heard


class Line:
    """A call and two supervisors at telephones, on a network in memory."""

    def __init__(self, tmp_path: Path | None = None) -> None:
        self.world = MediaWorld()
        self.service: list[bytes] = []
        self.bay = Patchbay(
            {},
            tmp_path and tmp_path / "call.wav",
            is_ours_to_play=True,
            audio="pcm24",
            to_service=self.service.append,
        )
        self.caller, self.ann, self.bob = (self.world.call() for _ in range(3))
        self.bay.attach_caller(self.caller.lane)
        for name, call in (("a", self.ann), ("b", self.bob)):
            self.bay.gallery.admit(name, call.lane, lambda: None)

    def run(self, seconds: float) -> None:
        """Let time pass, the loop's share of it too."""
        for _ in range(round(seconds / 0.005)):
            self.world.run(0.005)
            for call, hear in (
                (self.caller, self.bay.hear_caller),
                (self.ann, lambda chunk: self.bay.hear_supervisor("a", chunk)),
                (self.bob, lambda chunk: self.bay.hear_supervisor("b", chunk)),
            ):
                for chunk in call.chunks:
                    hear(chunk)
                call.chunks.clear()

    def speak(self, hertz: int, seconds: float, response_id: str = "r") -> None:
        """Have the service speak, all of it at once."""
        sound = tone(hertz, seconds, 24000).tobytes()
        self.bay.take(
            ResponseOutputAudioDelta(
                response_id=response_id,
                item_id="i",
                output_index=0,
                content_index=0,
                delta=sound,
            ),
            lambda _: False,
        )
        done = ResponseDone(response=ResponseInfo(id=response_id, status="completed"))
        self.bay.take(done, lambda _: False)


def heard(call: MediaCall) -> Pcm:
    """Return what a telephone has heard since it was last asked, but the first fifth second."""
    sound = call.phone.heard()[1600:]
    call.phone.packets.clear()
    return sound


def test_who_listens_hears_the_caller_and_the_agent_when_it_is_played_and_no_longer() -> None:
    line = Line()
    line.bay.supervise("a", "listen")
    line.caller.phone.say(tone(1004, 5.0, 8000))
    line.speak(611, 3.0)
    line.run(1.0)
    sound = heard(line.ann)
    assert tone_share(sound, 1004, 8000) > 0.45
    assert tone_share(sound, 611, 8000) > 0.45
    line.bay.stop()
    line.run(0.1)
    heard(line.ann)
    line.run(1.0)
    assert tone_share(heard(line.ann), 1004, 8000) > 0.95
    stats = line.ann.lane.stats()
    assert stats.live_dropped <= 2
    assert stats.live_made_up <= 2


def test_the_caller_of_a_call_that_is_listened_to_hears_bit_for_bit_what_they_would() -> None:
    sounds = []
    for mode in ("leave", "listen"):
        line = Line()
        line.bay.supervise("a", mode)  # type: ignore[arg-type]
        line.caller.phone.say(tone(1004, 5.0, 8000))
        line.ann.phone.say(tone(440, 5.0, 8000))
        line.run(0.1)
        line.speak(611, 1.0)
        line.run(2.0)
        sounds.append([(at, bytes(packet)) for at, packet in line.caller.phone.packets])
    assert sounds[0] == sounds[1]


def test_a_supervisor_who_speaks_is_heard_beside_the_agent_and_stands_in_the_recording(
    tmp_path: Path,
) -> None:
    line = Line(tmp_path)
    line.bay.record("start")
    line.bay.supervise("a", "speak")
    line.bay.supervise("b", "listen")
    line.ann.phone.say(tone(440, 3.0, 8000))
    line.speak(611, 3.0)
    line.run(1.2)
    for call in (line.caller, line.bob):
        sound = heard(call)
        assert tone_share(sound, 440, 8000) > 0.4
        assert tone_share(sound, 611, 8000) > 0.4
    assert tone_share(heard(line.ann), 611, 8000) > 0.95
    assert np.abs(np.frombuffer(b"".join(line.service), "<i2")).max() < 16
    line.bay.close()
    line.world.run(0.1)
    line.world.engine.recorder.close()
    stereo = np.frombuffer((tmp_path / "call.wav").read_bytes()[44:], "<i2").reshape(-1, 2)
    assert tone_share(stereo[2400:8000, 1], 440, 8000) > 0.4
    assert np.abs(stereo[2400:8000, 0]).max() < 16


def test_caller_and_supervisor_hear_each_other_and_nobody_else_once_the_agent_is_replaced() -> None:
    line = Line()
    line.bay.supervise("a", "listen")
    line.speak(611, 5.0)
    line.run(0.5)
    line.bay.supervise("a", "takeover")
    line.bay.stop()
    line.caller.phone.say(tone(1004, 3.0, 8000))
    line.ann.phone.say(tone(440, 3.0, 8000))
    line.run(0.2)
    heard(line.caller), heard(line.ann)
    line.service.clear()
    line.speak(611, 5.0, "late")  # a response that was not cancelled in time is not heard
    line.run(1.0)
    assert tone_share(heard(line.caller), 440, 8000) > 0.95
    assert tone_share(heard(line.ann), 1004, 8000) > 0.95
    assert set(b"".join(line.service)) <= {0}
    line.bay.stop()
    line.bay.supervise("a", "leave")
    line.run(0.2)
    line.service.clear()
    line.speak(611, 2.0, "next")
    line.run(1.0)
    assert tone_share(np.frombuffer(b"".join(line.service), "<i2"), 1004, 24000) > 0.95
    assert tone_share(heard(line.caller)[1600:], 611, 8000) > 0.9


def test_a_prompt_does_not_keep_a_supervisor_from_the_caller() -> None:
    line = Line()
    line.bay.supervise("a", "speak")
    line.ann.phone.say(tone(1004, 3.0, 8000))
    assert line.bay.play("tone:440/3000", is_repeated=False)
    line.run(1.2)
    sound = heard(line.caller)
    assert tone_share(sound, 1004, 8000) > 0.4


def test_the_ledger_of_a_call_that_is_listened_to_is_what_it_would_be() -> None:
    line = Line()
    line.bay.supervise("a", "speak")
    line.caller.lane.play(tone(611, 2.0, 24000).tobytes(), Mark("r", "i"))
    line.run(0.5)
    line.bay.stop()
    line.run(0.05)
    (flushed,) = [event for event in line.caller.events if hasattr(event, "items")]
    assert flushed.items[0].sent_ms == pytest.approx(500, abs=25)

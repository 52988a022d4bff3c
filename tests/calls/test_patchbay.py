"""Who hears whom, as the lanes are told; what each of the five patches lets through."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from gateway.calls.patchbay import Patchbay
from gateway.control.actions import Patching
from gateway.media.engine import Lane
from gateway.media.events import PlayoutFlushed, PlayoutStarted, PlayoutStopped, PromptStopped
from gateway.realtime.events import ResponseDone, ResponseInfo, ResponseOutputAudioDelta

CALLER, CALLEE, AGENT = (np.full(480, level, "<i2").tobytes() for level in (100, 20, 3))
SETTINGS = ("mute", "guard")
JOINED: list[Patching] = ["bridge", "monitor", "conference"]


class NotingLane:
    """Notes what it is asked."""

    def __init__(self) -> None:
        self.did: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **named: self.did.append((name, *args, *sorted(named.items())))

    def of(self, name: str) -> list[tuple[Any, ...]]:
        return [done[1:] for done in self.did if done[0] == name]


class Room:
    """A patchbay with both legs, and what everybody heard."""

    def __init__(self, line: Patching, *, with_callee: bool = True) -> None:
        self.service: list[bytes] = []
        self.bay = Patchbay(
            {},
            Path("/records/call.wav"),
            is_ours_to_play=True,
            audio="pcm24",
            to_service=self.service.append,
        )
        self.caller, self.callee = NotingLane(), NotingLane()
        self.bay.attach_caller(cast("Lane", self.caller))
        if with_callee:
            self.bay.attach_callee(cast("Lane", self.callee))
        self.bay.patch(line)

    def talk(self) -> None:
        """Have everybody say something, the callee first."""
        self.bay.hear_callee(CALLEE)
        self.bay.hear_caller(CALLER)
        self.bay.take(delta("r1"), lambda _: False)

    def hears(self, lane: NotingLane) -> set[str]:
        """Tell whom a leg hears."""
        names = {CALLER: "caller", CALLEE: "callee", AGENT: "agent"}
        return {names[done[0]] for name in ("stream", "play") for done in lane.of(name)}


def delta(response_id: str) -> ResponseOutputAudioDelta:
    return ResponseOutputAudioDelta(
        response_id=response_id, item_id="i", output_index=0, content_index=0, delta=AGENT
    )


def level(chunk: bytes) -> int:
    return int(np.frombuffer(chunk, "<i2")[0])


@pytest.mark.parametrize(
    ("line", "caller_hears", "callee_hears", "service_hears"),
    [
        ("caller", {"agent"}, set(), [100]),
        ("consult", set(), {"agent"}, [20]),
        ("bridge", {"callee", "agent"}, {"caller"}, []),
        ("monitor", {"callee", "agent"}, {"caller"}, [120]),
        ("conference", {"callee", "agent"}, {"caller", "agent"}, [120]),
    ],
)
def test_everybody_hears_whom_the_patch_says(
    line: Patching, caller_hears: set[str], callee_hears: set[str], service_hears: list[int]
) -> None:
    room = Room(line)
    room.talk()
    assert room.hears(room.caller) == caller_hears
    assert room.hears(room.callee) == callee_hears
    assert [level(chunk) for chunk in room.service] == service_hears


def test_a_caller_who_talks_with_a_callee_is_not_guarded_against() -> None:
    room = Room("consult")
    assert room.caller.of("guard")[-1] == (True,)
    for line in JOINED:
        room.bay.patch(line)
        assert room.caller.of("guard")[-1] == (False,)
    room.bay.patch("caller")
    assert room.caller.of("guard")[-1] == (True,)
    assert not room.callee.of("guard")


def test_an_agent_who_listens_in_is_muted_for_both() -> None:
    room = Room("monitor")
    assert room.caller.of("mute")[-1] == (("agent", True), ("caller", False))
    room.bay.patch("conference")
    assert room.caller.of("mute")[-1] == (("agent", False), ("caller", False))


def test_a_caller_whom_the_service_is_not_to_hear_is_heard_by_the_callee() -> None:
    room = Room("caller")
    room.bay.mute("caller")
    assert room.caller.of("mute")[-1] == (("agent", False), ("caller", True))
    room.bay.attach_callee(cast("Lane", room.callee))
    room.bay.patch("conference")
    assert room.caller.of("mute")[-1] == (("agent", False), ("caller", False))
    room.talk()
    assert room.callee.of("stream") == [(CALLER, "caller")]
    assert [level(chunk) for chunk in room.service] == [20]


@pytest.mark.parametrize("line", JOINED)
def test_what_a_caller_says_alone_is_passed_on_alone(line: Patching) -> None:
    room = Room(line)
    room.bay.hear_caller(CALLER)
    assert room.callee.of("stream") == [(CALLER, "caller")]
    assert room.service == ([] if line == "bridge" else [CALLER])


def test_of_a_callee_who_is_ahead_the_oldest_is_given_up() -> None:
    room = Room("conference")
    for number in range(5):
        room.bay.hear_callee(np.full(480, number, "<i2").tobytes())
    for _ in range(4):
        room.bay.hear_caller(CALLER)
    assert [level(chunk) for chunk in room.service] == [102, 103, 104, 100]


def test_a_callee_who_is_gone_before_any_patch_is_let_go_at_once_and_after_one_with_the_next() -> (
    None
):
    room = Room("consult")
    room.bay.detach_callee()
    assert not room.callee.of("close")
    room.bay.patch("caller")
    assert room.callee.of("close") == [()]
    other = NotingLane()
    room.bay.attach_callee(cast("Lane", other))
    room.bay.detach_callee()
    assert other.of("close") == [()]


def test_the_callee_s_lane_is_let_go_with_the_patch_to_the_caller() -> None:
    room = Room("bridge")
    room.bay.patch("caller")
    assert room.callee.of("close") == [()]
    room.bay.hear_callee(CALLEE)
    room.talk()
    assert room.hears(room.caller) == {"agent"}


def test_what_the_callee_was_told_counts_even_after_they_are_gone_and_nothing_else_does() -> None:
    room = Room("consult")
    room.bay.take(delta("whisper"), lambda _: False)
    room.bay.patch("caller")
    for event in (PlayoutStarted, PlayoutStopped):
        assert room.bay.counts(event("whisper", 0.0))
        assert not room.bay.counts(event("r1", 0.0))
    assert room.bay.counts(PlayoutFlushed("whisper", (), 0.0))
    assert not room.bay.counts(PlayoutFlushed(None, (), 0.0))
    assert room.bay.counts(PromptStopped("beep", True, 0.0))


def test_in_a_conference_the_caller_s_ledger_alone_counts() -> None:
    room = Room("conference")
    room.talk()
    assert not room.bay.counts(PlayoutStarted("r1", 0.0))


def test_the_end_of_an_answer_is_told_to_whoever_heard_any_of_it() -> None:
    room = Room("consult")
    room.bay.take(delta("whisper"), lambda _: False)
    room.bay.patch("conference")
    done = ResponseDone(response=ResponseInfo(id="whisper", status="completed"))
    room.bay.take(done, lambda _: False)
    assert room.callee.of("finish") == [("whisper",)]


def test_stopping_empties_both_ears_and_pausing_the_agent_s_listeners() -> None:
    room = Room("consult")
    room.bay.stop()
    room.bay.pause()
    room.bay.resume()
    assert [done[0] for done in room.caller.did if done[0] not in SETTINGS] == ["flush"]
    assert [done[0] for done in room.callee.did if done[0] not in SETTINGS] == [
        "flush",
        "pause",
        "resume",
    ]


def test_a_prompt_is_for_whoever_hears_the_agent() -> None:
    room = Room("consult")
    assert room.bay.play("tone:beep", is_repeated=False)
    assert room.callee.of("play_prompt")
    assert not room.caller.of("play_prompt")


def test_without_a_callee_nothing_is_passed_on_and_nothing_fails() -> None:
    for line in JOINED:
        room = Room(line, with_callee=False)
        room.bay.hear_caller(CALLER)
        room.bay.stop()
        room.bay.end_speech()
        assert room.service == []
        room.bay.close()
        assert room.caller.of("close") == [()]

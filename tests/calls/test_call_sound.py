"""What a call does with its lane: who is muted, what is recorded, and where there is no lane."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from gateway.calls.sound import CallSound
from gateway.media.engine import Lane
from gateway.media.events import RecordingStopped


class LaneThatNotes:
    """Notes what it is asked."""

    def __init__(self) -> None:
        self.did: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **named: self.did.append((name, *args, *sorted(named.items())))


@pytest.fixture
def lane() -> LaneThatNotes:
    return LaneThatNotes()


def sound_with(
    lane: LaneThatNotes | None,
    folder: Path | None = Path("/records"),
    clock: Callable[[], float] = lambda: 0.0,
) -> CallSound:
    sound = CallSound({}, folder and folder / "call.wav", is_ours_to_play=True, clock=clock)
    sound.attach(cast("Lane", lane))
    return sound


@pytest.mark.parametrize("is_caller", [True, False])
@pytest.mark.parametrize("is_agent", [True, False])
def test_whoever_is_named_is_muted_and_nobody_else(
    lane: LaneThatNotes, is_caller: bool, is_agent: bool
) -> None:
    sound_with(lane).mute(is_caller=is_caller, is_agent=is_agent)
    assert lane.did == [("mute", ("agent", is_agent), ("caller", is_caller))]


def test_pausing_concealing_and_the_other_leg_s_sound_reach_the_lane(lane: LaneThatNotes) -> None:
    sound = sound_with(lane)
    sound.pause()
    sound.resume()
    sound.conceal(is_on=True)
    sound.conceal(is_on=False)
    sound.stream(b"\x01", "callee")
    assert lane.did == [
        ("pause",),
        ("resume",),
        ("conceal", True),
        ("conceal", False),
        ("stream", b"\x01", "callee"),
    ]


def test_a_recording_is_paused_in_place_and_started_again_in_a_file_of_its_own(
    lane: LaneThatNotes,
) -> None:
    now = iter((3.0, 8.0))
    sound = sound_with(lane, clock=lambda: next(now))
    steps: list[Literal["start", "stop", "pause", "resume"]] = [
        "start", "pause", "resume", "start", "stop", "start", "pause", "start",
    ]  # fmt: skip
    for do in steps:
        sound.record(do)
    assert sound.takes(2.5) == [0.5, 5.5]
    assert lane.did == [
        ("record", "/records/call.wav"),
        ("pause_recording", True),
        ("pause_recording", False),
        ("pause_recording", False),
        ("stop_recording",),
        ("record", "/records/call-2.wav"),
        ("pause_recording", True),
        ("pause_recording", False),
    ]


def test_a_recording_that_failed_is_no_recording_and_says_why(lane: LaneThatNotes) -> None:
    sound = sound_with(lane)
    sound.record("start")
    assert sound.recording == "call.wav"
    sound.note_recorded(RecordingStopped("/records/call.wav", 1.0, "disk full", has_file=True))
    assert (sound.recording, sound.recording_problem) == ("call.wav", "disk full"), "some of it"
    sound = sound_with(lane)
    sound.record("start")
    sound.note_recorded(RecordingStopped("/records/call.wav", 1.0, "no folder", has_file=False))
    assert (sound.recording, sound.recording_problem) == ("", "no folder")


def test_where_recordings_are_off_nothing_is_recorded(lane: LaneThatNotes) -> None:
    sound_with(lane, None).record("start")
    assert not lane.did


def test_a_tone_is_played_under_the_name_it_was_asked_by(lane: LaneThatNotes) -> None:
    sound = sound_with(lane)
    assert sound.play("tone:ringback", is_repeated=True)
    (played,) = lane.did
    assert (played[0], *played[2:]) == ("play_prompt", "tone:ringback", ("repeat", True))
    assert played[1].seconds == 5.0
    assert not sound.play("tone:ringing", is_repeated=False)


def test_without_a_lane_nothing_is_done_and_nothing_fails() -> None:
    sound = sound_with(None)
    for do in (sound.pause, sound.resume, sound.stop, sound.end_speech, sound.close):
        do()
    sound.mute(is_caller=True, is_agent=True)
    sound.conceal(is_on=True)
    sound.record("start")
    sound.stream(b"\x01", "callee")
    assert not sound.play("tone:busy", is_repeated=False)
    assert sound.figures == {}

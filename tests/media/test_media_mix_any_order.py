"""Queueing, pausing, muting, mixing and flushing in any order: the ledger stays true."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.media.events import (
    Mark,
    PlayoutFlushed,
    PlayoutStarted,
    PlayoutStopped,
    PromptStopped,
)
from gateway.media.formats import PCMU
from gateway.media.live import Live
from gateway.media.playout import Playout

LOUD = bytes([1]) * 160

STEPS = [
    "speak",
    "finish",
    "prompt",
    "music",
    "pause",
    "play",
    "mute",
    "unmute",
    "leg",
    "agent",
    "flush",
]
scripts = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 4)), max_size=40)


def do(playout: Playout, live: Live, leg: Live, step: str, count: int, now: float) -> None:
    """Carry out one step, of so many frames where it is of frames."""
    match step:
        case "speak":
            playout.append([LOUD] * count, Mark(f"r{count}", f"i{count}"), 20.0 * count)
        case "finish":
            playout.finish(f"r{count}")
        case "prompt" | "music":
            playout.append_prompt([LOUD] * 2, step, is_repeated=step == "music")
        case "pause" | "play":
            playout.is_paused = step == "pause"
        case "mute" | "unmute":
            playout.is_agent_muted = step == "mute"
        case "leg" | "agent":
            (leg if step == "leg" else live).push([LOUD] * count, [True] * count)
        case _:
            playout.flush(now, 30.0)


@settings(max_examples=300)
@given(scripts)
def test_nothing_is_lost_told_twice_or_heard_before_it_came(script: list[tuple[str, int]]) -> None:
    playout = Playout()
    playout.live = live = Live(PCMU)
    leg = Live(PCMU)
    playout.beside = (leg,)
    now = 0.0
    for step, count in script:
        do(playout, live, leg, step, count, now)
        for _ in range(count):
            before, was_paused = playout.frame_count, playout.is_paused
            frame = playout.take(now)
            assert frame is None or len(frame) == 160
            assert not was_paused or playout.frame_count == before
            now += 0.02
    playout.is_paused = False
    playout.flush(now, 30.0)
    assert playout.frame_count == 0
    assert playout.take(now) is None or leg.made_up or live.made_up

    speaking = ""
    for event in playout.events:
        match event:
            case PlayoutStarted():
                assert not speaking
                speaking = event.response_id
            case PlayoutStopped():
                assert speaking == event.response_id
                speaking = ""
            case PlayoutFlushed():
                assert (event.response_id or "") == speaking
                speaking = ""
                assert all(0 <= item.sent_ms <= item.received_ms for item in event.items)
    prompts = sum(step in ("prompt", "music") for step, _ in script)
    assert sum(isinstance(event, PromptStopped) for event in playout.events) == prompts

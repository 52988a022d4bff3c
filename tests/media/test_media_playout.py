"""The ring and its ledger, one tick at a time."""

from gateway.media.events import (
    Heard,
    Mark,
    PlayoutFlushed,
    PlayoutStarted,
    PlayoutStopped,
    PromptStopped,
)
from gateway.media.playout import MAX_FRAMES, Playout

HELLO = Mark("resp_1", "item_1", 0)
MORE = Mark("resp_1", "item_2", 0)
NEXT = Mark("resp_2", "item_3", 0)


def run(playout: Playout, ticks: int, start: int = 0) -> list[bytes | None]:
    return [playout.take(tick * 0.02) for tick in range(start, start + ticks)]


def test_a_response_starts_with_its_first_frame_and_stops_after_its_last() -> None:
    playout = Playout()
    playout.append([b"a", b"b"], HELLO, 40.0)
    playout.finish("resp_1")

    assert run(playout, 4) == [b"a", b"b", None, None]
    assert playout.events == [PlayoutStarted("resp_1", 0.0), PlayoutStopped("resp_1", 0.04)]
    assert playout.underruns == 0


def test_a_pause_in_the_middle_of_a_response_is_an_underrun_and_not_its_end() -> None:
    playout = Playout()
    playout.append([b"a"], HELLO, 20.0)
    assert run(playout, 2) == [b"a", None]
    playout.append([b"b"], HELLO, 20.0)
    assert run(playout, 1) == [b"b"]
    assert playout.underruns == 1
    assert playout.events == [PlayoutStarted("resp_1", 0.0)]


def test_a_response_said_to_be_over_after_its_last_frame_still_stops() -> None:
    playout = Playout()
    playout.append([b"a"], HELLO, 20.0)
    run(playout, 5)
    playout.finish("resp_1")
    playout.take(1.0)
    assert playout.events[-1] == PlayoutStopped("resp_1", 1.0)


def test_flush_tells_what_was_heard_of_every_part_of_what_was_not_over() -> None:
    playout = Playout()
    playout.append([b"a"] * 3, HELLO, 50.0)
    playout.append([b"b"] * 3, MORE, 60.0)
    playout.append([b"c"] * 3, NEXT, 60.0)
    run(playout, 4)
    playout.flush(9.0)

    assert playout.events[-1] == PlayoutFlushed(
        "resp_1",
        (
            Heard("resp_1", "item_1", 0, sent_ms=50, received_ms=50),
            Heard("resp_1", "item_2", 0, sent_ms=20, received_ms=60),
            Heard("resp_2", "item_3", 0, sent_ms=0, received_ms=60),
        ),
        9.0,
    )
    assert run(playout, 1) == [None]
    assert playout.frame_count == 0


def test_a_response_already_over_is_no_part_of_a_flush() -> None:
    playout = Playout()
    playout.append([b"a"], HELLO, 20.0)
    playout.finish("resp_1")
    run(playout, 3)
    playout.flush(9.0)
    assert playout.events[-1] == PlayoutFlushed(None, (), 9.0)


def test_the_next_response_ends_the_one_before() -> None:
    playout = Playout()
    playout.append([b"a"], HELLO, 20.0)
    playout.append([b"b"], NEXT, 20.0)
    assert run(playout, 2) == [b"a", b"b"]
    assert playout.events == [
        PlayoutStarted("resp_1", 0.0),
        PlayoutStopped("resp_1", 0.02),
        PlayoutStarted("resp_2", 0.02),
    ]


def test_a_response_of_which_nothing_was_played_is_never_said_to_have_stopped() -> None:
    playout = Playout()
    playout.append([], HELLO, 5.0)
    playout.finish("resp_1")
    assert run(playout, 2) == [None, None]
    assert playout.events == []


def test_a_prompt_between_two_parts_of_a_response_does_not_end_it() -> None:
    playout = Playout()
    playout.append([b"a"], HELLO, 20.0)
    playout.append_prompt([b"p"], "beep")
    playout.append([b"b"], MORE, 20.0)
    playout.finish("resp_1")
    assert run(playout, 4) == [b"a", b"p", b"b", None]
    assert playout.events == [
        PlayoutStarted("resp_1", 0.0),
        PromptStopped("beep", True, 0.04),
        PlayoutStopped("resp_1", 0.06),
    ]


def test_a_repeated_prompt_goes_round_and_gives_way_at_once_to_what_is_queued() -> None:
    playout = Playout()
    playout.append_prompt([b"1", b"2"], "music", is_repeated=True)
    assert run(playout, 5) == [b"1", b"2", b"1", b"2", b"1"]
    playout.append([b"a"], HELLO, 20.0)
    assert run(playout, 1, start=5) == [b"a"]
    assert playout.events == [
        PromptStopped("music", True, 0.1),
        PlayoutStarted("resp_1", 0.1),
    ]
    assert playout.frame_count == 0


def test_a_repeated_prompt_that_never_came_to_play_gives_way_as_well() -> None:
    playout = Playout()
    playout.append_prompt([b"1", b"2"], "music", is_repeated=True)
    playout.append_prompt([b"p"], "menu")
    assert run(playout, 2) == [b"p", None]
    told = [event.prompt_id for event in playout.events if isinstance(event, PromptStopped)]
    assert told == ["music", "menu"]
    assert playout.frame_count == 0


def test_a_flushed_prompt_was_not_heard_to_its_end() -> None:
    playout = Playout()
    playout.append_prompt([b"1", b"2"], "menu")
    run(playout, 1)
    playout.flush(1.0)
    assert playout.events == [PromptStopped("menu", False, 1.0), PlayoutFlushed(None, (), 1.0)]


def test_a_full_ring_drops_the_newest_and_counts_it() -> None:
    playout = Playout()
    playout.append([b"x"] * (MAX_FRAMES - 1), HELLO, 20.0)
    playout.append([b"y"] * 3, HELLO, 60.0)
    assert playout.frame_count == MAX_FRAMES
    assert playout.dropped == 2


def test_waiting_frames_are_rewritten_when_the_codec_changes() -> None:
    playout = Playout()
    playout.append([b"a", b"b"], HELLO, 40.0)
    run(playout, 1)
    playout.convert(lambda frames: [frame.upper() for frame in frames])
    assert run(playout, 1) == [b"B"]

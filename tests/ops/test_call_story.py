"""A call's story: its record on one axis of time."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from call_record import event, record_of, self_test_record, story_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config import Settings
from gateway.ops.story import Envelope, Span, Story, Take, tell, told_of
from gateway.testing.flow import Flow

STARTED = "input_audio_buffer.speech_started"
STOPPED = "input_audio_buffer.speech_stopped"
KEY = "input_audio_buffer.dtmf_event_received"


@pytest.fixture(scope="module")
def story() -> Story:
    return tell(told_of(self_test_record()))


def lane(story: Story, name: str) -> Sequence[Span]:
    return next(lane.spans for lane in story.lanes if lane.name == name)


def test_time_counts_from_the_begin_of_the_call(story: Story) -> None:
    assert story.steps[0].at == 0.0
    assert story.steps[-1].at == pytest.approx(story.duration, abs=0.01)
    assert (story.caller, story.called, story.trunk, story.is_live) == (
        "gateway",
        "demo",
        "local",
        False,
    )


def test_the_caller_is_told_of_as_the_service_and_as_we_heard_them(story: Story) -> None:
    speech, *voices = lane(story, "caller")
    assert (speech.kind, speech.start, speech.end) == ("speech", 5.397, 9.317)
    assert [(one.kind, one.start, one.end) for one in voices] == [
        ("voice", 5.795, 8.135),
        ("voice", 8.355, 9.155),
    ]


def test_each_answer_is_where_it_was_heard_with_the_words_that_were(story: Story) -> None:
    first, second, *_ = lane(story, "agent")
    assert (first.start, first.end, first.is_cut) == (0.021, 3.9, True)
    assert first.label == "Thank you for calling Northwind. For"
    assert (second.start, second.end) == (3.9, 5.84)
    assert not lane(story, "agent")[-1].is_cut


def test_a_barge_in_says_how_soon_it_was_silent_and_what_was_heard(story: Story) -> None:
    (one,) = [cut for cut in story.interruptions if cut.by == "speech"]
    assert (one.at, one.silent_at, one.heard_ms) == (5.836, 5.84, 1940)
    assert one.heard == "For sales, press 1 or"
    assert sum(cut.by == "key" for cut in story.interruptions) == 5


def test_keys_are_told_once_with_who_saw_them(story: Story) -> None:
    assert "".join(key.key for key in story.keys) == "1*24711#9"
    assert {(*key.sources, key.duration_ms) for key in story.keys} == {("rfc4733", 100)}


def test_menus_are_spans_with_what_became_of_them(story: Story) -> None:
    assert [span.label for span in story.spans if span.kind == "menu"] == [
        "language: pressed 1",
        "main: left",
        "sales: pressed *",
        "main: pressed 2",
        "account: pressed 4711",
        "main",
    ]
    assert story.spans[-1].end == story.duration


def test_a_wait_goes_from_the_end_of_speech_by_the_tool_to_the_first_packet(story: Story) -> None:
    (turn,) = [turn for turn in story.turns if turn.by == "speech"]
    assert turn.at == 9.317
    times = (turn.committed_ms, turn.created_ms, turn.tool_ms, turn.delta_ms, turn.packet_ms)
    assert all(time is not None for time in times)
    assert list(times) == sorted(times)  # type: ignore[type-var]
    assert turn.packet_ms == pytest.approx(263.5, abs=1)


def test_the_transcript_stands_where_it_was_heard_with_what_was_cut(story: Story) -> None:
    cut = story.lines[1]
    assert (cut.who, cut.at, cut.end, cut.is_cut) == ("agent", 3.9, 5.84, True)
    assert cut.text.startswith(cut.heard)
    assert len(cut.text) > len(cut.heard)
    (tool,) = [line for line in story.lines if line.who == "tool"]
    assert (tool.tool, tool.text, tool.heard) == (
        "open_menu",
        '{"menu":"sales"}',
        '{"status":"ok"}',
    )


def test_figures_are_in_the_units_that_people_read(story: Story) -> None:
    assert (story.quality.loss_percent, story.quality.jitter_ms) == (0.0, 0.04)
    assert story.quality.round_trip_ms == 5.0
    assert story.usage["tokens"]["total"] == 3721


def test_pieces_of_speech_are_no_steps_and_small_print_is_told_from_the_rest(story: Story) -> None:
    assert not [step for step in story.steps if step.name.endswith(".delta")]
    assert {step.name for step in story.steps if step.is_minor} >= {"playout.started"}
    assert {step.group for step in story.steps} >= {"call", "keys", "menu", "tool", "speech"}


def test_what_sounds_and_what_was_recorded_comes_with_it() -> None:
    sound = Envelope(step=0.05, peaks=[0, 255])
    story = tell(told_of(record_of()), {"caller": sound}, [Take(number=1, start=0, end=0.1)])
    assert [lane.sound for lane in story.lanes] == [sound, None]
    assert story.takes[0].end == 0.1


def test_a_call_that_goes_on_has_open_ends_at_the_present() -> None:
    story = story_of(
        event(0, "call.started"),
        event(1, STARTED, item_id="i1"),
        event(2, "menu.opened", "derived", name="main"),
        ended_by=None,
        state="talking",
        duration=7.5,
    )
    assert story.is_live
    assert lane(story, "caller")[0].end == 7.5
    assert story.spans[0].end == 7.5


def test_a_second_leg_has_a_lane_and_the_way_to_it_is_a_span() -> None:
    story = story_of(
        event(1, "CallOut", "action", target="sip:op@here"),
        event(3, "callee.answered"),
        event(4, "voice.started", leg="callee"),
        event(5, "voice.stopped", leg="callee"),
        event(6, "callee.ended", status=200),
    )
    assert [(one.kind, one.start, one.end) for one in story.spans] == [
        ("transfer", 0, 2),
        ("callee", 2, 5),
    ]
    assert [(one.start, one.end) for one in lane(story, "callee")] == [(3, 4)]


def test_holds_outages_and_what_is_private_are_spans() -> None:
    story = story_of(
        event(0, "leg.held", is_held=True),
        event(1, "leg.held", is_held=False),
        event(2, "link.lost", reason="gone"),
        event(3, "link.ready"),
        event(4, "Conceal", "action", is_on=True),
        event(5, "Conceal", "action", is_on=False),
    )
    assert [(one.kind, one.start, one.end) for one in story.spans] == [
        ("hold", 0, 1),
        ("outage", 2, 3),
        ("private", 4, 5),
    ]


def test_what_people_did_is_told_with_their_names() -> None:
    told = {"supervisor": "w1", "by": "Ann"}
    story = story_of(
        event(0, "call.started"),
        event(1, "Whisper", "request", by="Ann", text="offer a refund"),
        event(2, "supervision.changed", "derived", mode="listen", **told),
        event(4, "supervision.changed", "derived", mode="takeover", before="listen", **told),
        event(6, "supervision.changed", "derived", mode="leave", before="takeover", **told),
        event(7, "Transfer", "request", by="Bob", target="operator"),
        event(8, "Stop", "request", by="Bob"),
        event(8, "HangUp", "request", by="Bob", cause="supervisor"),
    )
    assert [(mark.at, mark.who, mark.did) for mark in story.interventions] == [
        (1, "Ann", "whispered: offer a refund"),
        (2, "Ann", "listens"),
        (4, "Ann", "took over"),
        (6, "Ann", "gave the call back"),
        (7, "Bob", "transferred the caller to operator"),
        (8, "Bob", "hung up"),
    ]
    assert [(one.kind, one.label, one.start, one.end) for one in lane(story, "supervisor")] == [
        ("listen", "Ann", 2, 4),
        ("takeover", "Ann", 4, 6),
    ]
    assert story.steps[1].group == "people"


def test_the_count_of_sound_begins_anew_with_each_session() -> None:
    story = story_of(
        event(0, "link.ready"),
        event(2.5, STARTED, item_id="a", audio_start_ms=2000),
        event(3.1, STOPPED, item_id="a", audio_end_ms=3000),
        event(20, "link.ready"),
        event(22.5, STARTED, item_id="b", audio_start_ms=2000),
        event(23.1, STOPPED, item_id="b", audio_end_ms=3000),
        duration=30.0,
    )
    assert [(one.start, one.end) for one in lane(story, "caller")] == [(2.1, 3.1), (22.1, 23.1)]


def test_a_turn_that_was_not_answered_is_no_wait() -> None:
    story = story_of(event(0, STOPPED), event(1, STARTED), event(2, STOPPED))
    assert story.turns == []


def test_an_answer_begun_before_the_caller_spoke_ends_no_wait() -> None:
    story = story_of(
        event(0, "response.created", response={"id": "old"}),
        event(1, STOPPED),
        event(1.1, "output_audio_buffer.started", response_id="old"),
        event(1.2, "response.created", response={"id": "new"}),
        event(1.5, "output_audio_buffer.started", response_id="new"),
    )
    (turn,) = story.turns
    assert turn.packet_ms == pytest.approx(500)


def test_nobody_waits_for_an_agent_whose_place_is_taken() -> None:
    told = {"supervisor": "w1", "by": "Ann"}
    story = story_of(
        event(0, "call.started"),
        event(1, "supervision.changed", "derived", mode="takeover", **told),
        event(2, STOPPED),
        event(6, "supervision.changed", "derived", mode="listen", before="takeover", **told),
        event(6.1, "response.created", response={"id": "r"}),
        event(6.2, "output_audio_buffer.started", response_id="r"),
    )
    assert story.turns == []


def test_a_key_that_is_hidden_stays_so() -> None:
    story = story_of(event(0, KEY, event="•"), event(1, KEY, event="(•)"))
    assert [key.key for key in story.keys] == ["•"]


def test_a_timeline_beyond_all_bounds_is_told_in_part_and_says_so() -> None:
    many = [event(number / 100, "voice.started") for number in range(5000)]
    minor = [event(number / 100, "timer", "timer") for number in range(5000)]
    story = story_of(*many, *minor, duration=100.0)
    assert len(story.steps) == 4000
    assert story.steps_left_out == 6000
    assert len(json.dumps(msgspec.to_builtins(story))) < 2_000_000


def test_the_story_of_a_call_through_the_controller() -> None:
    thanks = [{"say": "Thanks."}, "hangup"]
    menus = {"main": {"say": "Press one.", "keys": {"1": thanks}}}
    flow = Flow(Settings.model_validate({"call": {"menu": "main"}, "menus": menus}))
    flow.start()
    flow.hear("Press one.")
    flow.press("1")
    flow.run(10.0)
    story = tell(told_of(record_of(*flow.timeline.as_list(), duration=20.0)))
    assert [key.key for key in story.keys] == ["1"]
    assert [turn.by for turn in story.turns] == ["key"]
    assert [span.kind for span in lane(story, "agent")] == ["playout", "playout"]
    assert story.interruptions[0].by == "key"


_PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["id", "at"]), st.none() | st.text(max_size=3), max_size=2),
)
_NAMES = st.sampled_from(
    (
        *(STARTED, STOPPED, KEY, "Play", "prompt.stopped", "Record", "link.ready"),
        *("output_audio_buffer.started", "output_audio_buffer.cleared", "response.created"),
        *("response.output_item.added", "conversation.item.truncate", "supervision.changed"),
        *("menu.opened", "menu.closed"),
    )
)
_FIELDS = st.sampled_from(
    (
        *("item_id", "response_id", "response", "item", "audio_start_ms", "audio_end_ms", "event"),
        *("mode", "before", "supervisor", "leg", "name", "keys", "outcome", "is_held", "by"),
    )
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.floats(0, 600), _NAMES, st.dictionaries(_FIELDS, _PLAIN, max_size=4)),
        max_size=12,
    ),
    st.dictionaries(st.sampled_from(("packets_received", "lost", "mos", "series")), _PLAIN),
    st.lists(st.dictionaries(st.sampled_from(("at", "type", "role", "text")), _PLAIN), max_size=2),
)
def test_whatever_a_record_holds_there_is_a_story_or_one_kind_of_refusal(
    rows: list[tuple[float, str, dict[str, Any]]],
    media: dict[str, Any],
    transcript: list[dict[str, Any]],
) -> None:
    entries = [
        {"at": at, "kind": "event", "name": name, "detail": detail} for at, name, detail in rows
    ]
    story = story_of(*entries, media=media, transcript=transcript)
    assert msgspec.json.decode(msgspec.json.encode(story), type=Story).call_id == "c1"


@pytest.mark.parametrize(
    "broken",
    [
        {"call_id": 3},
        {"duration": float("inf")},
        {"duration": 1e12},
        {"timeline": [{"at": "now"}]},
        {"timeline": 7},
    ],
)
def test_what_is_no_record_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        told_of(record_of() | broken)


def test_a_recording_that_fell_short_is_told() -> None:
    row = self_test_record() | {"recording": "", "recording_problem": "No space left on device"}
    assert tell(told_of(row)).recording_problem == "No space left on device"
    assert tell(told_of(self_test_record())).recording_problem == ""

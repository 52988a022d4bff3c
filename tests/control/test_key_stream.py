"""Keys from five sources at once: one stream, in order, with who saw each and for how long."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import Settings
from gateway.control.actions import Log
from gateway.control.events import KeyPressed, KeyReleased, KeySource, LegEnded
from gateway.realtime.events import InputAudioBufferDtmfEventReceived
from gateway.testing.flow import Flow
from tests.control.call_scenes import DTMF

SOURCES: list[KeySource] = ["rfc4733", "inband", "info", "browser", "service"]
PLAN = Settings.model_validate({"rules": [{"on": DTMF, "go_on": True, "do": {"log": "key"}}]})


def call() -> Flow:
    flow = Flow(PLAN)
    flow.start()
    flow.run(3)
    return flow


def report(flow: Flow, key: str, source: KeySource) -> None:
    """Have one detector see a key."""
    if source == "service":
        flow.post(InputAudioBufferDtmfEventReceived(event=key))
    else:
        flow.post(KeyPressed(key, source))


def told(flow: Flow) -> list[dict[str, object]]:
    """Return the timeline's rows of the keys that were acted on."""
    rows = flow.controller.timeline.as_list()
    return [row for row in rows if row["name"] == DTMF and "sources" in row]


def keys(flow: Flow) -> str:
    return "".join(row["detail"]["event"] for row in told(flow))  # type: ignore[index]


@pytest.mark.parametrize("order", list(itertools.permutations(SOURCES, 3)))
@pytest.mark.parametrize("skew", [0.0, 0.2, 0.45])
def test_a_press_seen_by_several_is_one_with_all_of_them_named(
    order: tuple[KeySource, ...], skew: float
) -> None:
    flow = call()
    for source in order:
        report(flow, "5", source)
        flow.run(skew)
    (row,) = told(flow)
    assert row["sources"] == list(order)
    assert len(flow.did(Log)) == 1


def test_the_last_moment_of_the_window_is_part_of_it() -> None:
    flow = call()
    report(flow, "5", "rfc4733")
    flow.run(1.0)
    report(flow, "5", "inband")
    flow.run(0.01)
    report(flow, "5", "info")
    assert [row["sources"] for row in told(flow)] == [["rfc4733", "inband"], ["info"]]


@pytest.mark.parametrize("seconds", [0.5, 3.0, 20.0])
def test_who_tells_a_key_when_it_goes_up_tells_of_when_it_went_down(seconds: float) -> None:
    flow = call()
    report(flow, "5", "rfc4733")
    flow.run(seconds)
    flow.post(KeyPressed("5", "browser", round(seconds * 1000)))
    flow.run(2)
    flow.post(KeyPressed("5", "info", 100))
    assert [row["sources"] for row in told(flow)] == [["rfc4733", "browser"], ["info"]]


def test_one_source_that_sees_a_key_twice_saw_two_presses() -> None:
    flow = call()
    for at, source in [(0.0, "rfc4733"), (0.1, "rfc4733"), (0.1, "inband"), (0.1, "inband")]:
        flow.run(at)
        report(flow, "5", source)  # type: ignore[arg-type]
    assert [row["sources"] for row in told(flow)] == [["rfc4733", "inband"]] * 2


def test_letters_are_keys_in_either_case() -> None:
    flow = call()
    for key in "AbCd*#":
        report(flow, key, "info")
    assert keys(flow) == "ABCD*#"


def test_how_long_a_key_was_down_is_on_the_timeline() -> None:
    flow = call()
    for source, length in [("rfc4733", 160), ("inband", 140)]:
        flow.post(KeyPressed("5", source))  # type: ignore[arg-type]
        flow.run(0.2)
        flow.post(KeyReleased("5", source, length))  # type: ignore[arg-type]
    report(flow, "6", "info")
    assert [row.get("duration_ms") for row in told(flow)] == [160, None]


def test_a_flood_is_cut_and_told_of_once() -> None:
    flow = call()
    before = len(flow.did(Log))
    for _ in range(500):
        flow.press("1")
        flow.press("2")
    assert len(keys(flow)) == 20
    assert len(flow.did(Log)) - before == 20 + 1
    flow.run(1.0)
    flow.press("3")
    assert keys(flow)[-1] == "3"
    flow.post(LegEnded("caller"))
    assert flow.controller.deadline is None


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("0123456789*#ABCD"),
            st.lists(st.sampled_from(SOURCES), min_size=1, unique=True),
            st.lists(st.floats(0, 0.19), min_size=5, max_size=5),
        ),
        max_size=12,
    ),
    st.floats(0.2, 0.7),
)
def test_every_press_is_told_once_and_in_its_order_whoever_misses_it(
    presses: list[tuple[str, list[KeySource], list[float]]], gap: float
) -> None:
    flow = call()
    for key, sources, lags in presses:
        start = flow.now
        seen = sorted(zip(lags, sources, strict=False))
        for lag, source in seen:
            flow.run(start + lag - flow.now)
            report(flow, key, source)
        flow.run(start + gap + 1.0 - flow.now)
    assert keys(flow) == "".join(key for key, _, _ in presses)
    assert [set(row["sources"]) for row in told(flow)] == [  # type: ignore[call-overload]
        set(sources) for _, sources, _ in presses
    ]

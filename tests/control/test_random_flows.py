"""Configurations at random, calls at random, hang-ups anywhere: what holds for all of them."""

from typing import Any

import msgspec
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from gateway.config import Settings
from gateway.control import CallState, HangUp, Reject
from gateway.control.actions import Action, PausePlayout, Redirect, ResumePlayout, Stop
from gateway.control.events import LegEnded, Transport
from gateway.control.replay import first_difference, replay
from gateway.control.timeline import TimelineEntry
from gateway.errors import ConfigError
from gateway.realtime.faults import classify
from gateway.testing.flow import Flow
from tests.control.random_flows import configurations
from tests.control.test_hang_up_anywhere import ENDINGS, STEPS

MOST_AT_ONCE = 400  # actions that follow from one event
MOST_STILL = 5000  # events and timers at one moment; a service may tell of many answers at once
BARE: dict[str, Any] = {
    "menus": {
        "main": {"say": "Main.", "keys": {"1": "stop"}},
        "other": {"say": "Other.", "keys": {"1": "stop"}},
    }
}


class WatchedFlow(Flow):
    """A call whose every step is bounded."""

    _at = -1.0
    _steps = 0

    def _perform(self, actions: list[Action]) -> None:
        self._steps = self._steps + 1 if self.now == self._at else 0
        self._at = self.now
        assert self._steps < MOST_STILL, f"no headway at {self.now}"
        assert len(actions) < MOST_AT_ONCE
        super()._perform(actions)


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(
    configurations(),
    st.sampled_from(["websocket", "websocket", "webrtc", "sip"]),
    st.lists(st.sampled_from(range(len(STEPS))), max_size=12),
    st.sampled_from(ENDINGS),
)
def test_any_flow_ends_at_once_stays_bounded_and_is_played_again_to_the_same_actions(
    tables: dict[str, Any], transport: Transport, chosen: list[int], ending: LegEnded
) -> None:
    flow = flow_of(tables, transport)
    flow.start(links_after=0.2)
    flow.run(2)
    for number in chosen:
        if flow.ended is not None:
            break
        STEPS[number](flow)
        flow.run(0.3)
    flow.post(ending)
    assert flow.controller.state is CallState.ENDED
    assert flow.controller.deadline is None
    done = len(flow.actions)
    flow.press("1")
    flow.run(400)
    assert len(flow.actions) == done
    lasts = [one for _, one in flow.actions if isinstance(one, HangUp | Reject | Redirect)]
    assert len(lasts) <= 1
    assert_played_again(flow)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(
    configurations(),
    st.sampled_from(["websocket", "webrtc", "sip"]),
    st.lists(st.sampled_from(range(len(STEPS))), max_size=6),
)
def test_a_caller_who_does_nothing_more_is_let_go_in_the_end(
    tables: dict[str, Any], transport: Transport, chosen: list[int]
) -> None:
    flow = flow_of(tables, transport)
    flow.start(links_after=0.2)
    flow.run(2)
    for number in chosen:
        if flow.ended is not None:
            break
        STEPS[number](flow)
        flow.run(0.3)
    flow.run(20)
    if flow.ended is None:
        _assert_not_left_paused(flow)
    flow.run(400)
    assert flow.ended is not None


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(
    configurations(),
    configurations(),
    st.lists(st.sampled_from(range(len(STEPS))), min_size=2, max_size=8),
)
def test_a_call_is_played_again_through_any_other_configuration(
    tables: dict[str, Any], others: dict[str, Any], chosen: list[int]
) -> None:
    flow = flow_of(tables, "websocket")
    other = flow_of({name: others[name] for name in ("call", "barge_in")} | BARE, "websocket")
    flow.start(links_after=0.2)
    flow.run(2)
    for number in chosen:
        STEPS[number](flow)
        flow.run(0.3)
    entries = flow.controller.timeline.entries
    for chosen_settings in (other.settings, flow_of(others, "websocket").settings):
        again = replay(entries, chosen_settings, classify)
        assert len(again) < 100 * len(entries)


def flow_of(tables: dict[str, Any], transport: Transport) -> WatchedFlow:
    try:
        return WatchedFlow(Settings.model_validate(tables), transport)
    except ConfigError:
        reject()


def _assert_not_left_paused(flow: Flow) -> None:
    kinds = (PausePlayout, ResumePlayout, Stop)
    told = [one for _, one in flow.actions if isinstance(one, kinds)]
    assert not told or not isinstance(told[-1], PausePlayout)


def assert_played_again(flow: Flow) -> None:
    rows = msgspec.json.decode(msgspec.json.encode(flow.controller.timeline.as_list()))
    entries = [TimelineEntry.from_dict(row) for row in rows]
    assert first_difference(entries, replay(entries, flow.settings, classify)) is None

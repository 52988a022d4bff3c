"""Supervisors who come, take over and go at any time, in any flow: what holds in all of them."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.control import CallState
from gateway.control.actions import HangUp, Say, SendCommand, Supervise, Whisper
from gateway.control.events import LegEnded, SupervisorLeft, Transport
from gateway.realtime.commands import ResponseCreate
from gateway.testing.flow import Flow
from tests.control.random_flows import configurations
from tests.control.test_hang_up_anywhere import STEPS
from tests.control.test_random_flows import assert_played_again, flow_of

WISHES = ["listen", "speak", "takeover", "leave", "lost", "whisper"]
step = st.one_of(
    st.sampled_from(range(len(STEPS))),
    st.tuples(st.sampled_from(WISHES), st.sampled_from("ab")),
)


def supervise(flow: Flow, wish: Any, who: str) -> None:
    """Have one of two people do something."""
    if wish == "lost":
        flow.post(SupervisorLeft(who))
    elif wish == "whisper":
        flow.ask(Whisper("Be brief."), by=who)
    else:
        flow.ask(Supervise(wish, who), by=who)


def asked_while_taken_over(flow: Flow) -> list[ResponseCreate]:
    """Return what the service was asked to say while somebody had the agent's place."""
    holders: set[str] = set()
    asked = []
    for _, action in flow.actions:
        match action:
            case Supervise(mode, supervisor):
                (holders.add if mode == "takeover" else holders.discard)(supervisor)
            case SendCommand(ResponseCreate() as command) if holders:
                asked.append(command)
            case _:
                pass
    return asked


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(
    configurations(),
    st.sampled_from(["websocket", "websocket", "webrtc"]),
    st.lists(step, max_size=5),
    st.lists(step, min_size=1, max_size=7),
)
def test_the_agent_is_never_asked_for_a_word_while_its_place_is_taken_and_the_call_goes_on(
    tables: dict[str, Any], transport: Transport, before: list[Any], meanwhile: list[Any]
) -> None:
    flow = flow_of(tables, transport)
    flow.start(links_after=0.2)
    flow.run(2)
    for one in (*before, ("takeover", "a"), *meanwhile):
        if flow.ended is not None:
            break
        supervise(flow, *one) if isinstance(one, tuple) else STEPS[one](flow)
        flow.run(0.3)
    flow.ask(Say("Is anybody there?"), by="b")
    flow.run(5)
    assert asked_while_taken_over(flow) == []
    for who in "ab":
        supervise(flow, "lost", who)
    flow.run(800)
    assert flow.ended is not None  # the agent, or what leads on without it, had the call again
    assert flow.controller.deadline is None
    assert_played_again(flow)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(configurations(), st.lists(step, max_size=8))
def test_who_has_the_call_may_end_it_whatever_came_before(
    tables: dict[str, Any], chosen: list[Any]
) -> None:
    flow = flow_of(tables, "websocket")
    flow.start(links_after=0.2)
    flow.run(3)
    for one in chosen:
        supervise(flow, *one) if isinstance(one, tuple) else STEPS[one](flow)
        flow.run(0.3)
    flow.ask(HangUp("supervisor"), by="a")
    flow.run(60)
    assert flow.ended is not None
    assert flow.controller.state is CallState.ENDED
    flow.post(LegEnded("caller"))

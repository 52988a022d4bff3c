"""Caller and callee on one line: what the service does or lacks does not come between them."""

import pytest

from gateway.config import Settings
from gateway.control import CallState, HangUp, Play
from gateway.control.actions import Disconnect, OpenMenu, Patch, Respond, Say, Transfer
from gateway.control.events import CalleeAnswered, CalleeEnded
from gateway.realtime.events import InputAudioBufferTimeoutTriggered, ResponseDone, ResponseInfo
from gateway.testing.flow import Flow
from tests.control.call_scenes import TIMEOUT, settings, state, talking

STAYS = Transfer("operator", mode="bridge", agent="stays")
LISTENS = Transfer("operator", mode="bridge", agent="silent")
LEAVES = Transfer("operator", mode="bridge", agent="leaves")
MENU = {"keypad": {"say": "Press 1.", "prompt": "keypad", "keys": {"1": {"menu": "close"}}}}


def joined(plan: Settings | None = None, by: Transfer = STAYS) -> Flow:
    """Return a call whose caller and callee hear each other through us."""
    flow = talking(plan or settings())
    return join(flow, by)


def join(flow: Flow, by: Transfer) -> Flow:
    flow.ask(by)
    flow.run(1)
    flow.post(CalleeAnswered())
    flow.run(3)
    assert flow.did(Patch)
    flow.actions.clear()
    return flow


def assert_left_alone(flow: Flow) -> None:
    """Assert that the two are on the line, and hear nobody but each other."""
    assert flow.controller.state is not CallState.ENDED
    assert flow.did(Patch)[-1:] in ([], [Patch("bridge")])
    assert not flow.did(HangUp)
    assert not flow.played


@pytest.mark.parametrize("by", [STAYS, LISTENS], ids=["stays", "silent"])
def test_a_service_lost_for_good_leaves_the_two_talking_until_one_of_them_hangs_up(
    by: Transfer,
) -> None:
    flow = joined(by=by)
    flow.lose_service(is_retryable=False)
    flow.run(300)
    assert_left_alone(flow)
    assert flow.did(Patch) == [Patch("bridge")]
    assert flow.did(Disconnect) == [Disconnect()]
    flow.press("0")
    flow.post(CalleeEnded(200))
    assert flow.did(HangUp) == [HangUp("callee hung up")]


def test_a_service_that_is_away_is_covered_by_no_sound_and_comes_back_into_the_conversation() -> (
    None
):
    flow = joined()
    flow.lose_service(seconds=10)
    flow.run(20)
    assert flow.controller.state is CallState.TALKING
    assert not flow.played
    assert not flow.did(Patch)
    flow.post(CalleeEnded(200))
    flow.run(2)
    assert flow.did(Patch) == [Patch("caller")]
    assert not flow.did(HangUp)


def test_a_service_that_never_comes_back_is_given_up_without_a_word() -> None:
    flow = joined(settings(fallback={"transfer": "operator"}))
    flow.lose_service(seconds=9999)
    flow.run(120)
    assert_left_alone(flow)
    assert flow.did(Patch) == [Patch("bridge")]


def test_a_service_that_falls_silent_is_given_up_without_a_word() -> None:
    flow = joined()
    flow.service.is_mute = True
    flow.service.hear_caller(0.5, "Hello?")
    flow.away_until = 9999
    flow.run(300)
    assert_left_alone(flow)
    assert flow.did(Patch) == [Patch("bridge")]


@pytest.mark.parametrize("limits", [{"max_tokens": 100}, {"max_cost": 0.1}])
def test_a_limit_of_the_service_is_the_agents_end_and_not_the_calls(
    limits: dict[str, float],
) -> None:
    call = {**limits, "wind_down": "We are nearly done."}
    flow = joined(settings(call=call, prices={"text_output": 1000.0}))
    said = len(flow.said)
    for tokens in (95, 9):
        usage = {"total_tokens": tokens, "input_tokens": 0, "output_tokens": tokens}
        response = ResponseInfo(id=f"used {tokens}", status="completed", usage=usage)
        flow.emit(ResponseDone(response=response))
        flow.run(5)
    assert_left_alone(flow)
    assert flow.did(Patch) == [Patch("bridge")]
    assert len(flow.said) == said
    flow.post(CalleeEnded(200))
    assert flow.did(HangUp) == [HangUp("callee hung up")]


def test_what_was_still_to_be_said_is_not_said_over_the_two() -> None:
    flow = joined()
    flow.lose_service(seconds=9999)
    flow.ask(Say("One moment.", "unavailable"))
    flow.run(0.5)
    flow.ask(Respond())
    flow.run(60)
    assert_left_alone(flow)


def test_a_callee_reached_without_the_service_is_joined_without_an_agent() -> None:
    keys = {"0": [{"dial": "operator"}]}
    plan = settings(fallback={"keys": keys, "key_seconds": 30.0}, realtime={"reconnect_seconds": 0})
    flow = talking(plan)
    flow.lose_service(is_retryable=False)
    flow.run(4)
    flow.press("0")
    flow.run(1)
    flow.post(CalleeAnswered())
    flow.actions.clear()
    flow.run(300)
    assert_left_alone(flow)
    assert state(flow) is CallState.TRANSFERRING


@pytest.mark.parametrize("by", [STAYS, LISTENS, LEAVES], ids=["stays", "silent", "leaves"])
def test_silence_counts_for_nothing_while_two_are_talking(by: Transfer) -> None:
    rules = [{"on": TIMEOUT, "count": "2+", "do": ["hangup"]}]
    idle = {"seconds": 5, "limit": 2, "ladder": [[{"menu": "keypad"}]]}
    plan = settings(rules=rules, idle=idle, menus=MENU, prompts={"keypad": "keypad.wav"})
    flow = joined(plan, by)
    said = len(flow.said)
    for _ in range(6):
        flow.post(InputAudioBufferTimeoutTriggered(item_id="", audio_start_ms=0, audio_end_ms=9))
        flow.run(20)
    assert_left_alone(flow)
    assert flow.place == ""
    assert len(flow.said) == said


def test_silence_counts_again_once_the_callee_is_gone() -> None:
    flow = joined(settings(idle={"seconds": 5, "limit": 1}))
    flow.run(60)
    flow.post(CalleeEnded(200))
    flow.run(20)
    assert flow.did(HangUp) == [HangUp("idle")]


def test_no_menu_opens_over_two_who_talk() -> None:
    flow = joined(settings(menus=MENU, prompts={"keypad": "keypad.wav"}))
    flow.ask(OpenMenu("keypad"))
    flow.run(2)
    assert flow.place == ""
    assert Play("keypad") not in flow.did(Play)
    assert "Press 1." not in flow.said

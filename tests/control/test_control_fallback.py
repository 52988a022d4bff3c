"""A call without its service: a prompt, keys, a transfer, a polite end; in virtual time."""

from typing import Any

import pytest
from call_scenes import DTMF, NO_RETURN, settings, state, talking

from gateway.config import Settings
from gateway.control import (
    Answer,
    CallState,
    Connect,
    ControlSettings,
    HangUp,
    Log,
    Play,
    Refer,
    Reject,
    Stop,
    first_difference,
    replay,
)
from gateway.control.events import LegEnded, TransferEnded
from gateway.control.settings import APOLOGY
from gateway.control.timeline import TimelineEntry
from gateway.errors import ConfigError
from gateway.realtime.events import InputAudioBufferDtmfEventReceived
from gateway.realtime.faults import classify
from gateway.testing.flow import Flow

PROMPTS = {"menu": "menu.wav", "hours": "hours.wav"}
KEYS = {"1": [{"play": "hours"}], "0": [{"transfer": "operator"}], "9": ["hangup"]}


def plan(realtime: dict[str, Any] = NO_RETURN, **fallback: Any) -> Settings:
    tables = {"prompt": "menu", "keys": KEYS, "key_seconds": 5.0, "repeats": 2} | fallback
    return settings(prompts=PROMPTS, fallback=tables, realtime=realtime)


def lost(chosen: Settings | None = None) -> Flow:
    """Return a call that was greeted, and whose service is then gone for good."""
    flow = talking(chosen or plan())
    flow.lose_service(seconds=9999)
    return flow


def played(flow: Flow) -> list[str]:
    return [play.prompt for play in flow.did(Play)]


def test_a_caller_who_presses_nothing_is_asked_again_and_then_let_go() -> None:
    flow = lost()
    flow.run(30)
    assert played(flow) == ["menu", "menu"]
    assert flow.did(HangUp) == [HangUp("service lost")]
    assert flow.when(HangUp) == pytest.approx(2 + 2 * (flow.prompt_seconds + 5))


def test_a_caller_who_presses_nothing_is_transferred_where_that_is_the_way_out() -> None:
    flow = lost(plan(transfer="operator"))
    flow.run(30)
    assert played(flow) == ["menu", "menu"]
    assert flow.did(Refer) == [Refer("sip:operator@pbx.example")]
    flow.post(TransferEnded(is_accepted=True))
    assert flow.did(HangUp) == [HangUp("transferred")]


def test_a_key_during_the_prompt_stops_it_and_does_what_it_is_configured_to() -> None:
    flow = lost()
    flow.run(1)
    flow.press("0")
    flow.run(0.1)
    assert flow.did(Stop)
    assert flow.did(Refer) == [Refer("sip:operator@pbx.example")]


def test_a_key_after_the_prompt_is_taken_and_the_menu_comes_back() -> None:
    flow = lost()
    flow.run(4)
    flow.press("1")
    flow.run(3)
    assert played(flow) == ["menu", "hours", "menu"]
    flow.press("9")
    flow.run(3)
    assert flow.did(HangUp) == [HangUp("rule")]


def test_a_key_that_is_not_on_the_menu_does_nothing() -> None:
    flow = lost()
    flow.run(1)
    flow.press("7")
    flow.run(2)
    assert played(flow) == ["menu"]
    assert Log("key 7 ignored, the call is without service") in flow.did(Log)
    flow.run(30)
    assert len(flow.did(HangUp)) == 1


def test_a_rule_takes_a_key_that_the_menu_leaves() -> None:
    rules = [{"on": DTMF, "digit": "5", "do": [{"play": "hours"}]}]
    chosen = settings(
        prompts=PROMPTS, fallback={"prompt": "menu", "keys": KEYS}, rules=rules, realtime=NO_RETURN
    )
    flow = lost(chosen)
    flow.run(3)
    flow.press("5")
    flow.run(3)
    assert played(flow) == ["menu", "hours"]
    flow.run(60)
    assert len(flow.did(HangUp)) == 1


def test_a_rule_that_has_the_service_speak_leaves_nobody_in_silence() -> None:
    rules = [{"on": DTMF, "digit": "5", "do": [{"say": "Hello."}]}]
    flow = talking(settings(rules=rules, realtime=NO_RETURN))
    flow.lose_service(seconds=999)
    flow.run(1)
    flow.press("5")
    flow.run(30)
    assert len(flow.did(HangUp)) == 1


def test_a_transfer_that_fails_brings_the_menu_back() -> None:
    flow = lost()
    flow.run(1)
    flow.press("0")
    flow.run(1)
    flow.post(TransferEnded(is_accepted=False, status=486))
    flow.run(1)
    assert played(flow) == ["menu", "menu"]
    assert state(flow) is CallState.TALKING
    flow.run(60)
    assert len(flow.did(HangUp)) == 1


def test_the_last_transfer_that_fails_ends_the_call_with_a_word() -> None:
    flow = lost(settings(fallback={"transfer": "operator"}, realtime=NO_RETURN))
    flow.run(1)
    flow.post(TransferEnded(is_accepted=False, status=480))
    flow.run(5)
    assert played(flow) == [APOLOGY]
    assert flow.did(HangUp) == [HangUp("transfer failed")]


def test_a_transfer_of_which_nothing_is_heard_ends_too() -> None:
    flow = lost(settings(fallback={"transfer": "operator"}, realtime=NO_RETURN))
    flow.run(60)
    assert flow.did(HangUp) == [HangUp("transfer failed")]


def test_keys_without_a_prompt_are_waited_for_in_silence() -> None:
    flow = lost(plan(prompt=""))
    flow.run(4)
    flow.press("1")
    flow.run(3)
    assert played(flow) == ["hours"]
    flow.run(30)
    assert len(flow.did(HangUp)) == 1


def test_the_menu_has_the_shipped_apology_where_no_prompt_is_named() -> None:
    flow = lost(plan(prompt=None))
    flow.run(1)
    assert played(flow) == [APOLOGY]


def test_a_call_that_was_never_answered_gets_the_menu_too() -> None:
    flow = Flow(plan(realtime={"connect_seconds": 3}))
    flow.away_until = 999
    flow.start()
    flow.run(6)
    assert flow.did(Answer)
    assert played(flow) == ["menu"]
    flow.press("9")
    flow.run(3)
    assert flow.did(HangUp) == [HangUp("rule")]


def test_a_call_that_was_never_answered_is_refused_where_there_is_no_prompt() -> None:
    flow = Flow(plan(realtime={"connect_seconds": 3}, prompt=None))
    flow.away_until = 999
    flow.start()
    flow.run(6)
    assert flow.did(Reject) == [Reject(503, "Service Unavailable")]


def test_a_service_given_up_during_a_transfer_waits_for_its_outcome() -> None:
    rules = [{"on": DTMF, "digit": "5", "do": [{"transfer": "operator"}]}]
    flow = talking(settings(rules=rules, realtime={"reconnect_seconds": 3}))
    flow.press("5")
    flow.lose_service(seconds=999)
    flow.run(20)
    assert state(flow) is CallState.TRANSFERRING
    assert not flow.did(Play)
    flow.post(TransferEnded(is_accepted=False, status=486))
    flow.run(5)
    assert played(flow) == [APOLOGY]
    assert flow.did(HangUp) == [HangUp("service lost")]


def test_a_prompt_of_a_rule_is_cut_for_the_way_out_only_once_the_service_is_given_up() -> None:
    rules = [{"on": DTMF, "digit": "5", "do": [{"play": "hours"}]}]
    flow = talking(
        settings(prompts=PROMPTS, rules=rules, fallback={"prompt": "menu"}, realtime=NO_RETURN)
    )
    flow.press("5")
    flow.run(0.5)
    flow.lose_service(seconds=999)
    flow.run(5)
    assert played(flow) == ["hours", "menu"]
    assert len(flow.did(Stop)) == 1


def test_no_attempt_is_made_once_the_service_is_given_up() -> None:
    flow = lost()
    tries = len(flow.did(Connect))
    flow.run(60)
    assert len(flow.did(Connect)) == tries


def test_what_the_service_still_says_after_it_was_given_up_is_not_heard() -> None:
    flow = lost()
    assert flow.controller.is_dropped("response-9")


def test_a_key_that_the_service_heard_works_on_the_menu_as_well() -> None:
    flow = lost()
    flow.run(1)
    flow.post(InputAudioBufferDtmfEventReceived(event="9"))
    flow.run(3)
    assert flow.did(HangUp) == [HangUp("rule")]


def test_a_hosted_call_without_its_service_is_let_go() -> None:
    flow = Flow(settings(realtime={"reconnect_seconds": 3}), transport="sip")
    flow.start()
    flow.run(3)
    flow.lose_service(seconds=99)
    flow.run(9)
    assert not flow.did(Play)
    assert flow.did(HangUp) == [HangUp("service lost")]


def test_a_hosted_call_whose_link_never_comes_is_let_go() -> None:
    flow = Flow(settings(realtime={"connect_seconds": 3}), transport="sip")
    flow.away_until = 99
    flow.start()
    flow.run(9)
    assert not flow.did(Play)
    assert flow.did(HangUp) == [HangUp("service lost")]


def test_a_caller_who_hangs_up_on_the_menu_ends_it() -> None:
    flow = lost()
    flow.run(1)
    flow.post(LegEnded("caller"))
    assert flow.controller.deadline is None


def test_the_longest_duration_holds_on_the_menu() -> None:
    chosen = settings(
        prompts=PROMPTS,
        fallback={"prompt": "menu", "keys": KEYS},
        realtime=NO_RETURN,
        call={"max_seconds": 60},
    )
    flow = lost(chosen)
    while not flow.ended and flow.now < 200:
        flow.press("1")
        flow.run(2.5)
    assert flow.did(HangUp) == [HangUp("time limit")]


def test_a_menu_is_replayed_to_the_same_actions() -> None:
    flow = lost()
    flow.run(1)
    flow.press("1")
    flow.run(4)
    flow.press("0")
    flow.run(1)
    flow.post(TransferEnded(is_accepted=False, status=486))
    flow.run(60)
    rows = [TimelineEntry.from_dict(row) for row in flow.controller.timeline.as_list()]
    assert first_difference(rows, replay(rows, ControlSettings.of(plan()), classify)) is None


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"1": [{"say": "Hello."}]}, "say needs the service, which is away then; use play"),
        ({"1": ["respond"]}, "respond needs the service"),
        ({"1": [{"send_text": "x"}]}, "send_text needs the service"),
        ({"1": [{"transfer": "boss"}]}, "add it to .targets."),
        ({"1": [{"play": "song"}]}, "add it to .prompts."),
        ({"1": ["hangup", "stop"]}, "nothing is done after hangup"),
    ],
)
def test_a_key_that_cannot_work_is_refused_with_a_remedy(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ControlSettings.of(Settings(fallback={"keys": keys}))  # type: ignore[arg-type]

"""Digits of a secret number that come once it is over: hidden as the number, and without effect."""

import pytest

from gateway.config import load
from gateway.control import CallState
from gateway.control.actions import Conceal, HangUp, Log, Refer, SendDtmf
from gateway.control.events import BeepHeard, CalleeAnswered
from gateway.testing.flow import Flow
from tests.control.call_scenes import state
from tests.control.test_secret_numbers import assert_hidden

RIGHT, WRONG = "7" * 10, "0" + "7" * 9  # by their check digits
LINE = """
[call]
greet = false
goodbye = "Bye."

[targets]
operator = "sip:operator@pbx.example"
desk = {{ uri = "sip:desk@pbx.example", mode = "bridge" }}

[menus.after]
say = "After."
keys.7 = {{ log = "operated" }}

[collects.card]
say = "Card?"
min = 10
max = 10
sensitive = true
check = "luhn"
{more}

[collects.check]
say = "Check?"
min = 3
max = 3
sensitive = true
to = "nowhere"
then = {{ log = "checked" }}

[[rules]]
on = "beep.heard"
do = {{ collect = "card" }}

[[rules]]
on = "input_audio_buffer.dtmf_event_received"
digit = "7"
state = ["talking", "transferring", "leaving"]
go_on = true
do = {{ log = "a rule" }}
"""


def line(more: str = "", settle: float = 3.0) -> Flow:
    """Return a call that is asked for the card, and has heard so after three seconds."""
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": LINE.format(more=more)}))
    flow.start()
    flow.run(1)
    flow.post(BeepHeard(1000, 300))
    flow.run(settle)
    return flow


def type_slowly(flow: Flow, keys: str) -> None:
    """Press keys as a finger does, whose pauses take longer together than any grace."""
    for key in keys:
        flow.press(key)
        flow.run(0.6)


def assert_for_nobody(flow: Flow) -> None:
    """Assert that no digit is to be seen, and that none was taken for anything else."""
    assert_hidden(flow)
    assert not [text for text in flow.service.texts() if text.startswith("[DTMF")]
    assert Log("a rule") not in flow.did(Log)
    assert not [one for one in flow.did(Log) if "ignored" in one.text]
    assert not flow.did(SendDtmf)


@pytest.mark.parametrize("keys", [WRONG + RIGHT, WRONG + "7", "77777"], ids=len)
def test_a_wrong_number_that_is_typed_again_at_once_is_not_for_the_model(keys: str) -> None:
    flow = line('retries = 0\nfailed = { menu = "close" }')
    type_slowly(flow, keys)
    flow.run(3)
    assert_for_nobody(flow)


def test_the_rest_of_a_number_after_too_long_a_pause_is_not_for_the_model() -> None:
    flow = line('retries = 0\nfailed = { menu = "close" }')
    type_slowly(flow, RIGHT[:5])
    flow.run(3)
    assert flow.place == ""
    type_slowly(flow, RIGHT[5:])
    flow.run(3)
    assert_for_nobody(flow)


def test_a_number_typed_again_during_a_transfer_is_not_in_the_log() -> None:
    flow = line('retries = 0\nfailed = { transfer = "operator" }')
    type_slowly(flow, WRONG + RIGHT)
    assert flow.did(Refer)
    assert state(flow) is CallState.TRANSFERRING
    assert_for_nobody(flow)


def test_a_number_typed_again_is_not_for_whoever_the_caller_is_joined_with() -> None:
    flow = line('retries = 0\nfailed = { transfer = "desk" }')
    type_slowly(flow, WRONG + "77")
    flow.post(CalleeAnswered())
    type_slowly(flow, "7777")
    assert_for_nobody(flow)
    flow.run(3)
    flow.press("8")
    assert flow.did(SendDtmf) == [SendDtmf("8", "callee")]


def test_a_number_typed_again_during_the_goodbye_is_hidden_and_does_not_keep_the_call() -> None:
    flow = line("retries = 0")
    type_slowly(flow, WRONG)
    flow.press("7777")
    flow.run(5)
    assert flow.did(HangUp) == [HangUp("invalid input")]
    assert_for_nobody(flow)


def test_a_key_pressed_twice_is_not_told_to_the_model() -> None:
    flow = line()
    flow.press(RIGHT + "7")
    flow.run(5)
    assert flow.service.texts() == [f"[card {'•' * 10}]"]
    assert_for_nobody(flow)


def test_digits_too_many_do_not_operate_the_next_menu() -> None:
    flow = line('then = { menu = "after" }')
    type_slowly(flow, RIGHT + "777")
    assert flow.place == "after"
    assert Log("operated") not in flow.did(Log)
    assert_for_nobody(flow)


def test_digits_too_many_are_not_the_beginning_of_the_next_secret_number() -> None:
    flow = line('then = { collect = "check" }')
    type_slowly(flow, RIGHT + "7777")
    assert flow.place == "check"
    flow.run(2)
    flow.press("777")
    flow.run(0.1)
    assert Log("checked") in flow.did(Log)
    assert_for_nobody(flow)


def test_digits_typed_ahead_beyond_a_secret_number_do_not_operate_the_next_menu() -> None:
    flow = line('barge_in = false\nthen = { menu = "after" }', settle=0.3)
    flow.press(RIGHT + "7")
    flow.run(5)
    assert flow.place == "after"
    assert Log("operated") not in flow.did(Log)
    assert_for_nobody(flow)


def test_the_next_menu_takes_a_digit_once_its_prompt_is_heard_and_the_overflow_is_over() -> None:
    flow = line('then = { menu = "after" }')
    flow.press(RIGHT)
    flow.run(1.6)
    flow.press("7")
    assert Log("operated") in flow.did(Log)
    pressed = flow.controller.timeline.as_list()
    keys = [row["detail"]["key"] for row in pressed if row["name"] == "key.pressed"]
    assert keys == [*"•" * 10, "7"]


@pytest.mark.parametrize("end", ["#", ""], ids=["ended by key", "complete"])
def test_a_number_that_the_caller_ended_themselves_has_no_digits_too_many(end: str) -> None:
    flow = line('then = { menu = "after" }')
    flow.press(RIGHT + end)
    flow.press("7")
    flow.run(0.1)
    assert (Log("operated") in flow.did(Log)) is bool(end)


def test_sound_is_hidden_until_no_digit_came_for_as_long_as_the_pause_between_two() -> None:
    flow = line("inter_digit_ms = 4000")
    flow.press(RIGHT)
    flow.run(3.9)
    flow.press("7")
    flow.run(3.9)
    assert flow.did(Conceal) == [Conceal(is_on=True)]
    flow.run(0.2)
    assert flow.did(Conceal) == [Conceal(is_on=True), Conceal(is_on=False)]
    flow.press("8")
    assert "[DTMF 8]" in flow.service.texts()

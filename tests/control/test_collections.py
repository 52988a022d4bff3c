"""Numbers taken by keys, in virtual time: their timers, their ladders, and where they go."""

import pytest

from gateway.config import load
from gateway.control import CallState, HangUp
from gateway.control.actions import Conceal, Log, Mute, Refer, RunErrand, Stop, Transfer
from gateway.control.events import (
    BeepHeard,
    CalleeAnswered,
    LegHeld,
    MenuClosed,
    TransferEnded,
)
from gateway.realtime.commands import ConversationItemCreate
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import FunctionCall, Reply
from tests.control.call_scenes import call_of, state

LINE = """
[call]
greet = false
goodbye = "Bye."
tools = ["collect_digits", "hang_up", "transfer_call"]

[targets]
operator = "sip:operator@pbx.example"
desk = { uri = "sip:desk@pbx.example", mode = "bridge", agent = "stays" }

[prompts]
number = "number.wav"

[webhooks.crm]
url = "https://crm.example/"

[menus.main]
say = "Main."
keys.1 = { collect = "account" }
keys.2 = { collect = "pin" }
keys.3 = { collect = "hooked" }
keys.4 = { collect = "kept" }
keys.5 = { collect = "paid" }

[collects.account]
say = "Account?"
prompt = "number"
min = 3
max = 6
timeout_ms = 4000
inter_digit_ms = 2000
retries = 1
no_input = [{ log = "none" }]
invalid = [{ say = "Wrong." }]
failed = { transfer = "operator" }
keys."*" = { menu = "main" }
then = { log = "taken {account}" }

[collects.pin]
say = "Pin?"
min = 4
max = 4
terminator = ""
barge_in = false
pattern = "[1-5]+"

[collects.hooked]
say = "Hooked?"
max = 2
to = "webhook"
webhook = "crm"
into = "number"

[collects.kept]
say = "Kept?"
max = 2
to = "nowhere"
then = [{ say = "It is {kept}." }]

[collects.paid]
say = "Card?"
min = 4
max = 8
check = "luhn"
retries = 1

[[rules]]
on = "beep.heard"
do = { menu = "main" }
"""


def line() -> Flow:
    """Return a call that has heard the main menu's prompt."""
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": LINE}))
    flow.start()
    flow.run(1)
    flow.post(BeepHeard(1000, 300))
    flow.run(2)
    return flow


def collecting(key: str) -> Flow:
    """Return a call in a collection whose prompt was heard."""
    flow = line()
    flow.press(key)
    flow.run(2)
    return flow


def closed(flow: Flow) -> list[tuple[str, str, str]]:
    told = [one.subject for one in flow.controller.timeline.entries]
    return [(one.name, one.outcome, one.keys) for one in told if isinstance(one, MenuClosed)]


# What ends a number


@pytest.mark.parametrize(
    ("keys", "after"),
    [("4711#", 0.1), ("471123", 0.1), ("4711", 2.1)],
    ids=["terminator", "as many as can be", "a pause"],
)
def test_a_number_is_over(keys: str, after: float) -> None:
    flow = collecting("1")
    flow.press(keys)
    flow.run(after)
    number = keys.rstrip("#")
    assert flow.variable("account") == number
    assert closed(flow)[-1] == ("account", "collected", number)
    assert Log(f"taken {number}") in flow.did(Log)


def test_each_key_begins_the_wait_for_the_next_anew() -> None:
    flow = collecting("1")
    for key in "4711":
        flow.press(key)
        flow.run(1.9)
    assert flow.variable("account") == ""
    flow.run(0.2)
    assert flow.variable("account") == "4711"


def test_a_terminator_behind_a_number_that_was_complete_is_part_of_it() -> None:
    flow = collecting("1")
    flow.press("471123#")
    flow.run(1)
    assert flow.variable("account") == "471123"
    assert flow.place == "main"
    assert "Wrong." not in flow.said


def test_the_first_key_cuts_the_prompt() -> None:
    flow = line()
    flow.service.replies.append(Reply(5000))
    flow.press("1")
    flow.run(1)
    flow.press("4")
    flow.run(0.1)
    assert flow.did(Stop)
    flow.press("711#")
    flow.run(0.1)
    assert flow.variable("account") == "4711"


def test_a_number_typed_before_its_prompt_is_begun_is_not_talked_over() -> None:
    flow = line()
    flow.press("14711#")
    flow.run(0.5)
    assert flow.variable("account") == "4711"
    heard = [e for e in flow.controller.timeline.entries if e.name == "playout.started"]
    assert flow.said == ["Main.", "Account?", "Main."]
    assert len(heard) == 2  # the menu twice, and not the question


def test_keys_wait_for_the_end_of_a_question_that_is_not_to_be_cut() -> None:
    flow = line()
    flow.service.replies.append(Reply(3000))
    flow.press("2")
    flow.run(0.5)
    flow.press("1234")
    flow.run(1)
    assert flow.place == "pin"
    assert not flow.did(Stop)
    flow.run(2)
    assert closed(flow)[-1] == ("pin", "collected", "1234")


def test_star_leads_out_and_takes_what_was_typed_along() -> None:
    flow = collecting("1")
    flow.press("47*")
    flow.run(2)
    assert flow.place == "main"
    assert ("account", "key", "*") in closed(flow)
    assert flow.variable("account") == ""


# Ladders


def test_a_caller_who_types_nothing_is_asked_again_then_sent_on() -> None:
    flow = collecting("1")
    flow.run(4)
    assert Log("none") in flow.did(Log)
    assert flow.said.count("Account?") == 2
    flow.run(8)
    assert flow.did(Refer) == [Refer("sip:operator@pbx.example")]
    assert closed(flow)[-1] == ("account", "failed", "")


@pytest.mark.parametrize("keys", ["47#", "4A", "D"])
def test_what_is_no_such_number_is_refused_then_the_caller_is_sent_on(keys: str) -> None:
    flow = collecting("1")
    flow.press(keys)
    flow.run(5)
    assert flow.said[-2:] == ["Wrong.", "Account?"]
    flow.press(keys)
    flow.run(2)
    assert flow.did(Refer)


def test_a_pattern_is_held_against_the_whole_number() -> None:
    flow = collecting("2")
    flow.press("1239")
    flow.run(3)
    assert flow.place == "pin"
    flow.press("1234")
    flow.run(1)
    assert "[pin 1234]" in flow.service.texts()


def test_a_check_digit_must_be_right_and_failing_without_steps_says_goodbye() -> None:
    flow = collecting("5")
    flow.press("49927398717"[:8] + "#")
    flow.run(3)
    flow.press("1234#")
    flow.run(5)
    assert flow.said[-1] == "Bye."
    assert flow.did(HangUp) == [HangUp("invalid input")]


# Where it goes


def test_a_number_goes_to_the_model_as_text_and_the_agent_goes_on() -> None:
    flow = collecting("2")
    flow.press("1234")
    flow.run(3)
    assert flow.service.texts() == ["[pin 1234]"]
    assert flow.place == ""


def test_a_number_goes_to_a_webhook_and_back_to_the_menu() -> None:
    flow = collecting("3")
    flow.press("12")
    flow.run(1)
    (errand,) = flow.did(RunErrand)
    assert errand.name == "crm"
    assert errand.payload["call"]["variables"]["number"] == "12"
    assert flow.service.texts() == []
    assert flow.place == "main"


def test_a_number_goes_nowhere_but_into_its_variable() -> None:
    flow = collecting("4")
    flow.press("12#")
    flow.run(4)
    assert flow.service.texts() == []
    assert flow.said[-2:] == ["It is 1 2.", "Main."]


def test_a_number_taken_while_the_service_is_away_holds_nothing_up_and_is_told_later() -> None:
    flow = collecting("1")
    flow.lose_service(seconds=6)
    flow.press("4711#")
    flow.run(0.1)
    assert flow.variable("account") == "4711"
    assert flow.place == "main"
    flow.run(10)
    assert "[account 4711]" in flow.service.texts()


# Whatever comes between


def test_a_service_that_is_lost_for_good_interrupts_nobody_who_types() -> None:
    flow = collecting("1")
    flow.press("47")
    flow.lose_service(is_retryable=False)
    flow.run(0.2)
    flow.press("11#")
    flow.run(0.1)
    assert flow.variable("account") == "4711"


@pytest.mark.parametrize("is_typing", [False, True])
def test_hold_suspends_the_timers(is_typing: bool) -> None:
    flow = collecting("1")
    flow.press("47" * is_typing)
    flow.post(LegHeld(is_held=True))
    flow.run(60)
    flow.post(LegHeld(is_held=False))
    flow.run(1)
    flow.press("4711#"[2 * is_typing :])
    flow.run(0.1)
    assert flow.variable("account") == "4711"
    assert flow.said == ["Main.", "Account?", "Main."]


def test_a_transfer_suspends_a_number_and_one_that_fails_finds_it_open() -> None:
    flow = collecting("1")
    flow.press("47")
    flow.ask(Transfer("operator"))
    flow.run(20)
    assert state(flow) is CallState.TRANSFERRING
    flow.press("9")  # is for nobody
    flow.post(TransferEnded(is_accepted=False, status=486))
    flow.run(0.1)
    flow.press("11#")
    flow.run(3)
    assert flow.variable("account") == "4711"


def test_a_joined_call_leaves_every_menu() -> None:
    flow = collecting("1")
    flow.press("47")
    flow.ask(Transfer("desk"))
    flow.post(CalleeAnswered())
    flow.run(0.1)
    assert flow.place == ""
    assert closed(flow)[-1] == ("account", "closed", "47")
    assert flow.did(Mute)[-1] == Mute("none")


# Asked for by the model

ASKED = call_of("collect_digits", '{"name": "account"}')


def asked(*more: FunctionCall) -> Flow:
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": LINE}))
    flow.service.replies.append(Reply(500, calls=(ASKED, *more)))
    flow.start()
    flow.run(1)
    flow.service.hear_caller(0.4)
    flow.run(3)
    return flow


def results(flow: Flow) -> list[str]:
    items = [command.item for command in flow.sent(ConversationItemCreate)]
    return [item["output"] for item in items if item["type"] == "function_call_output"]


def test_the_result_is_given_once_and_not_told_twice() -> None:
    flow = asked()
    assert flow.place == "account"
    flow.press("4711#")
    flow.run(5)
    assert results(flow) == ['{"status": "ok", "digits": "4711"}']
    assert "[account 4711]" not in flow.service.texts()


def test_a_number_that_is_not_for_the_model_is_no_result() -> None:
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": LINE}))
    call = call_of("collect_digits", '{"name": "kept"}')
    flow.service.replies.append(Reply(500, calls=(call,)))
    flow.start()
    flow.run(1)
    flow.service.hear_caller(0.4)
    flow.run(3)
    flow.press("12#")
    flow.run(3)
    assert results(flow) == ['{"status": "ok"}']


@pytest.mark.parametrize("how", ["closed", "joined", "transferred", "failed", "replaced"])
def test_a_collection_that_comes_to_nothing_is_told_once(how: str) -> None:
    flow = asked()
    flow.press("47")
    match how:
        case "closed":
            flow.press("*")
        case "joined":
            flow.ask(Transfer("desk"))
            flow.post(CalleeAnswered())
        case "transferred":
            flow.ask(Transfer("operator"))
            flow.post(TransferEnded(is_accepted=False, status=603))
            flow.run(30)
        case "failed":
            flow.run(30)
        case _:
            flow.post(BeepHeard(1000, 300))
    flow.run(5)
    given = results(flow)
    assert given == ['{"error": "the caller entered no number"}']


def test_a_collection_that_was_never_opened_is_told_of_too() -> None:
    flow = asked(call_of("transfer_call", '{"target": "operator"}', "call-2"))
    flow.post(TransferEnded(is_accepted=False, status=603))
    flow.press("*")
    flow.run(20)
    assert len(results(flow)) == 2


def test_a_second_number_is_refused_while_one_is_typed() -> None:
    flow = asked(call_of("collect_digits", '{"name": "kept"}', "call-2"))
    assert results(flow) == ['{"error": "another number is being entered already"}']
    assert not flow.did(Conceal)


@pytest.mark.parametrize("is_kept", [True, False])
def test_keys_are_in_the_transcript_only_where_they_may_be(is_kept: bool) -> None:
    kept = f"[call]\nkeys_in_transcript = {str(is_kept).lower()}\n"
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": LINE.replace("[call]\n", kept)}))
    flow.service.replies.append(Reply(500, calls=(ASKED,)))
    flow.start()
    flow.run(1)
    flow.press("8")
    flow.run(3)
    flow.press("4711#")
    flow.run(4)
    told = [row.get("text") or row.get("output") for row in flow.controller.transcript.as_list()]
    assert ("[DTMF 8]" in told) is is_kept
    assert ('{"status": "ok", "digits": "4711"}' in told) is is_kept
    assert ("•" in told) is not is_kept
    assert "[DTMF 8]" in flow.service.texts()

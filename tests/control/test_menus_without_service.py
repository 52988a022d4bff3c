"""Menus and collections while the service is away, or gone: their files are heard, keys work."""

import pytest

from gateway.config import load
from gateway.control import CallState, HangUp, Play, Refer
from gateway.control.actions import Log
from gateway.control.events import BeepHeard, LegHeld
from gateway.control.settings import APOLOGY, COMFORT
from gateway.realtime.commands import ResponseCreate
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply
from tests.control.call_scenes import settings, state, talking

LONG = 9999.0  # seconds
LINE = """
[call]
menu = "main"
variables = { language = "en" }

[targets]
operator = "sip:operator@pbx.example"

[prompts]
main = "main.wav"
sub = "sub.wav"
number = "number.wav"
thanks = "thanks.wav"
bye = "bye.wav"

[menus.main]
say = "One."
prompt = "main"
timeout_ms = 3000
retries = 2
no_input = [{ say = "Please press a key." }]
keys.1 = [{ say = "Thanks." }, { menu = "sub" }]
keys.2 = [{ say = { text = "Thanks.", prompt = "thanks" } }, { menu = "sub" }]
keys.3 = { say = "Three." }
keys.4 = [{ say = "See you." }, "hangup"]
keys.5 = { collect = "number" }
keys.6 = { menu = "spoken" }
keys.0 = [{ say = "One moment." }, { transfer = "operator" }]

[menus.sub]
say = "Sub."
prompt = "sub"
timeout_ms = 3000
retries = 0
failed = [{ say = "Nobody there." }, { hangup = { reason = "sub" } }]
keys."*" = { menu = "back" }

[menus.spoken]
say = "Spoken alone."
keys."*" = { menu = "back" }

[collects.number]
say = "Your number?"
prompt = "number"
min = 4
max = 8
timeout_ms = 8000
inter_digit_ms = 8000
then = { menu = "main" }
"""


def line(*replies: Reply, settle: float = 2.0, more: str = "") -> Flow:
    """Return a call in the main menu; its prompt takes the service a second."""
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": LINE + more}))
    flow.service.replies.extend(replies)
    flow.start()
    flow.run(settle)
    return flow


def alone(*, lost_for: float = 3.0) -> Flow:
    """Return a call in the main menu whose service has been away for a while."""
    flow = line()
    flow.lose_service(seconds=LONG)
    flow.run(lost_for)
    assert flow.place == "main"
    return flow


def press(flow: Flow, keys: str, settle: float = 0.1) -> None:
    flow.press(keys)
    flow.run(settle)


def is_logged(flow: Flow, words: str) -> bool:
    assert not [log for log in flow.did(Log) if "Say(" in log.text or "Respond(" in log.text]
    return any(words in log.text for log in flow.did(Log))


# Lost in the middle of a prompt


@pytest.mark.parametrize("heard", [0.0, 1.0], ids=["before it began", "half of it was heard"])
def test_a_prompt_that_the_service_takes_with_it_is_played_at_once_and_silence_counts(
    heard: float,
) -> None:
    flow = line(Reply(9000), settle=0.11 + heard)
    assert flow.said == ["One."]
    lost_at = flow.now
    flow.lose_service(seconds=LONG)
    assert flow.played == ["main"]
    assert flow.when(Play) == lost_at
    flow.run(flow.prompt_seconds + 2.9)
    assert flow.played == ["main"]
    flow.run(0.2)
    assert flow.played == ["main", "main"]
    flow.run(20)
    assert flow.did(HangUp) == [HangUp("no input")]
    assert COMFORT not in flow.played


def test_a_prompt_that_was_here_in_whole_is_heard_from_the_service_to_its_end() -> None:
    flow = line(Reply(3000), settle=2.5)
    flow.lose_service(seconds=LONG)
    flow.run(0.6)
    assert not flow.played
    flow.run(3.2)
    assert flow.played == ["main"]  # after the silence


def test_a_service_that_falls_silent_is_stood_in_for_as_soon_as_that_is_noticed() -> None:
    flow = line(settle=0.06)
    flow.service.is_mute = True
    flow.away_until = LONG
    flow.run(60)
    first = next(at for at, action in flow.actions if action == Play("main"))
    noticed = next(
        at for at, one in flow.actions if isinstance(one, Log) and "service is away" in one.text
    )
    assert first == noticed


def test_a_file_begun_in_its_stead_is_heard_to_the_end_though_the_service_is_back() -> None:
    flow = line(Reply(9000), settle=1)
    flow.lose_service()
    flow.run(4)
    assert flow.played == ["main"]
    assert flow.said == ["One."]
    flow.run(2)
    assert flow.said[1:] == ["Please press a key.", "One."]


def test_a_file_is_not_begun_anew_as_the_service_is_given_up() -> None:
    flow = line(more="\n[realtime]\nreconnect_seconds = 4\n")
    flow.lose_service(seconds=LONG)
    flow.run(2.5)
    assert flow.played == ["main"]
    flow.run(2.4)  # given up in the middle of it
    assert is_logged(flow, "the service is lost")
    assert flow.played == ["main"]
    assert state(flow) is CallState.TALKING


def test_a_menu_that_has_no_file_waits_for_the_service_to_speak_it() -> None:
    flow = line(Reply(), Reply(9000))
    press(flow, "6", 0.07)
    flow.lose_service(seconds=6)
    flow.run(5)
    assert flow.played == [COMFORT]
    flow.run(4)
    assert flow.said[-1] == "Spoken alone."
    assert flow.place == "spoken"


# Pauses


@pytest.mark.parametrize("keys", ["", "5", "547"], ids=["menu", "collection", "half a number"])
def test_no_soft_sound_fills_the_pauses_in_which_a_key_is_awaited(keys: str) -> None:
    flow = line()
    for key in keys:
        press(flow, key, 1.5)
    flow.lose_service(seconds=LONG)
    flow.run(9)
    assert flow.place
    assert COMFORT not in flow.played


# Steps that the service would say


def test_words_without_a_file_are_left_out_so_that_the_next_menu_is_heard() -> None:
    flow = alone()
    press(flow, "1")
    assert flow.place == "sub"
    assert flow.played[-1] == "sub"
    assert is_logged(flow, "not said, the service is away: Thanks.")


def test_words_with_a_file_are_played_before_the_next_menu() -> None:
    flow = alone()
    press(flow, "2", 5)
    assert flow.played[-2:] == ["thanks", "sub"]


def test_words_that_lead_nowhere_are_left_out_and_silence_goes_on_counting() -> None:
    flow = alone()
    press(flow, "3")
    assert is_logged(flow, "not said, the service is away: Three.")
    before = flow.played
    flow.run(3.2)
    assert flow.played == [*before, "main"]


def test_a_hang_up_does_not_wait_for_words_that_nobody_can_say() -> None:
    flow = alone()
    press(flow, "4")
    assert flow.did(HangUp) == [HangUp("rule")]
    assert is_logged(flow, "not said, the service is away: See you.")


def test_a_transfer_does_not_wait_for_words_that_went_with_the_service() -> None:
    flow = line(Reply(), Reply(9000))
    press(flow, "0", 0.5)
    flow.lose_service(seconds=LONG)
    flow.run(5)  # what came of them is heard
    assert flow.did(Refer) == [Refer("sip:operator@pbx.example")]


def test_a_service_that_is_back_within_a_second_says_what_it_was_to_say() -> None:
    flow = line()
    flow.lose_service(seconds=0.3)
    press(flow, "1", 4)
    assert flow.said == ["One.", "Thanks.", "Sub."]
    assert not flow.played


def test_a_rule_that_leads_to_a_menu_is_not_kept_waiting_by_its_words() -> None:
    rule = '\n[[rules]]\non = "beep.heard"\ndo = [{ menu = "close" }]\n'
    rule += '\n[[rules]]\non = "leg.held"\ndo = [{ say = "Hello." }, { menu = "sub" }]\n'
    flow = line(more=rule)
    flow.post(BeepHeard(1000, 300))
    assert flow.place == ""
    flow.lose_service(seconds=LONG)
    flow.run(0.2)
    flow.post(LegHeld(is_held=False))
    flow.run(0.5)
    assert flow.place == ""
    flow.run(0.5)
    assert flow.place == "sub"
    assert flow.played[-1] == "sub"


# The goodbye


def test_a_caller_who_presses_nothing_hears_a_shipped_goodbye_before_the_end() -> None:
    flow = alone()
    flow.run(30)
    assert flow.played == ["main", "main", APOLOGY]
    ended_at = flow.when(HangUp)
    told_at = next(at for at, action in flow.actions if action == Play(APOLOGY))
    assert ended_at == pytest.approx(told_at + flow.prompt_seconds)


def test_steps_of_ones_own_without_a_file_do_not_put_the_end_off() -> None:
    flow = alone()
    press(flow, "1", flow.prompt_seconds + 3.2)
    assert flow.did(HangUp) == [HangUp("sub")]
    assert is_logged(flow, "not said, the service is away: Nobody there.")


@pytest.mark.parametrize(("name", "heard"), [("bye", ["bye"]), ("", [])])
def test_the_goodbye_has_a_file_of_ones_own_or_none(name: str, heard: list[str]) -> None:
    body = LINE.replace("[call]", f'[call]\ngoodbye_prompt = "{name}"')
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": body}))
    flow.start()
    flow.run(2)
    flow.lose_service(is_retryable=False)
    flow.run(40)
    assert [one for one in flow.played if one != "main"] == heard
    assert flow.did(HangUp) == [HangUp("no input")]
    is_logged(flow, "")


def test_a_limit_reached_while_the_service_is_away_is_not_a_silent_end() -> None:
    plan = settings(call={"max_seconds": 10, "goodbye_prompt": "bye"}, prompts={"bye": "bye.wav"})
    flow = talking(plan)
    flow.lose_service(seconds=LONG)
    flow.run(20)
    assert flow.played == [COMFORT, "bye"]
    assert flow.did(HangUp) == [HangUp("time limit")]
    assert len(flow.sent(ResponseCreate)) == 1


def test_a_goodbye_that_nobody_can_say_or_play_is_told_to_the_log_in_words() -> None:
    plan = settings(call={"max_seconds": 10, "goodbye_prompt": ""})
    flow = talking(plan)
    flow.lose_service(seconds=LONG)
    flow.run(20)
    assert is_logged(flow, "not said, the service is away: Goodbye.")
    assert flow.did(HangUp) == [HangUp("time limit")]


@pytest.mark.parametrize(
    ("begun", "is_retryable"),
    [(0.01, True), (0.01, False), (0.5, False)],
    ids=["not begun, away", "not begun, given up", "begun, given up"],
)
def test_a_goodbye_that_went_with_the_service_is_played_before_the_end(
    begun: float, *, is_retryable: bool
) -> None:
    plan = settings(call={"max_seconds": 10, "goodbye_prompt": "bye"}, prompts={"bye": "bye.wav"})
    flow = talking(plan, Reply(9000), settle=10.0 + begun)
    assert flow.said == ["Goodbye."]
    flow.lose_service(seconds=LONG, is_retryable=is_retryable)
    flow.run(12)
    assert flow.played == ["bye"]
    assert flow.did(HangUp) == [HangUp("time limit")]
    assert flow.when(HangUp) == pytest.approx(flow.when(Play) + flow.prompt_seconds)


def test_a_goodbye_is_said_by_a_service_that_is_back_in_time() -> None:
    flow = talking(settings(call={"max_seconds": 10}), settle=10.01)
    flow.lose_service()
    flow.run(10)
    assert flow.said == ["Goodbye.", "Goodbye."]
    assert not flow.played
    assert flow.did(HangUp) == [HangUp("time limit")]


def test_a_goodbye_of_which_all_that_came_is_heard_is_not_said_again() -> None:
    flow = talking(settings(call={"max_seconds": 10}), Reply(9000), settle=10.5)
    flow.lose_service(seconds=LONG)
    flow.run(12)
    assert not flow.played
    assert flow.did(HangUp) == [HangUp("time limit")]
    assert flow.when(HangUp) > 11


def test_the_next_menu_is_heard_at_once_where_the_words_before_it_went_with_the_service() -> None:
    flow = line(Reply(), Reply(9000))
    press(flow, "1", 0.02)
    assert flow.said == ["One.", "Thanks."]
    flow.lose_service(seconds=LONG)
    assert flow.place == "sub"
    assert flow.played == ["sub"]

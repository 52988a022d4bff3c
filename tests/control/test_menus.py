"""Menus by keys in virtual time: prompts, ladders, nesting, languages, and a service that goes."""

import pytest

from gateway.config import load
from gateway.control import CallState, HangUp
from gateway.control.actions import Log, Mute, Play, Refer, Stop, Transfer
from gateway.control.events import LegHeld, MenuClosed, MenuOpened
from gateway.realtime.commands import ResponseCreate
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply
from tests.control.call_scenes import call_of, state

LINE = """
[call]
menu = "main"
variables = { language = "en" }
goodbye = "Bye."
tools = ["open_menu", "hang_up"]

[targets]
operator = "sip:operator@pbx.example"

[prompts]
main = "main.wav"
haupt = "haupt.wav"

[menus.main]
say = { en = "One.", de = "Eins." }
prompt = { en = "main", de = "haupt" }
timeout_ms = 3000
retries = 2
no_input = [{ log = "silence 1" }, { say = "Please press a key." }]
invalid = [{ say = "Wrong." }, [{ log = "wrong 2" }, { menu = "close" }]]
keys.1 = { menu = "sub" }
keys.2 = [{ set = { language = "de" } }, { menu = "main" }]
keys.3 = { log = "three" }
keys.4 = { menu = "guarded" }
keys.0 = { transfer = "operator" }

[menus.sub]
say = "Sub."
retries = 0
failed = [{ say = "Nobody there." }, { hangup = { reason = "sub", cause = 31 } }]
keys.1 = { menu = "deep" }
keys.9 = { menu = "close" }
keys."*" = { menu = "back" }

[menus.deep]
say = "Deep."
listens = true
keys.1 = { menu = "main" }
keys."*" = { menu = "back" }
keys."#" = { menu = "repeat" }

[menus.guarded]
say = "Listen to the end."
barge_in = false
keys.1 = { menu = "sub" }
keys."*" = { menu = "back" }
"""


def line(*replies: Reply, settle: float = 2.0, more: str = "") -> Flow:
    """Return a call that has heard the main menu's prompt."""
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": LINE + more}))
    flow.service.replies.extend([Reply(), *replies])
    flow.start()
    flow.run(settle)
    return flow


def press(flow: Flow, keys: str, settle: float = 2.0) -> None:
    flow.press(keys)
    flow.run(settle)


def opened(flow: Flow) -> list[str]:
    entries = flow.controller.timeline.entries
    return [one.subject.name for one in entries if isinstance(one.subject, MenuOpened)]


def closed(flow: Flow) -> list[tuple[str, str, str]]:
    told = [one.subject for one in flow.controller.timeline.entries]
    return [(one.name, one.outcome, one.keys) for one in told if isinstance(one, MenuClosed)]


# Keys and nesting


def test_keys_lead_in_and_back_out() -> None:
    flow = line()
    for keys, place in [("1", "sub"), ("1", "deep"), ("*", "sub"), ("*", "main"), ("11", "deep")]:
        press(flow, keys)
        assert flow.place == place
    press(flow, "1")
    assert flow.place == "main"
    press(flow, "19")
    assert flow.place == ""
    assert closed(flow)[-1] == ("sub", "key", "9")


def test_back_from_the_first_menu_leads_to_the_agent() -> None:
    flow = line(more='\n[[rules]]\non = "leg.held"\ndo = { menu = "back" }')
    flow.post(LegHeld(is_held=True))
    assert flow.place == ""
    assert closed(flow) == [("main", "closed", "")]


def test_a_key_cuts_the_prompt_and_those_pressed_ahead_go_on_from_menu_to_menu() -> None:
    flow = line(Reply(4000), settle=0.4)
    press(flow, "11", 0.1)
    assert flow.place == "deep"
    flow.run(3)
    heard = [e for e in flow.controller.timeline.entries if e.name == "playout.started"]
    assert len(heard) == 2  # nobody waits to hear what they know
    assert flow.said[-1] == "Deep."


def test_a_key_that_leads_nowhere_leaves_the_menu_open_and_says_nothing_again() -> None:
    flow = line()
    press(flow, "3")
    assert Log("three") in flow.did(Log)
    assert flow.said == ["One."]
    press(flow, "1")
    assert flow.place == "sub"


def test_keys_wait_for_the_end_of_a_prompt_that_is_not_to_be_cut() -> None:
    flow = line(Reply(3000), settle=2)
    press(flow, "4", 0.02)  # its prompt is not even begun
    press(flow, "1", 1.5)
    assert flow.place == "guarded"
    press(flow, "1", 1.0)
    assert flow.place == "guarded"
    assert flow.did(Stop) == []
    flow.run(2)
    assert flow.place == "deep"  # both keys, in order
    assert opened(flow) == ["main", "guarded", "sub", "deep"]


def test_a_menu_is_spoken_in_the_language_of_the_call() -> None:
    flow = line()
    press(flow, "2")
    assert flow.said == ["One.", "Eins."]


def test_a_menu_alone_takes_the_callers_voice_unless_it_listens() -> None:
    flow = line()
    press(flow, "1")
    press(flow, "1")
    press(flow, "*")
    press(flow, "9")
    assert [one.who for one in flow.did(Mute)] == ["caller", "none", "caller", "none"]


# Ladders


def test_silence_climbs_its_ladder_then_says_goodbye() -> None:
    flow = line()
    flow.run(30)
    assert Log("silence 1") in flow.did(Log)
    assert flow.said == ["One.", "One.", "Please press a key.", "One.", "Bye."]
    assert flow.did(HangUp) == [HangUp("no input")]
    times = [at for at, action in flow.actions if isinstance(action, HangUp)]
    assert times[0] > 3 * 3.0  # each wait was as long as it should be
    assert closed(flow) == [("main", "failed", "")]


def test_a_wrong_key_climbs_the_other_ladder() -> None:
    flow = line()
    press(flow, "7", 4)
    assert flow.said == ["One.", "Wrong.", "One."]
    press(flow, "8", 1)
    assert Log("wrong 2") in flow.did(Log)
    assert flow.place == ""


def test_a_right_key_forgives_what_was_wrong_before() -> None:
    flow = line()
    press(flow, "7", 4)
    press(flow, "3", 1)
    press(flow, "7", 4)
    assert flow.said.count("Wrong.") == 2
    assert flow.place == "main"


def test_failing_has_steps_of_its_own_and_a_cause() -> None:
    flow = line()
    press(flow, "1")
    flow.run(20)
    assert flow.said[-1] == "Nobody there."
    assert flow.did(HangUp) == [HangUp("sub", 31)]


# Who has the line


def test_the_wait_for_a_key_begins_when_the_prompt_was_heard() -> None:
    flow = line(Reply(5000), settle=0.1)
    flow.run(1 + 3)
    assert flow.said == ["One."]
    flow.run(0.3)
    assert flow.said == ["One.", "One."]
    flow.run(5 + 2)
    assert len(flow.said) == 2  # the prompt of five seconds is not part of the wait


def test_hold_and_a_transfer_suspend_the_wait() -> None:
    flow = line()
    flow.post(LegHeld(is_held=True))
    flow.run(60)
    assert flow.said == ["One."]
    flow.post(LegHeld(is_held=False))
    flow.run(2.9)
    assert flow.said == ["One."]
    flow.run(0.2)
    assert flow.said == ["One.", "One."]
    flow.ask(Transfer("operator"))
    flow.run(5)
    assert state(flow) is CallState.TRANSFERRING
    assert flow.did(Refer)
    assert len(flow.said) == 2
    assert flow.place == "main"


def test_a_speaking_caller_is_not_silent_where_the_menu_listens() -> None:
    flow = line()
    press(flow, "11")
    before = len(flow.said)
    flow.service.hear_caller(9.0)
    flow.run(8.9)
    assert len(flow.said) == before


def test_the_models_own_menu_waits_for_its_words_and_has_the_line_then() -> None:
    more = '\n[[rules]]\non = "leg.held"\ndo = { menu = "close" }'
    open_menu = call_of("open_menu", '{"menu": "sub"}')
    flow = line(Reply(2000, calls=(open_menu,)), more=more)
    flow.post(LegHeld(is_held=False))
    flow.service.begin(None)
    flow.run(1.5)
    assert flow.place == "sub"
    flow.run(4)
    assert flow.said[-1] == "Sub."
    assert not flow.did(Stop)
    press(flow, "1")
    assert flow.place == "deep"


# Without the service


def test_a_menu_plays_its_files_while_the_service_is_away_and_speaks_once_it_is_back() -> None:
    flow = line()
    flow.lose_service(seconds=4)
    press(flow, "7", 2.5)
    assert Play("main") in flow.did(Play)
    assert flow.place == "main"
    flow.run(5)
    press(flow, "1")
    assert state(flow) is CallState.TALKING
    assert flow.said[-1] == "Sub."


def test_a_menu_goes_on_when_the_service_is_given_up() -> None:
    flow = line()
    flow.lose_service(is_retryable=False)
    flow.run(1)
    assert flow.did(Play) == [Play("main")]
    press(flow, "0", 4)
    assert flow.did(Refer) == [Refer("sip:operator@pbx.example")]


def test_a_menu_without_files_gives_way_to_the_fallback() -> None:
    flow = line()
    press(flow, "1")
    flow.lose_service(is_retryable=False)
    flow.run(1)
    assert flow.place == ""
    assert flow.did(Play) == [Play("unavailable")]
    flow.run(20)
    assert flow.did(HangUp) == [HangUp("service lost")]


def test_a_call_whose_service_never_comes_is_answered_with_the_first_menu() -> None:
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": LINE}))
    flow.away_until = 1000
    flow.start()
    flow.run(15)
    assert flow.did(Play)[0] == Play("main")
    assert flow.place == "main"
    assert not flow.sent(ResponseCreate)


def test_a_prompt_of_the_same_name_cut_before_is_not_taken_for_the_end_of_the_next() -> None:
    flow = line()
    flow.prompt_seconds = 4.0
    flow.lose_service(is_retryable=False)
    flow.run(1)
    flow.press("7")  # the file is cut and played from its beginning
    flow.run(4 + 2.5)
    assert flow.did(Play).count(Play("main")) == 2
    flow.run(1)
    assert flow.did(Play).count(Play("main")) == 3


@pytest.mark.parametrize("key", ["5", "A", "#"])
def test_a_rule_is_asked_before_a_key_counts_as_wrong(key: str) -> None:
    rule = f"""
    [[rules]]
    on = "input_audio_buffer.dtmf_event_received"
    digit = "{key}"
    do = {{ log = "a rule" }}
    """
    flow = line(more=rule)
    press(flow, key)
    assert Log("a rule") in flow.did(Log)
    assert flow.said == ["One."]

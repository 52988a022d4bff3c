"""Numbers that nobody may see: of a whole call's records, not one holds a digit of them."""

import re
from typing import Any

import msgspec
import pytest

from gateway.config import load
from gateway.control import CallState
from gateway.control.actions import Conceal, RunErrand, Transfer
from gateway.control.events import BeepHeard, KeyPressed, KeyReleased, TransferEnded
from gateway.control.replay import first_difference, replay
from gateway.control.timeline import TimelineEntry
from gateway.realtime.commands import ConversationItemCreate
from gateway.realtime.events import InputAudioBufferDtmfEventReceived
from gateway.realtime.faults import classify
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply
from tests.control.call_scenes import call_of, state

NAMES = re.compile(r"rfc4733|[a-z0-9]+[-_]\d+|'\d+'|\"\d+\"")  # of things, which have numbers too
WRONG, RIGHT = "7" * 4, "7" * 10  # by their check digits

LINE = """
[call]
greet = false
tools = ["collect_digits"]

[targets]
operator = "sip:operator@pbx.example"

[webhooks.bank]
url = "https://bank.example/"

[menus.main]
say = "Main."
barge_in = false
keys.1 = { collect = "card" }

[collects.card]
say = "Card?"
min = 4
max = 12
sensitive = true
check = "luhn"
to = "webhook"
webhook = "bank"
keys."*" = { menu = "main" }
then = [
    { log = "It is {card}." },
    { say = "It is {card}." },
    { send_text = "It is {card}." },
    { send_dtmf = "{card}" },
    { set = { copy = "{card}" } },
    { update_session = { instructions = "It is {card}." } },
]

[[rules]]
on = "beep.heard"
do = { menu = "main" }

[[rules]]
on = "input_audio_buffer.dtmf_event_received"
state = ["transferring", "leaving"]
go_on = true
do = { log = "a key" }
"""


def line() -> Flow:
    """Return a call that has heard the card's question."""
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": LINE}))
    flow.start()
    flow.run(1)
    flow.post(BeepHeard(1000, 300))
    flow.run(2)
    flow.press("1")
    flow.run(3)
    return flow


def type_seen_by_all(flow: Flow, keys: str) -> None:
    """Press keys that four detectors see, each later than the one before."""
    for key in keys:
        flow.post(KeyPressed(key, "rfc4733", received_at=7))
        flow.run(0.1)
        flow.post(KeyReleased(key, "rfc4733", 77))
        flow.post(KeyPressed(key, "inband"))
        flow.run(0.1)
        flow.post(KeyReleased(key, "inband", 77))
        flow.post(KeyPressed(key, "info", 77))
        flow.post(InputAudioBufferDtmfEventReceived(event=key, digit=key, received_at=7))


def leaks(value: Any, name: str = "") -> list[str]:
    """Return every text below a value that holds a digit of the number."""
    if isinstance(value, dict):
        return [leak for key, one in value.items() for leak in leaks(one, key)]
    if isinstance(value, list | tuple):
        return [leak for one in value for leak in leaks(one, name)]
    told = NAMES.sub("", value) if isinstance(value, str) else ""
    return [f"{name}: {value}"] if "7" in told else []


def assert_hidden(flow: Flow) -> None:
    """Assert that neither timeline, transcript, commands nor actions show the number."""
    rows = flow.controller.timeline.as_list()
    assert leaks(rows) == []
    assert leaks(flow.controller.transcript.as_list()) == []
    assert leaks([msgspec.to_builtins(one) for one in flow.service.received]) == []
    shown = [str(action) for _, action in flow.actions if not isinstance(action, RunErrand)]
    assert leaks(shown) == []
    assert leaks([one.payload for one in flow.did(RunErrand)]) == []
    assert leaks([repr(one.sealed) for one in flow.did(RunErrand)]) == []
    assert_played_again(flow)


def assert_played_again(flow: Flow) -> None:
    rows = msgspec.json.decode(msgspec.json.encode(flow.controller.timeline.as_list()))
    entries = [TimelineEntry.from_dict(row) for row in rows]
    assert first_difference(entries, replay(entries, flow.settings, classify)) is None


def test_only_the_webhook_gets_the_number() -> None:
    flow = line()
    type_seen_by_all(flow, RIGHT)
    flow.press("#")
    flow.run(6)
    (errand,) = flow.did(RunErrand)
    assert errand.sealed.reveal() == {"card": RIGHT}
    assert flow.variable("card") == "•" == flow.variable("copy")
    assert "It is •." in flow.said
    assert_hidden(flow)


def test_detectors_that_are_late_tell_nothing_after_the_number_is_over() -> None:
    flow = line()
    flow.press(RIGHT)
    flow.press("#")
    flow.run(0.05)
    assert flow.did(Conceal) == [Conceal(is_on=True)]
    for key in RIGHT:
        flow.post(KeyReleased(key, "rfc4733", 60))
        flow.post(KeyPressed(key, "inband"))
        flow.post(KeyReleased(key, "inband", 60))
    flow.run(6)
    assert flow.did(Conceal) == [Conceal(is_on=True), Conceal(is_on=False)]
    assert_hidden(flow)


def test_a_wrong_number_is_hidden_as_well_and_wrong_again_when_played_again() -> None:
    flow = line()
    type_seen_by_all(flow, WRONG)
    flow.press("#")
    flow.run(4)
    assert flow.said[-2:] == ["Card?", "Card?"]
    type_seen_by_all(flow, RIGHT)
    flow.press("#")
    flow.run(6)
    assert flow.did(RunErrand)
    decisions = [row for row in flow.controller.timeline.as_list() if row["name"] == "collect.card"]
    assert [row["detail"]["outcome"] for row in decisions] == ["wrong", "right"]
    assert_hidden(flow)


def test_a_number_typed_ahead_of_its_question_is_hidden_once_it_is_known_to_be_one() -> None:
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": LINE}))
    flow.service.replies.extend([Reply(3000), Reply()])
    flow.start()
    flow.run(1)
    flow.post(BeepHeard(1000, 300))
    flow.run(0.5)
    flow.press("1")  # while the menu's prompt is heard, which is not to be cut
    for key in RIGHT:
        flow.post(KeyPressed(key, "rfc4733"))
        flow.post(KeyPressed(key, "inband"))
        flow.run(0.05)
    flow.press("#")
    flow.run(10)
    (errand,) = flow.did(RunErrand)
    assert errand.sealed.reveal() == {"card": RIGHT}
    assert_hidden(flow)


@pytest.mark.parametrize("is_accepted", [True, False])
def test_digits_typed_while_the_call_is_transferred_are_nobodys(is_accepted: bool) -> None:
    flow = line()
    flow.press("77")
    flow.ask(Transfer("operator"))
    flow.run(0.5)
    flow.press("77")
    flow.post(TransferEnded(is_accepted=is_accepted, status=200 if is_accepted else 486))
    flow.run(3)
    assert_hidden(flow)
    assert (state(flow) is CallState.ENDED) is is_accepted


def test_the_model_that_asked_for_it_is_told_how_many_there_were_at_most() -> None:
    flow = Flow(
        load(
            None,
            {
                "GATEWAY_CONFIG_BODY": LINE.replace('to = "webhook"\n', "").replace(
                    'webhook = "bank"\n', ""
                )
            },
        )
    )
    flow.service.replies.append(Reply(calls=(call_of("collect_digits", '{"name": "card"}'),)))
    flow.start()
    flow.run(1)
    flow.service.hear_caller(0.4)
    flow.run(4)
    flow.press(RIGHT)
    flow.press("#")
    flow.run(5)
    outputs = [c.item.get("output") for c in flow.sent(ConversationItemCreate)]
    assert f'{{"status": "ok", "digits": "{"•" * 10}"}}' in outputs
    assert_hidden(flow)

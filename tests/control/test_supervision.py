"""People who supervise a call: what the agent does while somebody has its place, and after."""

import json

import pytest

from gateway.control.actions import (
    Action,
    Collect,
    Conceal,
    HangUp,
    OpenMenu,
    Patch,
    Play,
    Refer,
    Respond,
    RunErrand,
    Say,
    SendDtmf,
    Stop,
    Supervise,
    Supervising,
    Transfer,
    Whisper,
)
from gateway.control.events import (
    CalleeAnswered,
    ErrandDone,
    LegEnded,
    SupervisionChanged,
    SupervisorLeft,
    TransferEnded,
)
from gateway.control.replay import first_difference, replay
from gateway.control.states import CallState
from gateway.control.supervision import MISSED, MOST_SUPERVISORS
from gateway.control.timeline import TimelineEntry
from gateway.realtime.commands import (
    ConversationItemCreate,
    ConversationItemTruncate,
    ResponseCancel,
    ResponseCreate,
)
from gateway.realtime.faults import classify
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply
from tests.control.call_scenes import NO_RETURN, assert_alive, call_of, settings, state, talking

MENU = {
    "menus": {"main": {"say": "Press 1.", "keys": {"1": "hangup"}, "timeout_ms": 3000}},
    "collects": {"pin": {"say": "Your number.", "sensitive": True, "to": "nowhere"}},
}


def supervise(flow: Flow, mode: Supervising, who: str = "ann", connection: str = "a") -> None:
    flow.ask(Supervise(mode, connection), by=who)


def told(flow: Flow) -> list[str]:
    """Return what the model was told that the caller has no part in."""
    items = [command.item for command in flow.sent(ConversationItemCreate)]
    return [item["content"][0]["text"] for item in items if item.get("role") == "system"]


def done(flow: Flow) -> list[Action]:
    return [action for _, action in flow.actions]


def news(flow: Flow) -> list[tuple[str, str]]:
    """Return who began to do what, as everybody is told."""
    entries = [e.subject for e in flow.timeline.entries if e.name == "supervision.changed"]
    return [(e.by, e.mode) for e in entries if isinstance(e, SupervisionChanged)]


def assert_played_again_the_same(flow: Flow) -> None:
    rows = json.loads(json.dumps(flow.timeline.as_list()))
    entries = [TimelineEntry.from_dict(row) for row in rows]
    assert first_difference(entries, replay(entries, flow.settings, classify)) is None


def test_whoever_listens_changes_nothing_for_the_call() -> None:
    flow, other = talking(None, Reply(3000)), talking(None, Reply(3000))
    supervise(flow, "listen")
    flow.actions.remove((flow.now, Supervise("listen", "a")))
    for one in (flow, other):
        one.say("Hello?")
        one.run(8)
    assert flow.actions == other.actions
    assert news(flow) == [("ann", "listen")]


def test_who_takes_over_cuts_the_agent_as_a_caller_would_who_talks_over_it() -> None:
    flow = talking(None, Reply(5000))
    flow.say()
    flow.run(3)
    before = len(flow.actions)
    supervise(flow, "takeover")
    assert Stop() in [action for _, action in flow.actions[before:]]
    flow.run(0.1)
    (cut,) = flow.sent(ConversationItemTruncate)
    assert 0 < cut.audio_end_ms < 5000
    heard = len(flow.heard)
    flow.run(30)
    assert len(flow.heard) == heard
    assert_played_again_the_same(flow)


def test_an_answer_that_is_under_way_is_cancelled_and_what_the_service_begins_is_not_heard() -> (
    None
):
    flow = talking(None, Reply(5000), Reply(5000))
    flow.say()
    flow.run(1.1)
    supervise(flow, "takeover")
    assert flow.sent(ResponseCancel)
    heard = len(flow.heard)
    flow.run(1)
    flow.service.hear_caller(1.0)  # the turn that was under way ends
    flow.run(5)
    assert len(flow.heard) == heard
    assert_alive(flow)


def test_the_agent_says_nothing_and_nothing_counts_the_silence_while_somebody_has_its_place() -> (
    None
):
    flow = talking(settings(idle={"seconds": 5, "limit": 2}))
    supervise(flow, "takeover")
    flow.ask(Say("Ladies and gentlemen."), Respond(), by="ann")
    flow.run(120)
    assert flow.said == []
    assert_alive(flow)
    supervise(flow, "leave")
    flow.run(120)
    assert flow.did(HangUp) == [HangUp("idle")]


@pytest.mark.parametrize("way", ["leave", "listen", "speak", "lost"])
def test_who_goes_gives_the_call_back_to_an_agent_that_is_told_what_it_missed(way: str) -> None:
    flow = talking(None, Reply())
    supervise(flow, "takeover")
    flow.run(10)
    flow.service.received.clear()
    heard = len(flow.heard)
    if way == "lost":
        flow.post(SupervisorLeft("a", "connection lost"))
    else:
        supervise(flow, way)  # type: ignore[arg-type]
    flow.run(0.1)
    assert told(flow) == [MISSED]
    assert len(flow.sent(ResponseCreate)) == 1
    assert Supervise("leave" if way == "lost" else way, "a") in done(flow)  # type: ignore[arg-type]
    flow.run(3)
    assert len(flow.heard) == heard + 1
    assert_played_again_the_same(flow)


def test_keys_are_for_nobody_while_somebody_has_the_agents_place() -> None:
    flow = talking(settings(**MENU, call={"menu": "main"}))
    supervise(flow, "takeover")
    flow.press("1")
    flow.run(1)
    assert not flow.did(HangUp)
    assert not flow.did(SendDtmf)
    assert "[DTMF 1]" not in flow.service.texts()


def test_a_menu_rests_and_is_read_again_afterwards() -> None:
    flow = talking(settings(**MENU, call={"menu": "main"}))
    flow.run(3)
    supervise(flow, "takeover")
    said = len(flow.said)
    flow.run(60)
    assert len(flow.said) == said
    supervise(flow, "leave")
    flow.run(2)
    assert flow.said[said:] == ["Press 1."]
    flow.press("1")
    flow.run(1)
    assert flow.did(HangUp)
    assert_played_again_the_same(flow)


def test_a_secret_number_is_given_up_so_that_the_caller_can_be_heard() -> None:
    flow = talking(settings(**MENU), Reply())
    flow.ask(OpenMenu("main"), by="ann")
    flow.run(3)
    flow.ask(Collect("pin"), by="ann")
    flow.run(3)
    assert flow.did(Conceal)[-1] == Conceal(True)
    supervise(flow, "takeover")
    flow.run(10)
    assert flow.place == ""
    assert flow.did(Conceal)[-1] == Conceal(False)


def test_one_at_a_time_speaks_and_so_many_listen_and_no_more() -> None:
    flow = talking()
    controller = flow.controller
    supervise(flow, "speak", "ann", "a")
    assert "ann speaks" in controller.objection(Supervise("takeover", "b"), "bob")
    for number in range(MOST_SUPERVISORS - 1):
        supervise(flow, "listen", "bob", f"b{number}")
    assert "supervise this call already" in controller.objection(Supervise("listen", "x"), "bob")
    supervise(flow, "listen", "bob", "x")
    supervise(flow, "takeover", "bob", "b0")
    assert news(flow) == [("ann", "speak"), *[("bob", "listen")] * (MOST_SUPERVISORS - 1)]
    supervise(flow, "listen", "ann", "a")
    supervise(flow, "takeover", "bob", "b0")
    assert news(flow)[-1] == ("bob", "takeover")
    assert_played_again_the_same(flow)


def test_without_a_connection_named_the_last_one_of_who_asks_is_meant() -> None:
    flow = talking()
    supervise(flow, "listen", "ann", "a")
    supervise(flow, "listen", "bob", "b")
    supervise(flow, "listen", "ann", "c")
    flow.ask(Supervise("speak"), by="ann")
    assert flow.did(Supervise)[-1] == Supervise("speak", "c")
    assert flow.controller.objection(Supervise("listen", "b"), "ann").endswith("somebody else's")
    assert flow.controller.objection(Supervise("leave"), "eve") == "you have not joined this call"


def test_the_same_again_changes_nothing() -> None:
    flow = talking()
    supervise(flow, "takeover")
    supervise(flow, "takeover")
    assert flow.did(Supervise) == [Supervise("takeover", "a")]
    supervise(flow, "leave")
    supervise(flow, "leave")
    assert len(flow.did(Supervise)) == 2


def test_before_the_answer_and_with_a_caller_who_is_elsewhere_nobody_takes_over() -> None:
    flow = Flow(settings())
    flow.start(links_after=5)
    flow.run(1)
    assert flow.controller.objection(Supervise("speak", "a"), "ann") == (
        "there is nobody to speak to"
    )
    assert flow.controller.objection(Supervise("listen", "a"), "ann") == ""
    flow = talking()
    flow.ask(Transfer("operator"), by="ann")
    flow.run(0.1)
    assert "somebody else" in flow.controller.objection(Supervise("takeover", "a"), "ann")


def test_a_call_that_the_service_holds_has_no_sound_here_to_supervise() -> None:
    flow = Flow(settings(), "sip")
    flow.start()
    flow.run(2)
    assert "its sound is not here" in flow.controller.objection(Supervise("listen", "a"), "ann")
    flow.ask(Whisper("Be brief."), by="ann")
    assert told(flow) == ["Be brief."]


def test_who_has_taken_over_may_hang_up_at_once() -> None:
    flow = talking()
    supervise(flow, "takeover")
    flow.ask(HangUp("supervisor"), by="ann")
    flow.run(0.1)
    assert flow.did(HangUp) == [HangUp("supervisor")]
    assert state(flow) is CallState.ENDED
    assert MISSED not in told(flow)


def test_who_sends_the_caller_on_listens_from_then_on_and_the_agent_has_whoever_comes_back() -> (
    None
):
    flow = talking(None, Reply())
    supervise(flow, "takeover")
    flow.ask(Transfer("operator"), by="ann")
    flow.run(0.1)
    assert flow.did(Refer)
    assert news(flow)[-1] == ("ann", "listen")
    assert told(flow) == [MISSED]
    flow.post(TransferEnded(is_accepted=False, status=486))
    flow.run(3)
    assert_alive(flow)
    assert flow.sent(ResponseCreate)
    assert_played_again_the_same(flow)


def test_somebody_may_speak_to_two_who_were_joined() -> None:
    flow = talking()
    flow.ask(Transfer("operator", mode="bridge"), by="ann")
    flow.post(CalleeAnswered())
    flow.run(0.1)
    assert flow.did(Patch)
    supervise(flow, "speak")
    assert news(flow) == [("ann", "speak")]


def test_a_goodbye_is_taken_back_by_who_takes_over() -> None:
    flow = talking(None, Reply(3000))
    flow.ask(Say("Goodbye."), HangUp("rule"), by="ann")
    flow.run(1)
    assert state(flow) is CallState.LEAVING
    supervise(flow, "takeover")
    flow.run(20)
    assert state(flow) is CallState.TALKING
    assert not flow.did(HangUp)


def test_steps_that_are_asked_for_at_once_are_done_in_order_and_so_again_from_the_timeline() -> (
    None
):
    flow = talking(None, Reply(2000), Reply(2000))
    flow.ask(Whisper("The caller is a doctor."), Say("Goodbye, doctor."), HangUp("asked"), by="ann")
    flow.run(10)
    assert told(flow) == ["The caller is a doctor."]
    assert flow.said == ["Goodbye, doctor."]
    assert flow.did(HangUp) == [HangUp("asked")]
    asked = [entry for entry in flow.timeline.entries if entry.kind == "request"]
    assert [entry.by for entry in asked] == ["ann"] * 3
    assert [entry.together for entry in asked] == [3, None, None]
    assert_played_again_the_same(flow)


def test_a_service_lost_meanwhile_is_no_matter_until_the_agent_is_to_have_the_call_back() -> None:
    flow = talking(settings(realtime=NO_RETURN))
    supervise(flow, "takeover")
    flow.lose_service(is_retryable=False)
    flow.run(120)
    assert not flow.did(HangUp)
    assert not flow.did(Play)
    supervise(flow, "leave")
    flow.run(30)
    assert flow.did(Play)
    assert flow.did(HangUp)
    assert_played_again_the_same(flow)


def test_a_service_that_comes_back_meanwhile_is_not_asked_for_anything() -> None:
    flow = talking(None, Reply(4000))
    flow.say()
    flow.run(2)
    supervise(flow, "takeover")
    flow.lose_service(seconds=3)
    flow.run(10)
    heard = len(flow.heard)
    assert flow.service.sessions[-1]
    assert not [c for c in flow.service.sessions[-1] if isinstance(c, ResponseCreate)]
    supervise(flow, "leave")
    flow.run(3)
    assert len(flow.heard) == heard + 1
    assert_played_again_the_same(flow)


def test_the_result_of_a_tool_is_given_and_the_answer_waits_for_the_agents_return() -> None:
    look = {"description": "Looks", "url": "http://127.0.0.1:1/", "parameters": {"type": "object"}}
    flow = talking(settings(tools={"look": look}), Reply(0, (call_of("look"),)), Reply())
    flow.say()
    flow.run(1.5)
    (errand,) = flow.did(RunErrand)
    supervise(flow, "takeover")
    asked = len(flow.sent(ResponseCreate))
    flow.post(ErrandDone(errand.errand_id, 200, '{"sky": "blue"}'))
    flow.run(5)
    assert '{"sky": "blue"}' in flow.service.texts()
    assert len(flow.sent(ResponseCreate)) == asked
    supervise(flow, "leave")
    flow.run(1)
    assert len(flow.sent(ResponseCreate)) == asked + 1
    assert_played_again_the_same(flow)


def test_after_the_end_nothing_is_taken_in_any_more() -> None:
    flow = talking()
    supervise(flow, "takeover")
    flow.post(LegEnded("caller"))
    before = len(flow.actions)
    supervise(flow, "leave")
    flow.post(SupervisorLeft("a"))
    assert len(flow.actions) == before
    assert flow.controller.deadline is None
    assert flow.controller.objection(Whisper("x"), "ann") == "the call is over"

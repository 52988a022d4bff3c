"""What people are told of a call as it goes: words, who speaks, keys, what the agent does."""

from typing import Any, TypeVar

import msgspec
import pytest

from gateway.calls.narrator import Narrator
from gateway.calls.notices import (
    Activity,
    Caption,
    KeyTold,
    Notice,
    Speaking,
    Supervised,
    TurnTimed,
)
from gateway.config import Settings
from gateway.control.actions import Action, Supervise
from gateway.control.events import CalleeAnswered, CalleeEnded, LinkLost, VoiceStarted, VoiceStopped
from gateway.control.timeline import TimelineEntry
from gateway.realtime.events import Transport
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply

HOURS = "We are open from nine to five on weekdays and from ten to two on Saturdays."
TARGETS = {"operator": "sip:operator@pbx.example"}
N = TypeVar("N", bound=Notice)


class Watched(Flow):
    """A call that is told as it goes."""

    def __init__(
        self, settings: Settings | None = None, transport: Transport = "websocket"
    ) -> None:
        super().__init__(settings or Settings(targets=TARGETS), transport)  # type: ignore[arg-type]
        self.notices: list[Notice] = []
        self.controller.timeline.watch()
        self.narrator = Narrator("c1", self.controller.transcript)

    def _perform(self, actions: list[Action]) -> None:
        for entry in self.controller.timeline.drain():
            self.notices += self.narrator.hear(entry)
        super()._perform(actions)

    def told(self, kind: type[N]) -> list[N]:
        return [notice for notice in self.notices if isinstance(notice, kind)]

    def captions(self, who: str) -> list[tuple[str, bool]]:
        """Return what was shown last of each item."""
        last = {one.item_id: one for one in self.told(Caption) if one.who == who}
        return [(one.text, one.is_cut) for one in last.values()]


def interrupted(transport: Transport = "websocket") -> Watched:
    flow = Watched(transport=transport)
    flow.service.replies.extend(
        [
            Reply(text="Hello, what can I do for you?", speech_ms=1_500),
            Reply(text=HOURS, speech_ms=4_000),
            Reply(text="Goodbye.", speech_ms=500),
        ]
    )
    flow.start()
    flow.run(3.0)
    flow.service.hear_caller(1.0, "When are you open?")
    flow.run(3.2)
    flow.service.hear_caller(1.0, "Thank you.")
    flow.run(5.0)
    return flow


@pytest.mark.parametrize("transport", ["websocket", "webrtc", "sip"])
def test_both_sides_are_shown_in_words_and_what_was_cut_as_far_as_it_was_heard(
    transport: Transport,
) -> None:
    flow = interrupted(transport)
    assert flow.captions("caller") == [("When are you open?", False), ("Thank you.", False)]
    greeting, answer, goodbye = flow.captions("agent")
    assert greeting == ("Hello, what can I do for you?", False)
    assert goodbye == ("Goodbye.", False)
    rows = flow.controller.transcript.as_list()
    (cut,) = (row["heard"] for row in rows if row.get("is_cut"))
    assert answer == (cut, True)
    assert HOURS.startswith(cut)
    assert len(cut) < len(HOURS) * 0.7


def test_words_are_shown_as_they_come_each_time_with_those_before() -> None:
    flow = interrupted()
    shown: dict[str, str] = {}
    pieces = 0
    for one in flow.told(Caption):
        if not one.is_cut:
            assert one.text.startswith(shown.get(one.item_id, ""))
            pieces += not one.is_final
        shown[one.item_id] = one.text
    assert pieces >= 3


def test_who_speaks_begins_and_stops_in_turn() -> None:
    flow = interrupted()
    state = {"caller": False, "agent": False}
    for one in flow.told(Speaking):
        assert state[one.who] is not one.is_on, "it is news"
        state[one.who] = one.is_on
    assert not any(state.values())
    assert [one.who for one in flow.told(Speaking) if one.is_on] == [
        "agent", "caller", "agent", "caller", "agent",
    ]  # fmt: skip


def test_each_wait_for_an_answer_is_told_once() -> None:
    flow = interrupted()
    answers = [one.heard_ms for one in flow.controller.usage._latency.answers]
    assert [one.ms for one in flow.told(TurnTimed)] == answers
    assert len(answers) == 2


def test_times_count_from_the_beginning_of_the_call_and_never_go_back() -> None:
    times = [notice.at for notice in interrupted().notices]
    assert times == sorted(times)
    assert times[0] < 0.1


def test_what_the_agent_does_follows_the_call() -> None:
    flow = interrupted()
    done = [one.agent for one in flow.told(Activity)]
    assert done[0] == "away"
    assert done[1:4] == ["listening", "thinking", "speaking"]
    assert "away" not in done[1:]
    flow.notices.clear()
    flow.lose_service(seconds=60.0)
    assert [one.agent for one in flow.told(Activity)] == ["away"]


def test_a_tool_at_work_is_told_by_its_name_until_its_result_is_there() -> None:
    flow = Watched()
    flow.start()
    flow.run(2.0)
    flow.agent_calls("set_call_variable", name="a", value="b")
    flow.service.hear_caller(0.5, "Go on.")
    flow.run(5.0)
    tools = [one for one in flow.told(Activity) if one.agent == "tool"]
    assert [one.detail for one in tools] == ["set_call_variable"]
    assert flow.told(Activity)[-1].agent == "listening"


def test_the_call_s_menu_is_told_by_its_name() -> None:
    menus = {"main": {"say": "Press one.", "keys": {"1": "hangup"}}}
    rules = [{"on": "leg.answered", "do": [{"menu": "main"}]}]
    flow = Watched(Settings.model_validate({"menus": menus, "rules": rules}))
    flow.start()
    flow.run(4.0)
    assert ("menu", "main") in [(one.agent, one.detail) for one in flow.told(Activity)]


@pytest.mark.parametrize("is_asked_by_model", [True, False])
def test_a_number_that_is_collected_is_told_as_that_and_not_as_a_tool(
    is_asked_by_model: bool,
) -> None:
    rules = [] if is_asked_by_model else [{"on": "leg.answered", "do": [{"collect": "account"}]}]
    settings = {
        "call": {"tools": ["collect_digits"], "greet": not rules},
        "collects": {"account": {"say": "Your number?", "min": 4}},
        "rules": rules,
    }
    flow = Watched(Settings.model_validate(settings))
    flow.start()
    flow.run(3.0)
    if is_asked_by_model:
        flow.agent_calls("collect_digits", name="account")
        flow.say("support")
        flow.run(4.0)
    told = [(one.agent, one.detail) for one in flow.told(Activity)]
    assert told[-1] == ("collect", "account")
    assert "tool" not in dict(told)
    flow.press("4711#")
    flow.run(3.0)
    assert flow.told(Activity)[-1].agent == "listening"


def test_a_service_that_dies_while_a_menu_is_open_is_away() -> None:
    menus = {"main": {"say": "Press one.", "keys": {"1": "hangup"}}}
    rules = [{"on": "leg.answered", "do": [{"menu": "main"}]}]
    flow = Watched(Settings.model_validate({"menus": menus, "rules": rules}))
    flow.start()
    flow.run(4.0)
    flow.notices.clear()
    flow.post(LinkLost("gone"))
    flow.run(0.02)
    assert flow.told(Activity)[0].agent == "away"


SECRET = {
    "call": {"greet": False},
    "menus": {
        "main": {"say": "Main.", "barge_in": False, "keys": {"1": {"collect": "card"}}},
    },
    "collects": {"card": {"say": "Card?", "min": 4, "max": 4, "sensitive": True}},
    "rules": [{"on": "leg.answered", "do": [{"menu": "main"}]}],
}


def test_keys_are_told_once_with_who_saw_them_first() -> None:
    flow = Watched()
    flow.start()
    flow.run(3.0)
    flow.press("5")
    flow.press("5", "inband")
    flow.run(1.0)
    assert [(one.key, one.source) for one in flow.told(KeyTold)] == [("5", "rfc4733")]


def test_a_secret_number_is_told_as_points() -> None:
    flow = Watched(Settings.model_validate(SECRET))
    flow.start()
    flow.hear("Main.")
    flow.run(2.0)
    flow.press("1")
    flow.hear("Card?")
    flow.run(2.0)
    flow.press("7777")
    flow.run(2.0)
    assert [one.key for one in flow.told(KeyTold)] == ["1", *"••••"]


def test_nor_is_one_that_is_typed_before_it_is_asked_for() -> None:
    flow = Watched(Settings.model_validate(SECRET))
    flow.start()
    flow.hear("Main.")
    flow.press("17777")
    flow.run(10.0)
    assert [one.key for one in flow.told(KeyTold)] == [*"•••••"]


def test_the_end_of_a_call_silences_everybody() -> None:
    flow = Watched()
    flow.service.replies.append(Reply(text=HOURS, speech_ms=8_000))
    flow.start()
    flow.run(3.0)
    flow.hang_up()
    assert [(one.who, one.is_on) for one in flow.told(Speaking)][-1] == ("agent", False)
    (last,) = flow.captions("agent")
    assert last[1], "the rest was not heard"


def test_a_recorded_timeline_tells_the_same_in_the_end() -> None:
    flow = interrupted()
    rows: list[dict[str, Any]] = msgspec.json.decode(
        msgspec.json.encode(flow.controller.timeline.as_list())
    )
    again = Narrator("c1", flow.controller.transcript)
    notices = [one for row in rows for one in again.hear(TimelineEntry.from_dict(row))]

    def ends(of: list[Notice]) -> list[Notice]:
        return [one for one in of if not isinstance(one, Caption) or one.is_final]

    kinds = (Speaking, KeyTold, Activity, TurnTimed)
    assert [n for n in notices if isinstance(n, kinds)] == [
        n for n in flow.notices if isinstance(n, kinds)
    ]
    last = {n.item_id: (n.text, n.is_cut) for n in ends(notices) if isinstance(n, Caption)}
    assert last == {n.item_id: (n.text, n.is_cut) for n in flow.notices if isinstance(n, Caption)}


def test_a_second_leg_is_told_as_a_transfer_and_then_the_agent_is_silent() -> None:
    flow = Watched(
        Settings.model_validate(
            {
                "targets": {"operator": {"uri": TARGETS["operator"], "mode": "bridge"}},
                "rules": [
                    {
                        "on": "input_audio_buffer.dtmf_event_received",
                        "digit": "0",
                        "do": [{"transfer": "operator"}],
                    }
                ],
            }
        )
    )
    flow.start()
    flow.run(3.0)
    flow.press("0")
    flow.run(1.0)
    assert flow.told(Activity)[-1].agent == "transfer"
    assert flow.told(Activity)[-1].detail == "operator", "by its name, not where it lives"
    flow.post(CalleeAnswered())
    flow.run(1.0)
    assert flow.told(Activity)[-1].agent == "silent"
    flow.post(VoiceStarted("callee"))
    assert flow.told(Speaking)[-1].who == "callee"
    flow.post(CalleeEnded(487))
    assert not flow.told(Speaking)[-1].is_on


def test_who_supervises_is_told_and_that_they_speak_and_that_the_agent_is_silent() -> None:
    flow = Watched()
    flow.start()
    flow.run(3)
    flow.ask(Supervise("listen", "a"), by="ann")
    flow.ask(Supervise("takeover", "a"), by="ann")
    flow.run(1)
    assert (flow.told(Activity)[-1].agent, flow.told(Activity)[-1].detail) == ("silent", "takeover")
    flow.post(VoiceStarted("supervisor"))
    flow.post(VoiceStopped(500, "supervisor"))
    flow.post(VoiceStarted("supervisor"))
    flow.ask(Supervise("listen", "a"), by="ann")
    flow.run(0.02)
    spoke = [one.is_on for one in flow.told(Speaking) if one.who == "supervisor"]
    assert spoke == [True, False, True, False]
    told = [(one.name, one.mode, one.connection) for one in flow.told(Supervised)]
    assert told == [("ann", "listen", "a"), ("ann", "takeover", "a"), ("ann", "listen", "a")]
    assert flow.told(Activity)[-1].agent != "silent"

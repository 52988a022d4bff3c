"""Built-in and custom functions: offered as configured, checked, answered once, in time."""

import json

import pytest

from gateway.config import Settings, load
from gateway.control import HangUp
from gateway.control.actions import Hold, Play, Resume, RunErrand, SendDtmf
from gateway.control.events import ErrandDone, LegEnded
from gateway.control.settings import ControlSettings
from gateway.control.tool_offers import tool_definitions
from gateway.errors import ConfigError
from gateway.realtime.commands import ResponseCreate
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import FunctionCall, Reply
from tests.control.call_scenes import call_of, settings, talking

WEATHER = {
    "description": "The weather in a town",
    "url": "http://127.0.0.1:1/weather",
    "parameters": {
        "type": "object",
        "properties": {"town": {"type": "string"}},
        "required": ["town"],
    },
    "timeout_seconds": 2.0,
    "retries": 0,
    "most": 2,
}
ALL = [
    "transfer_call", "hang_up", "send_dtmf", "collect_digits", "hold_call", "resume_call",
    "open_menu", "set_variable",
]  # fmt: skip
LINE = {
    "call": {"tools": ALL},
    "tools": {"weather": WEATHER},
    "menus": {"main": {"say": "One.", "keys": {"1": "hangup"}}},
    "collects": {
        "account": {"say": "Number?", "min": 4, "max": 4},
        "card": {"say": "Card?", "min": 4, "max": 4, "sensitive": True},
    },
}


def told(*calls: FunctionCall, **tables: object) -> Flow:
    """Return a call whose model has just called functions."""
    flow = talking(settings(**{**LINE, **tables}), Reply(0, calls=calls))
    flow.service.hear_caller(0.3)
    flow.run(1.5)
    return flow


def results(flow: Flow) -> list[dict[str, object]]:
    return [json.loads(text) for text in flow.service.texts() if text.startswith("{")]


def errands(flow: Flow) -> list[str]:
    return [errand.errand_id for errand in flow.did(RunErrand)]


def test_all_that_is_switched_on_and_can_do_something_is_offered() -> None:
    plan = ControlSettings.of(settings(**LINE))
    assert [one["name"] for one in tool_definitions(plan)] == [*ALL, "weather"]
    bare = ControlSettings.of(Settings.model_validate({"call": {"tools": ALL}}))
    named = {one["name"] for one in tool_definitions(bare)}
    assert not named & {"transfer_call", "collect_digits", "open_menu"}


def test_a_caller_is_taken_back_from_hold() -> None:
    flow = told(call_of("hold_call"))
    flow.service.replies.append(Reply(calls=(call_of("resume_call", call_id="call-2"),)))
    flow.service.hear_caller(0.4)
    flow.run(3)
    assert flow.did(Hold) == [Hold()]
    assert flow.did(Resume) == [Resume()]


@pytest.mark.parametrize(
    ("call", "action"),
    [
        (call_of("send_dtmf", '{"digits": "12#"}'), SendDtmf("12#")),
        (call_of("hold_call"), Hold()),
    ],
)
def test_what_is_asked_for_is_done_and_answered(call: FunctionCall, action: object) -> None:
    flow = told(call)
    assert action in [done for _, done in flow.actions]
    assert results(flow) == [{"status": "ok"}]
    assert len(flow.sent(ResponseCreate)) == 2


@pytest.mark.parametrize(
    "call",
    [
        call_of("send_dtmf", '{"digits": "12; rm"}'),
        call_of("send_dtmf"),
        call_of("open_menu", '{"menu": "nowhere"}'),
        call_of("collect_digits", '{"name": "main"}'),
        call_of("set_variable", '{"name": "caller", "value": "someone else"}'),
        call_of("set_variable", '{"name": "Robert\'); --", "value": "x"}'),
        call_of("weather", '{"town": 3}'),
        call_of("weather", "[1]"),
        call_of("weather", "[" * 5000),
        call_of("hold_call", '{"why": "because"}'),
        call_of("nonsense"),
    ],
)
def test_what_is_not_allowed_is_refused_with_the_reason(call: FunctionCall) -> None:
    flow = told(call)
    (result,) = results(flow)
    assert result["error"]
    assert not flow.did(RunErrand)
    assert len(flow.sent(ResponseCreate)) == 2


def test_the_digits_a_caller_enters_are_the_result() -> None:
    flow = told(call_of("collect_digits", '{"name": "account"}'))
    assert flow.place == "account"
    flow.run(2)
    flow.press("4711")
    flow.run(1)
    assert results(flow) == [{"status": "ok", "digits": "4711"}]
    assert len(flow.sent(ResponseCreate)) == 3  # the greeting, the question, the model's answer


def test_a_sensitive_number_is_no_result_that_anybody_sees() -> None:
    flow = told(call_of("collect_digits", '{"name": "card"}'))
    flow.run(2)
    flow.press("4711")
    flow.run(1)
    assert results(flow) == [{"status": "ok", "digits": "••••"}]
    assert "4711" not in json.dumps(flow.controller.timeline.as_list())


def test_a_caller_who_enters_nothing_is_told_of() -> None:
    flow = told(call_of("collect_digits", '{"name": "account"}'))
    flow.run(60)
    assert results(flow) == [{"error": "the caller entered no number"}]


def test_a_custom_function_is_run_and_its_answer_given() -> None:
    flow = told(call_of("weather", '{"town": "Oslo"}'))
    (errand,) = flow.did(RunErrand)
    assert errand.payload["arguments"] == {"town": "Oslo"}
    assert not results(flow)
    flow.post(ErrandDone(errand.errand_id, 200, '{"sky": "blue"}'))
    flow.run(1)
    assert results(flow) == [{"sky": "blue"}]
    assert len(flow.sent(ResponseCreate)) == 2


def test_a_slow_function_is_covered_by_a_sound_and_given_up_in_time() -> None:
    flow = told(call_of("weather", '{"town": "Oslo"}'))
    flow.run(2)
    assert any(play.is_repeated for play in flow.did(Play))
    flow.run(20)
    assert results(flow) == [{"error": "it took too long"}]
    flow.post(ErrandDone(errands(flow)[0], 200, "late"))
    flow.run(1)
    assert len(results(flow)) == 1


def test_several_functions_are_answered_once_when_the_slowest_is_done() -> None:
    town = '{"town": "Oslo"}'
    flow = told(
        call_of("weather", town, "a"),
        call_of("weather", town, "b"),
        call_of("hold_call", call_id="c"),
    )
    first, second = errands(flow)
    flow.post(ErrandDone(second, 200, "rain"))
    flow.run(1)
    assert len(flow.sent(ResponseCreate)) == 1
    flow.post(ErrandDone(first, 500, problem="status 500"))
    flow.run(1)
    assert len(flow.sent(ResponseCreate)) == 2
    assert {"result": "rain"} in results(flow)
    assert {"error": "status 500"} in results(flow)


def test_a_result_that_a_lost_conversation_waited_for_is_not_given_to_the_next() -> None:
    flow = told(call_of("weather", '{"town": "Oslo"}'))
    flow.lose_service(seconds=0.1)
    flow.run(3)
    flow.post(ErrandDone(errands(flow)[0], 200, "rain"))
    flow.run(2)
    assert results(flow) == [{"error": "the connection was lost before this was done"}]


def test_a_function_used_too_often_is_refused() -> None:
    town = '{"town": "Oslo"}'
    calls = [call_of("weather", town, str(number)) for number in range(3)]
    flow = told(*calls)
    assert len(flow.did(RunErrand)) == 2
    assert "2 times in a call" in str(results(flow)[0]["error"])


@pytest.mark.parametrize("limit", ["tool_calls", "tool_calls_per_minute"])
def test_so_many_functions_and_no_more(limit: str) -> None:
    calls = [call_of("hold_call", call_id=str(number)) for number in range(4)]
    flow = told(*calls, limits={limit: 3})
    assert [("error" in result) for result in results(flow)] == [False, False, False, True]


def test_what_functions_cost_counts_towards_the_limit() -> None:
    flow = told(
        call_of("weather", '{"town": "Oslo"}'),
        tools={"weather": {**WEATHER, "cost": 2.0}},
        call={"tools": ALL, "max_cost": 1.5},
        prices={"text_input": 0.01},
    )
    flow.post(ErrandDone(errands(flow)[0], 200, "rain"))
    flow.run(10)
    assert flow.did(HangUp)


def test_a_caller_who_hangs_up_leaves_nothing_behind() -> None:
    flow = told(
        call_of("weather", '{"town": "Oslo"}'), call_of("collect_digits", '{"name":"card"}', "b")
    )
    before = len(flow.actions)
    flow.post(LegEnded("caller"))
    flow.post(ErrandDone(errands(flow)[0], 200, "rain"))
    assert len(flow.actions) == before
    assert flow.controller.deadline is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[tools.hang_up]\ndescription = "x"\nurl = "https://x"', "already"),
        ('[tools."a b"]\ndescription = "x"\nurl = "https://x"', "rename it"),
        (
            '[tools.a]\ndescription = "x"\nurl = "https://x"\nparameters = { type = "string" }',
            "object",
        ),
        (
            '[tools.a]\ndescription = "x"\nurl = "https://x"\nparameters = { type = 3 }',
            "JSON schema",
        ),
        ('[tools.a]\ndescription = "x"', "url or an entry"),
    ],
)
def test_a_function_that_cannot_be_offered_is_refused_at_load(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ControlSettings.of(load(None, {"GATEWAY_CONFIG_BODY": text}))

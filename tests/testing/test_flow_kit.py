"""The test kit as somebody uses it who writes a flow: their file, a caller, virtual time."""

import re
from pathlib import Path

import pytest

from gateway.control import CallState, HangUp
from gateway.control.actions import Refer
from gateway.errors import ConfigError
from gateway.testing import Flow, Reply

ROOT = Path(__file__).parents[2]
LINE = ROOT / "sip_configs" / "demo" / "gateway.toml"

OWN = """
[call]
greeting = "Greet the caller."
tools = ["transfer_call", "hang_up"]

[targets]
nurse = "sip:nurse@clinic.example"

[[rules]]
on = "call.started"
caller = "*:+49*"
time = ["sat-sun 00:00-24:00"]
do = [{ reject = 480 }]

[[rules]]
on = "input_audio_buffer.dtmf_event_received"
digit = "5"
do = [{ play = { tone = "beep" } }, { say = "Done." }]
"""

KEYS_ALONE = """
[call]
menu = "main"

[menus.main]
say = "For sales, press 1."
keys = { "1" = "hangup" }
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(OWN)
    return path


@pytest.fixture
def flow() -> Flow:
    flow = Flow.of(LINE)
    flow.start()
    return flow


def test_the_example_of_the_document_passes(tmp_path: Path) -> None:
    document = (ROOT / "docs" / "testing.md").read_text()
    code = re.findall(r"```python\n(.*?)```", document, re.DOTALL)[0]
    assert 'Flow.of("gateway.toml")' in code
    (tmp_path / "gateway.toml").write_text(LINE.read_text())
    names: dict[str, object] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        exec(compile(code, "docs/testing.md", "exec"), names)
        tests = [value for name, value in names.items() if name.startswith("test_")]
        assert tests
        for test in tests:
            assert callable(test)
            test()


def test_the_example_is_ten_lines() -> None:
    document = (ROOT / "docs" / "testing.md").read_text()
    code = re.findall(r"```python\n(.*?)```", document, re.DOTALL)[0]
    body = code[code.index("def test_") :].strip().splitlines()
    assert len(body) - 1 <= 10


def test_what_is_heard_is_waited_for_and_counts_once(flow: Flow) -> None:
    flow.hear("Thank you for calling Northwind.")
    at = flow.now
    flow.press("1")
    flow.hear("For sales")
    assert at < flow.now < at + 1
    with pytest.raises(AssertionError, match='"Northwind" was not heard, but nothing'):
        flow.hear("Northwind", within=2)


def test_what_is_not_heard_is_told_with_what_was(flow: Flow) -> None:
    with pytest.raises(AssertionError, match=r'"Guten Tag" was not heard, but "Thank you for'):
        flow.hear("Guten Tag", within=5)


def test_a_call_that_is_over_is_not_waited_for(flow: Flow) -> None:
    flow.hear("Northwind")
    flow.hang_up()
    before = flow.now
    with pytest.raises(AssertionError, match="was not heard"):
        flow.hear("For sales")
    assert flow.now <= before + 30
    assert flow.ended is not None
    assert flow.controller.state is CallState.ENDED


def test_time_that_does_not_pass_is_told() -> None:
    flow = Flow()

    def again() -> None:
        flow.later(0, again)

    again()
    with pytest.raises(AssertionError, match="due again and again"):
        flow.run(1)


@pytest.mark.parametrize("transport", ["websocket", "webrtc", "sip"])
def test_the_same_is_heard_over_all_links(transport: str) -> None:
    flow = Flow.of(LINE, transport=transport)
    flow.start()
    flow.hear("Northwind")
    flow.press("2")
    flow.hear("Para ventas")


def test_words_of_the_caller_are_answered_as_the_model_is_told_to(own: Path) -> None:
    flow = Flow.of(own)
    flow.agent_says("Good morning, this is the clinic.")
    flow.agent_calls("transfer_call", target="nurse")
    flow.start()
    flow.hear("this is the clinic")
    flow.run(1)
    flow.say("I need a nurse")
    flow.run(3)
    assert [refer.target for refer in flow.did(Refer)] == ["sip:nurse@clinic.example"]
    assert "I need a nurse" in [turn.get("text") for turn in flow.controller.transcript.as_list()]


def test_what_the_model_is_to_say_waits_for_an_answer_of_its_own(own: Path) -> None:
    flow = Flow.of(own)
    flow.service.replies.append(Reply())
    flow.start()
    flow.hear("…")
    flow.agent_says("It is nine.")
    flow.press("5")
    flow.hear("tone:beep")
    flow.hear("Done.")
    flow.run(2)
    flow.say("What time is it?")
    flow.hear("It is nine.")
    assert flow.said == ["Done."]
    assert flow.played == ["tone:beep"]


def test_a_muted_caller_is_not_heard(tmp_path: Path) -> None:
    keys_alone = tmp_path / "keys.toml"
    keys_alone.write_text(KEYS_ALONE)
    flow = Flow.of(keys_alone)
    flow.start()
    flow.hear("For sales, press 1.")
    flow.say("sales")
    flow.run(3)
    assert not [entry for entry in flow.timeline.entries if "speech_started" in entry.name]


def test_a_line_goes_by_who_calls_and_when(own: Path) -> None:
    saturday = 1_800_082_800  # 2027-01-16 07:00 UTC
    refused = Flow.of(own, caller="sip:+4930@trunk", unix_time=saturday)
    refused.start()
    assert refused.ended is None
    refused.run(1)
    assert refused.ended is not None
    taken = Flow.of(own, caller="sip:+4930@trunk", unix_time=saturday + 2 * 86_400)
    taken.start()
    taken.hear("…")


def test_the_environment_counts_as_it_does_for_a_gateway(own: Path) -> None:
    flow = Flow.of(own, {"GATEWAY_CALL__GOODBYE": "So long.", "GATEWAY_CALL__MAX_SECONDS": "5"})
    flow.start()
    flow.hear("So long.")
    flow.run(3)
    assert flow.did(HangUp)


def test_a_wrong_configuration_is_refused_in_words(own: Path) -> None:
    own.write_text(OWN + '\n[[rules]]\non = "call.started"\ndo = "sing"\n')
    with pytest.raises(ConfigError, match=r"gateway\.toml:\d+"):
        Flow.of(own)

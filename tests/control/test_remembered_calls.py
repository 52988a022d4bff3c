"""What a call remembers of itself, over each link, through an interruption and a lost session."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from call_scenes import settings

from gateway.control import Controller, ControlSettings, TimelineEntry, first_difference, replay
from gateway.control import events as own
from gateway.realtime.events import Transport, Unknown, decode
from gateway.realtime.faults import classify
from gateway.testing.flow import Flow
from gateway.testing.scripted_service import Reply

RECORDED = Path(__file__).parents[3] / "shared" / "realtime" / "sessions"
HOURS = "We are open from nine to five on weekdays and from ten to two on Saturdays."
LINKS: list[Transport] = ["websocket", "webrtc", "sip"]


def talk(transport: Transport) -> Flow:
    """Return a call whose caller asked something, and spoke over four seconds of answer."""
    flow = Flow(settings(call={"comfort_prompt": ""}), transport)
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


def told(flow: Flow) -> list[tuple[str, str]]:
    """Return who said what, of the agent what was heard of it."""
    rows = flow.controller.transcript.as_list()
    return [(row["role"], row.get("heard", row["text"])) for row in rows]


@pytest.mark.parametrize("transport", LINKS)
def test_an_answer_that_is_talked_over_is_remembered_as_far_as_it_was_heard(
    transport: Transport,
) -> None:
    greeting, question, answer, thanks, goodbye = told(talk(transport))
    assert greeting == ("assistant", "Hello, what can I do for you?")
    assert question == ("user", "When are you open?")
    assert thanks == ("user", "Thank you.")
    assert goodbye == ("assistant", "Goodbye.")
    assert HOURS.startswith(answer[1])
    assert answer[1].startswith("We are open from nine")
    assert len(answer[1]) < len(HOURS) * 0.7


@pytest.mark.parametrize("transport", ["websocket", "webrtc"])
def test_a_new_session_is_told_what_was_heard_and_told_it_twice_remembers_it_once(
    transport: Transport,
) -> None:
    flow = talk(transport)
    before = told(flow)
    for session in (1, 2):
        flow.lose_service()
        flow.run(20.0)
        assert flow.service.texts(session)[:5] == [text for _, text in before]
    assert told(flow)[:5] == before


@pytest.mark.parametrize("transport", LINKS)
def test_a_call_with_words_played_again_from_its_timeline_does_the_same(
    transport: Transport,
) -> None:
    flow = talk(transport)
    flow.lose_service()
    flow.run(20.0)
    rows = [TimelineEntry.from_dict(row) for row in flow.controller.timeline.as_list()]
    assert first_difference(rows, replay(rows, flow.settings, classify)) is None


def test_a_long_call_takes_little_room() -> None:
    flow = talk("websocket")
    for number in range(200):
        flow.service.replies.append(Reply(text=HOURS, speech_ms=1_000))
        flow.service.hear_caller(0.5, f"Question {number}?")
        flow.run(3.0)
    rows = flow.controller.transcript.as_list()
    assert len(rows) == 405
    assert len(msgspec.json.encode(rows)) < 120_000
    assert len(flow.controller.timeline.entries) < 8_000


# Sessions recorded from real services


def frames(path: Path) -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml")
    recorded = yaml.safe_load(path.read_text(encoding="utf-8"))["interactions"]
    return [
        one["data"]
        for one in recorded
        if one.get("direction") == "received" and one.get("kind") == "message"
    ]


def heard_again(path: Path) -> Controller:
    """Return a controller that has met a recorded session's events."""
    controller = Controller(ControlSettings.of(settings()), classify)
    controller.handle(own.CallStarted("call", "a", "b"), 0.0)
    controller.handle(own.LinkReady(), 0.1)
    for number, frame in enumerate(frames(path)):
        event = decode(msgspec.json.encode(frame))
        assert not isinstance(event, Unknown) or event.type not in ("", "error"), frame
        controller.handle(event, 1.0 + number / 50)
    return controller


@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded sessions beside this project")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "test_openai_ws/test_audio_in_server_vad_turn",
            [
                ("user", "Hello, my name is Marcelo."),
                ("assistant", "Hello, Marcelo! Great to meet you. How can I help you today?"),
            ],
        ),
        (
            "test_xai_ws/test_audio_in_server_vad_turn",
            [
                ("user", "Hello, my name is Marcelo."),
                ("assistant", "Hello Marcelo! Nice to meet you. How can I help you today?"),
            ],
        ),
        (
            "test_openai_ws/test_message_history_seeding",
            [
                ("user", "My name is Alice and my favorite color is teal."),
                ("assistant", "Nice to meet you, Alice!"),
                ("user", "What is my name and favorite color?"),
                ("assistant", "Your name is Alice, and your favorite color is teal!"),
            ],
        ),
    ],
)
def test_a_recorded_conversation_is_told_in_its_order(
    name: str, expected: list[tuple[str, str]]
) -> None:
    controller = heard_again(RECORDED / f"{name}.yaml")
    rows = controller.transcript.as_list()
    assert [(row["role"], row["text"]) for row in rows] == expected


@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded sessions beside this project")
def test_a_recorded_conversations_usage_adds_up() -> None:
    controller = heard_again(RECORDED / "test_openai_ws/test_audio_in_server_vad_turn.yaml")
    usage = controller.usage.as_dict()
    assert usage["tokens"] == {
        "text_input": 14,
        "text_cached": 0,
        "text_output": 28,
        "audio_input": 27,
        "audio_cached": 0,
        "audio_output": 136,
        "total": 205,
    }
    assert usage["transcribed_seconds"] == 3.0
    assert usage["caller_seconds"] == pytest.approx(2.8, abs=0.1)

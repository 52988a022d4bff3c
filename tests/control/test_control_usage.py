"""What a call is counted to have used: tokens of every kind, seconds, money, and its haste."""

from typing import Any

import pytest

from gateway.config import Settings
from gateway.control.context import Context
from gateway.control.events import Event, SupervisionChanged
from gateway.control.settings import ControlSettings
from gateway.control.usage import Usage
from gateway.realtime import events as wire
from gateway.realtime.events import RateLimit, ResponseInfo
from gateway.realtime.faults import classify

PRICES = {
    "text_input": 4.0,
    "text_cached": 0.4,
    "text_output": 16.0,
    "audio_input": 32.0,
    "audio_cached": 0.4,
    "audio_output": 64.0,
    "transcription_minute": 0.006,
}
WHOLE = {
    "total_tokens": 1_500,
    "input_tokens": 1_000,
    "output_tokens": 500,
    "input_token_details": {
        "text_tokens": 400,
        "audio_tokens": 600,
        "image_tokens": 0,
        "cached_tokens": 300,
        "cached_tokens_details": {"text_tokens": 200, "audio_tokens": 100, "image_tokens": 0},
    },
    "output_token_details": {"text_tokens": 100, "audio_tokens": 400},
}


class Meter:
    def __init__(self, **prices: float) -> None:
        self.context = Context(ControlSettings.of(Settings(prices=prices)), classify)  # type: ignore[arg-type]
        self.usage = Usage(self.context)

    def tell(self, *events: Event, at: float | None = None) -> None:
        if at is not None:
            self.context.now = at
        for event in events:
            self.usage.handle(event)

    def told(self) -> dict[str, Any]:
        return self.usage.as_dict()


def done(
    usage: Any, response_id: str | None = "r1", status: str = "completed"
) -> wire.ResponseDone:
    return wire.ResponseDone(
        response=ResponseInfo(id=response_id, status=status, usage=usage, output=[])
    )


def transcribed(usage: Any, item_id: str = "turn") -> Event:
    return wire.ConversationItemInputAudioTranscriptionCompleted(
        item_id=item_id, content_index=0, transcript="Hi.", usage=usage
    )


def test_tokens_are_counted_by_kind_and_priced_with_the_cached_ones_cheaper() -> None:
    meter = Meter(**PRICES)
    meter.tell(done(WHOLE))
    assert meter.told()["tokens"] == {
        "text_input": 400,
        "text_cached": 200,
        "text_output": 100,
        "audio_input": 600,
        "audio_cached": 100,
        "audio_output": 400,
        "total": 1_500,
    }
    by_hand = (200 * 4.0 + 200 * 0.4 + 100 * 16.0 + 500 * 32.0 + 100 * 0.4 + 400 * 64.0) / 1e6
    assert meter.usage.cost == pytest.approx(by_hand)
    assert meter.usage.total_tokens == 1_500


def test_a_response_is_counted_once_and_each_by_how_it_ended() -> None:
    meter = Meter()
    meter.tell(done(WHOLE), done(WHOLE), done(WHOLE, "r2", "cancelled"), done(None, "r3", "failed"))
    assert meter.usage.tokens.total == 3_000
    assert meter.told()["responses"] == {"completed": 1, "cancelled": 1, "failed": 1}


def test_responses_without_a_name_all_count() -> None:
    meter = Meter()
    meter.tell(done(WHOLE, None), done(WHOLE, None))
    assert meter.usage.tokens.total == 3_000


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 10, "output_tokens": 5}, (10, 0, 5, 0)),
        ({"input_tokens": 10, "input_token_details": {"audio_tokens": 7}}, (3, 7, 0, 0)),
        ({"input_token_details": {"image_tokens": 9, "text_tokens": 1}}, (10, 0, 0, 0)),
        ({"output_token_details": {"audio_tokens": 4}, "new": {"x": 1}}, (0, 0, 0, 4)),
        ({"input_tokens": "many", "output_tokens": -3, "input_token_details": [1]}, (0, 0, 0, 0)),
        ({}, (0, 0, 0, 0)),
        (None, (0, 0, 0, 0)),
    ],
)
def test_a_usage_that_leaves_things_out_or_is_odd_still_counts_what_it_says(
    usage: Any, expected: tuple[int, ...]
) -> None:
    meter = Meter()
    meter.tell(done(usage))
    tokens = meter.usage.tokens
    told = (tokens.text_input, tokens.audio_input, tokens.text_output, tokens.audio_output)
    assert told == expected


def test_cached_tokens_whose_kind_is_not_told_are_text_first_and_never_more_than_there_were() -> (
    None
):
    meter = Meter()
    details = {"text_tokens": 100, "audio_tokens": 50, "cached_tokens": 120}
    meter.tell(done({"input_tokens": 150, "input_token_details": details}))
    assert (meter.usage.tokens.text_cached, meter.usage.tokens.audio_cached) == (100, 20)
    meter.tell(done({"input_token_details": {"text_tokens": 1, "cached_tokens": 999}}, "r2"))
    assert meter.usage.tokens.text_cached == 101
    assert meter.usage.cost >= 0


def test_transcription_is_counted_in_seconds_or_in_tokens_as_it_is_told() -> None:
    meter = Meter(**PRICES)
    meter.tell(transcribed({"type": "duration", "seconds": 30}))
    meter.tell(transcribed({"type": "duration", "seconds": 30}))
    assert meter.told()["transcribed_seconds"] == 30
    tokens = {
        "type": "tokens",
        "input_tokens": 310,
        "output_tokens": 20,
        "total_tokens": 330,
        "input_token_details": {"audio_tokens": 300, "text_tokens": 10},
    }
    meter.tell(transcribed(tokens, "other"))
    assert meter.told()["transcribed_seconds"] == 60
    assert meter.told()["transcription_tokens"] == 330
    assert meter.usage.cost == pytest.approx(0.006)


def test_a_transcription_without_a_usage_costs_nothing_known() -> None:
    meter = Meter(**PRICES)
    meter.tell(
        transcribed({}), transcribed({"seconds": "long"}, "b"), transcribed({"seconds": 1e12})
    )
    assert meter.usage.cost == 0


def test_seconds_of_speech_are_the_callers_by_the_services_clock_and_the_agents_as_heard() -> None:
    meter = Meter()
    meter.tell(
        wire.InputAudioBufferSpeechStarted(item_id="a", audio_start_ms=1_000),
        wire.InputAudioBufferSpeechStopped(item_id="a", audio_end_ms=3_500),
        wire.InputAudioBufferSpeechStopped(item_id="a", audio_end_ms=3_500),
        wire.InputAudioBufferSpeechStopped(item_id="unknown", audio_end_ms=9_000),
    )
    meter.tell(wire.OutputAudioBufferStarted(response_id="r1"), at=10.0)
    meter.tell(wire.OutputAudioBufferStarted(response_id="r1"), at=10.5)
    meter.tell(wire.OutputAudioBufferStopped(response_id="r1"), at=12.0)
    meter.tell(wire.OutputAudioBufferStarted(response_id="r2"), at=20.0)
    meter.tell(wire.OutputAudioBufferCleared(response_id="r2"), at=20.5)
    meter.tell(wire.OutputAudioBufferCleared(response_id="r2"), at=30.0)
    assert meter.told()["caller_seconds"] == 2.5
    assert meter.told()["agent_seconds"] == 2.5


def speak(meter: Meter, at: float) -> None:
    meter.tell(wire.InputAudioBufferSpeechStarted(item_id="a", audio_start_ms=0), at=at - 1)
    meter.tell(wire.InputAudioBufferSpeechStopped(item_id="a", audio_end_ms=1_000), at=at)


def answer(meter: Meter, response_id: str, created: float, audio: float, heard: float) -> None:
    created_event = wire.ResponseCreated(response=ResponseInfo(id=response_id))
    meter.tell(created_event, at=created)
    delta = wire.ResponseOutputAudioDelta(
        response_id=response_id, item_id="i", output_index=0, content_index=0, delta=b"12"
    )
    meter.tell(delta, at=audio)
    meter.tell(delta, at=audio + 0.01)
    meter.tell(wire.OutputAudioBufferStarted(response_id=response_id), at=heard)


def test_each_answer_is_timed_from_the_end_of_the_callers_words() -> None:
    meter = Meter()
    answer(meter, "greeting", 0.1, 0.2, 0.3)  # nobody waited for it
    speak(meter, 5.0)
    answer(meter, "r1", 5.1, 5.4, 5.425)
    speak(meter, 10.0)
    answer(meter, "r2", 10.2, 10.5, 10.6)
    latency = meter.told()["latency"]
    assert latency["answers"] == [
        {"response_id": "r1", "created_ms": 100, "audio_ms": 400, "heard_ms": 425},
        {"response_id": "r2", "created_ms": 200, "audio_ms": 500, "heard_ms": 600},
    ]
    assert latency["heard_ms_max"] == 600


def test_an_answer_that_takes_a_tool_first_is_timed_to_its_first_sound() -> None:
    meter = Meter()
    speak(meter, 5.0)
    meter.tell(wire.ResponseCreated(response=ResponseInfo(id="asks a tool")), at=5.1)
    answer(meter, "answers", 5.5, 5.8, 5.9)
    answer(meter, "goes on by itself", 8.0, 8.1, 8.2)
    assert meter.told()["latency"]["answers"] == [
        {"response_id": "answers", "created_ms": 100, "audio_ms": 800, "heard_ms": 900},
    ]


def test_who_goes_on_speaking_or_is_cleared_waits_for_nothing() -> None:
    for event in (
        wire.InputAudioBufferSpeechStarted(item_id="b", audio_start_ms=0),
        wire.InputAudioBufferCleared(),
        SupervisionChanged("w1", "Ann", "takeover"),
    ):
        meter = Meter()
        speak(meter, 5.0)
        meter.tell(event, at=5.05)
        answer(meter, "r1", 5.1, 5.4, 5.5)
        assert meter.told()["latency"]["answers"] == []


def test_the_latest_limits_are_known() -> None:
    meter = Meter()
    limit = RateLimit(name="tokens", limit=100, remaining=90, reset_seconds=1.5)
    meter.tell(wire.RateLimitsUpdated(rate_limits=[limit, RateLimit()]))
    assert meter.told()["rate_limits"] == {"tokens": {"limit": 100, "remaining": 90}}
    meter.tell(wire.RateLimitsUpdated(rate_limits=[RateLimit(name="tokens", remaining=10)]))
    assert meter.told()["rate_limits"]["tokens"]["remaining"] == 10


def test_a_call_of_many_turns_stays_small() -> None:
    meter = Meter()
    for number in range(2_000):
        speak(meter, number * 10.0 + 5)
        answer(meter, f"r{number}", number * 10 + 5.1, number * 10 + 5.2, number * 10 + 5.3)
        meter.tell(done(WHOLE, f"r{number}"))
        meter.tell(wire.RateLimitsUpdated(rate_limits=[RateLimit(name=f"n{number}")]))
    assert meter.usage.tokens.total == 2_000 * 1_500
    assert len(meter.told()["latency"]["answers"]) == 500
    assert len(meter.told()["rate_limits"]) <= 16

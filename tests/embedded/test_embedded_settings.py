"""What may be changed in a session, how changes merge, and how the rest is refused."""

from typing import Any

import pytest

from gateway.embedded.protocol.checks import Refused
from gateway.embedded.protocol.settings import Settings
from gateway.embedded.speech.vad import VadSettings


@pytest.fixture
def settings() -> Settings:
    return Settings(session_id="sess_1", model="m", expires_at=4600)


def update(settings: Settings, *, has_spoken: bool = False, **fields: Any) -> None:
    settings.update({"type": "realtime", **fields}, has_spoken=has_spoken)


def test_an_absent_field_stays_and_an_empty_one_clears(settings: Settings) -> None:
    tool = {"type": "function", "name": "hang_up", "parameters": {}}
    update(settings, instructions="Be kind.", tools=[tool])
    update(settings, output_modalities=["text"])
    assert settings.effective["instructions"] == "Be kind."
    assert list(settings.tools) == ["hang_up"]
    update(settings, tool_choice="none")
    assert not settings.tools
    update(settings, instructions="", tools=[], tool_choice="auto")
    assert not settings.effective["instructions"]
    assert not settings.effective["tools"]


def test_turn_detection_is_replaced_as_a_whole_and_null_turns_it_off(settings: Settings) -> None:
    update(settings, audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 0.9}}})
    update(
        settings,
        audio={"input": {"turn_detection": {"type": "server_vad", "prefix_padding_ms": 0}}},
    )
    assert settings.vad == VadSettings(threshold=0.5, prefix_ms=0, silence_ms=500)
    assert settings.output_format == {"type": "audio/pcm", "rate": 24000}
    update(settings, audio={"input": {"turn_detection": None}})
    assert not settings.vad
    assert not settings.idle_timeout_ms


def test_patience_stands_for_eagerness(settings: Settings) -> None:
    def patience(eagerness: str) -> int:
        detection = {"type": "semantic_vad", "eagerness": eagerness}
        update(settings, audio={"input": {"turn_detection": detection}})
        assert settings.vad
        return settings.vad.silence_ms

    assert patience("low") > patience("medium") == patience("auto") > patience("high")


def test_the_scripts_idle_timeout_holds_until_the_client_says_otherwise() -> None:
    settings = Settings(session_id="s", model="", expires_at=0, idle_timeout_ms=3000)
    assert settings.idle_timeout_ms == 5000
    detection: dict[str, Any] = {"type": "server_vad"}
    update(settings, audio={"input": {"turn_detection": detection}})
    assert settings.idle_timeout_ms == 5000
    update(settings, audio={"input": {"turn_detection": {**detection, "idle_timeout_ms": None}}})
    assert settings.idle_timeout_ms is None


def test_a_snapshot_is_left_alone(settings: Settings) -> None:
    before = settings.snapshot()
    update(settings, audio={"output": {"speed": 1.5}})
    assert before["audio"]["output"]["speed"] == 1.0
    assert settings.effective["audio"]["output"]["speed"] == 1.5


def deep(path: str, value: Any) -> dict[str, Any]:
    """Return ``{"a": {"b": value}}`` for ``a.b``."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return dict(value)


VAD = "audio.input.turn_detection"


@pytest.mark.parametrize(
    ("path", "value", "code", "param"),
    [
        ("temperature", 0.8, "unknown_parameter", "session.temperature"),
        ("voice", "alloy", "unknown_parameter", "session.voice"),
        ("audio.input.gain", 1, "unknown_parameter", "session.audio.input.gain"),
        ("instructions", 5, "invalid_type", "session.instructions"),
        ("tools", {}, "invalid_type", "session.tools"),
        ("tools", [{"type": "web_search"}], "invalid_value", "session.tools[0].type"),
        (
            "tools",
            [{"type": "function"}],
            "missing_required_parameter",
            "session.tools[0].name",
        ),
        ("tools", [{}], "missing_required_parameter", "session.tools[0].type"),
        ("output_modalities", ["audio", "text"], "invalid_value", "session.output_modalities"),
        ("model", "other", "invalid_value", "session.model"),
        ("max_output_tokens", 0, "invalid_value", "session.max_output_tokens"),
        ("max_output_tokens", True, "invalid_type", "session.max_output_tokens"),
        ("audio.output.speed", 2, "invalid_value", "session.audio.output.speed"),
        ("audio.output.speed", "1", "invalid_type", "session.audio.output.speed"),
        (
            "audio.input.format",
            {"type": "audio/pcm", "rate": 16000},
            "invalid_value",
            "session.audio.input.format.rate",
        ),
        ("audio.input.format", "pcm16", "invalid_type", "session.audio.input.format"),
        (VAD, {"type": "none"}, "invalid_value", f"session.{VAD}.type"),
        (
            VAD,
            {"type": "server_vad", "idle_timeout_ms": 4999},
            "invalid_value",
            f"session.{VAD}.idle_timeout_ms",
        ),
        (
            VAD,
            {"type": "semantic_vad", "idle_timeout_ms": 6000},
            "unknown_parameter",
            f"session.{VAD}.idle_timeout_ms",
        ),
        (
            VAD,
            {"type": "server_vad", "create_response": 1},
            "invalid_type",
            f"session.{VAD}.create_response",
        ),
    ],
)
def test_what_is_wrong_is_named_and_nothing_changes(
    settings: Settings, path: str, value: Any, code: str, param: str
) -> None:
    before = settings.snapshot()
    with pytest.raises(Refused) as refused:
        update(settings, tracing="auto", **deep(path, value))
    assert (refused.value.code, refused.value.param) == (code, param)
    assert settings.effective == before


def test_some_things_cannot_change_any_more(settings: Settings) -> None:
    update(settings, tracing="auto", audio={"output": {"voice": "cedar"}})
    update(settings, has_spoken=True, audio={"output": {"voice": "cedar"}}, tracing="auto")
    with pytest.raises(Refused, match="voice"):
        update(settings, has_spoken=True, audio={"output": {"voice": "marin"}})
    with pytest.raises(Refused, match="Tracing"):
        update(settings, tracing=None)


def test_the_kind_of_session_must_be_said_and_stays() -> None:
    settings = Settings(session_id="s", model="", expires_at=0, kind="transcription")
    assert not settings.is_realtime
    assert "output" not in settings.effective["audio"]
    with pytest.raises(Refused, match=r"session\.type"):
        settings.update({}, has_spoken=False)
    with pytest.raises(Refused, match="realtime"):
        settings.update({"type": "realtime"}, has_spoken=False)
    with pytest.raises(Refused, match="tools"):
        settings.update({"type": "transcription", "tools": []}, has_spoken=False)
    words = {"model": "whisper-1"}
    settings.update(
        {"type": "transcription", "audio": {"input": {"transcription": words}}}, has_spoken=False
    )
    assert settings.transcribes


def test_a_model_may_be_named_later_where_the_address_named_none() -> None:
    settings = Settings(session_id="s", model="", expires_at=0)
    update(settings, model="gpt-realtime")
    assert settings.effective["model"] == "gpt-realtime"

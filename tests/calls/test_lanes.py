"""What is listened for in the lanes of a call follows from the settings that the call goes by."""

from typing import Any

import pytest

from gateway.calls import lanes
from gateway.calls.lanes import called_options, callee_options, caller_options, prepare_hearing
from gateway.calls.translate import from_lane
from gateway.config import Settings, load
from gateway.control import events as control
from gateway.control.settings import ControlSettings
from gateway.errors import ConfigError
from gateway.media import events as media
from gateway.media.engine import MediaEngine
from gateway.media.ports import PortPool
from gateway.testing.rtp import MemoryNetwork


def settings(**tables: Any) -> tuple[Settings, ControlSettings]:
    made = Settings.model_validate(tables)
    return made, ControlSettings.of(made)


@pytest.fixture
def engine() -> MediaEngine:
    network = MemoryNetwork()
    ports = PortPool("10000-10009", "198.51.100.1", bind=network.bind)
    return MediaEngine(ports, poller=network, clock=lambda: network.now)


def test_a_caller_is_guarded_and_not_listened_to_unless_something_follows_from_it() -> None:
    options = caller_options(*settings(), "pcm24")
    assert (options.voice, options.hears_beeps, options.echo_guard) == ("", False, "gate")


@pytest.mark.parametrize(
    "tables", [{"barge_in": {"by": ["voice"], "voice_ms": 80}}, {"idle": {"seconds": 5}}]
)
def test_a_caller_is_listened_to_where_a_voice_cuts_the_agent_or_ends_a_silence(
    tables: dict[str, Any],
) -> None:
    options = caller_options(*settings(**tables), "pcmu")
    assert options.uplink == "pcmu"
    assert options.voice == "energy"
    assert options.voice_ms == tables.get("barge_in", {}).get("voice_ms", 120)


def test_a_profile_says_how_its_own_callers_are_heard() -> None:
    profile = {"called": ["200"], "barge_in": {"by": ["voice"], "echo_guard": "cancel"}}
    made, common = settings(profiles={"sales": profile})
    assert caller_options(made, common.for_call("pbx", "100"), "pcm24").voice == ""
    chosen = caller_options(made, common.for_call("pbx", "200"), "pcm24")
    assert (chosen.voice, chosen.echo_guard) == ("energy", "cancel")


def test_who_is_called_is_listened_to_for_machines_and_their_beeps() -> None:
    for options in (called_options(*settings(), "pcm24"), callee_options(*settings(), "pcm24")):
        assert (options.voice, options.hears_beeps) == ("energy", True)
    off = settings(dial={"answering_machine": False}, barge_in={"by": ["voice"]})
    assert called_options(*off, "pcm24").voice == "energy"
    assert not called_options(*off, "pcm24").hears_beeps
    assert callee_options(*off, "pcm24").voice == ""


def test_two_people_who_talk_are_not_guarded_from_each_other() -> None:
    assert callee_options(*settings(), "pcm24").echo_guard == "off"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ('[barge_in]\nvoice = "silero"\n', "GATEWAY_CONFIG_BODY:2: barge_in.voice: "),
        (
            '[profiles.night]\ncalled = ["1"]\n[profiles.night.barge_in]\nvoice = "silero"\n',
            "GATEWAY_CONFIG_BODY:4: profiles.night.barge_in.voice: ",
        ),
    ],
)
def test_a_detector_that_is_not_installed_is_refused_with_a_line_that_helps(
    body: str, where: str, engine: MediaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "missing_package", lambda: "onnxruntime")
    made = load(None, {"GATEWAY_CONFIG_BODY": body})
    with pytest.raises(ConfigError) as caught:
        prepare_hearing(made, ControlSettings.of(made), engine)
    message = str(caught.value)
    assert message.startswith(where)
    assert "onnxruntime" in message
    assert 'pip install "voice-gateway[silero]"' in message
    assert "\n" not in message


def test_a_detector_that_is_installed_is_loaded_before_the_first_call(engine: MediaEngine) -> None:
    made, common = settings(barge_in={"voice": "silero", "by": ["voice"]})
    prepare_hearing(made, common, engine)
    lane = engine.open(lambda _: None, lambda _: None, caller_options(made, common, "pcm24"))
    lane.close()


@pytest.mark.parametrize("side", ["caller", "callee"])
def test_control_is_told_of_voices_and_beeps_by_whose_lane_it_is(side: control.Side) -> None:
    assert from_lane(media.VoiceStarted(1.0), side) == control.VoiceStarted(side)
    assert from_lane(media.VoiceStopped(300, 1.0), side) == control.VoiceStopped(300, side)
    beep = media.BeepHeard(1000, 400, 1.0)
    assert from_lane(beep, side) == control.BeepHeard(1000, 400, side)

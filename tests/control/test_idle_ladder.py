"""The ladder of a caller who says nothing: one, whoever noticed, the same on every link."""

import pytest

from gateway.config import load
from gateway.control import HangUp
from gateway.control.actions import Hold, OpenMenu, Play, Transfer
from gateway.control.events import LegHeld, Transport, VoiceStarted, VoiceStopped
from gateway.testing.flow import Flow
from tests.control.call_scenes import TIMEOUT

LINE = """
[call]
goodbye = "Bye."

[targets]
operator = "sip:operator@pbx.example"

[prompts]
song = "song.wav"

[idle]
seconds = {seconds}
limit = 3
ladder = [{{ say = "Are you there?" }}, {{ menu = "keypad" }}]

[menus.keypad]
say = "Press 1."
keys.1 = {{ menu = "close" }}
timeout_ms = 1000
retries = 0
failed = {{ menu = "close" }}

[menus.patient]
say = "Take your time."
keys.1 = {{ menu = "close" }}
timeout_ms = 60000
"""
LINKS: list[Transport] = ["websocket", "webrtc", "sip"]


def line(transport: Transport = "websocket", seconds: float = 5.0) -> Flow:
    """Return a call that has heard its greeting."""
    flow = Flow(load(None, {"GATEWAY_CONFIG_BODY": LINE.format(seconds=seconds)}), transport)
    flow.start()
    flow.run(2)
    return flow


def silences(flow: Flow) -> int:
    return sum(entry.name == TIMEOUT for entry in flow.controller.timeline.entries)


@pytest.mark.parametrize("transport", LINKS)
def test_our_own_timer_climbs_to_the_goodbye(transport: Transport) -> None:
    flow = line(transport)
    flow.run(5)
    assert flow.said == ["Are you there?"]
    flow.run(6.5)
    assert flow.place == "keypad"
    flow.run(20)
    assert flow.said == ["Are you there?", "Press 1.", "Bye."]
    assert flow.did(HangUp) == [HangUp("idle")]
    assert silences(flow) == 3


@pytest.mark.parametrize("transport", LINKS)
def test_the_services_timer_climbs_the_same_ladder(transport: Transport) -> None:
    flow = line(transport, seconds=0)
    for _ in range(3):
        flow.service.time_out()
        flow.run(5)
    flow.run(5)
    assert flow.said == ["Are you there?", "Press 1.", "Bye."]
    assert flow.did(HangUp) == [HangUp("idle")]


@pytest.mark.parametrize("transport", LINKS)
@pytest.mark.parametrize("sign", ["speech", "key", "voice"])
def test_a_sign_of_life_begins_the_ladder_anew(transport: Transport, sign: str) -> None:
    flow = line(transport)
    flow.run(7)
    match sign:
        case "speech":
            flow.service.hear_caller(0.5, "yes")
        case "key":
            flow.press("5")
        case _:
            flow.post(VoiceStarted())
            flow.post(VoiceStopped(200))
    flow.run(8.5)
    assert flow.said == ["Are you there?", "Are you there?"]


def test_the_silence_is_measured_from_the_last_thing_heard() -> None:
    flow = line()
    heard = [e.at for e in flow.controller.timeline.entries if e.name == "playout.stopped"]
    flow.run(6)
    told = [e.at for e in flow.controller.timeline.entries if e.name == TIMEOUT]
    assert told == [pytest.approx(heard[0] + 5)]


@pytest.mark.parametrize("by_service", [False, True])
@pytest.mark.parametrize("owner", ["prompt", "their hold", "our hold", "transfer", "menu"])
def test_whoever_owns_the_line_suspends_it(owner: str, by_service: bool) -> None:
    flow = line()
    flow.prompt_seconds = 20
    match owner:
        case "prompt":
            flow.ask(Play("song"))
        case "their hold":
            flow.post(LegHeld(is_held=True))
        case "our hold":
            flow.ask(Hold())
        case "transfer":
            flow.ask(Transfer("operator"))
        case _:
            flow.ask(OpenMenu("patient"))
    if by_service:
        for _ in range(3):
            flow.service.time_out()
            flow.run(3)
    flow.run(19 - 9 * by_service)
    assert "Are you there?" not in flow.said
    assert not flow.did(HangUp)


def test_a_service_that_is_away_is_not_the_callers_silence() -> None:
    flow = line()
    flow.lose_service(seconds=20)
    flow.run(19)
    assert silences(flow) == 0
    flow.run(12)
    assert silences(flow) > 0

"""Calls that the gateway places to a machine and to a human: who answered, and what is left there.

The one who is called is baresip, which says what a mailbox or somebody at home would.
"""

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from peers import Gateway, running
from phones import Phone, phone
from voicecodecs.resample import StreamResampler
from voicecodecs.tones import tone

from gateway.embedded.speech.voice import load_voice
from gateway.testing.hearing import active

pytestmark = pytest.mark.interop

TOKEN = "a-token-of-the-tests"
CONFIG = """
[sip]
bind = ["udp:127.0.0.1:0"]
[http]
bind = "127.0.0.1:0"
token_env = "DIAL_TOKEN"
[realtime]
provider = "custom"
url = "{service}"
[call]
greet = false
[targets]
ann = "{target}"
[[rules]]
on = "answer.classified"
where = {{ by = "human" }}
do = [{{ say = "Your chairs have arrived." }}, "hangup"]
[[rules]]
on = "beep.heard"
do = [{{ say = "Your chairs have arrived." }}, "hangup"]
"""
GREETING = (
    "You have reached the mailbox of Ann and Bob. We are not at home at the moment. "
    "Please leave a message after the tone."
)
SILENCE = np.zeros(20 * 8000, np.int16)


def spoken(text: str) -> NDArray[np.int16]:
    """Return a text as it is said on a telephone, 8 kHz."""
    speech = np.concatenate(list(load_voice().speak(text)))
    return StreamResampler(24_000, 8000).process(speech)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("service") / "log"
    with running(["embedded", "--port", "0", "--json"], log) as embedded:
        yield embedded.facts["url"]


def dial(ours: Gateway) -> None:
    request = urllib.request.Request(
        ours.facts["page"].rstrip("/") + "/v1/calls",
        json.dumps({"to": "ann"}).encode(),
        {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 201


def placed(folder: Path, service: str, says: NDArray[np.int16]) -> tuple[dict[str, Any], Phone]:
    """Have a phone called that says something; return the record of the call, and the phone."""
    with phone(folder / "callee", says, user="ann") as callee:
        time.sleep(0.5)  # it must listen before it is called
        body = CONFIG.format(service=service, target=callee.uri)
        env = {"GATEWAY_CONFIG_BODY": body, "DIAL_TOKEN": TOKEN}
        with running(["serve", "--json"], folder / "gateway", env) as ours:
            dial(ours)
            (record,) = ours.new_calls(timeout=40)
    return record, callee


def at(record: dict[str, Any], name: str) -> float:
    return float(next(e["at"] for e in record["timeline"] if e["name"] == name))


def classified(record: dict[str, Any]) -> list[str]:
    return [e["detail"]["by"] for e in record["timeline"] if e["name"] == "answer.classified"]


def test_a_message_is_left_after_the_beep_of_a_machine(tmp_path: Path, service: str) -> None:
    greeting = spoken(GREETING)
    says = np.concatenate([greeting, tone(1000.0, 500, 8000, -12.0), SILENCE])
    record, callee = placed(tmp_path, service, says)
    assert classified(record) == ["machine"]
    assert record["ended_by"] == "gateway"
    length = len(greeting) / 8000
    assert at(record, "beep.heard") - at(record, "leg.answered") > length + 0.4
    (heard,) = callee.heard()
    first = np.flatnonzero(active(heard, 8000))[0] * 0.005  # seconds
    assert first > length, "something is said before the beep"


def test_a_human_is_spoken_to_at_once(tmp_path: Path, service: str) -> None:
    record, callee = placed(tmp_path, service, np.concatenate([spoken("Hello?"), SILENCE]))
    assert classified(record) == ["human"]
    assert at(record, "answer.classified") - at(record, "leg.answered") < 4.0
    assert "beep.heard" not in [entry["name"] for entry in record["timeline"]]
    assert active(callee.heard()[0], 8000).any()

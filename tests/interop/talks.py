"""What a phone and the agent must have heard of each other, however busy the machine was.

Nothing here waits for a time: it waits for what the gateway notes of its call.  Sound is compared
piece by piece, since on a busy machine a frame is left out or comes twice now and then, which
shifts all that follows.
"""

import json
import re
import time
import urllib.request
from pathlib import Path
from typing import Any, Final

import numpy as np
from peers import Gateway
from phones import Phone, read_wav
from voicecodecs.resample import StreamResampler

from gateway.embedded.speech.voice import load_voice
from gateway.testing.hearing import heard_pieces, tone_share

__all__ = [
    "GREETING",
    "assert_both_heard_each_other",
    "dial",
    "keys_heard",
    "line",
    "talk_and_press",
]

GREETING: Final = "Your chairs have arrived."
_TOKEN: Final = "a-token-of-the-tests"
_PIECE: Final = 800  # samples at 8 kHz
_ENOUGH: Final = 0.8  # of the pieces, and of the energy


_LINE: Final = """
[http]
bind = "127.0.0.1:0"
token_env = "DIAL_TOKEN"
[media]
recordings = "{recordings}"
[realtime]
provider = "custom"
url = "{service}"
[call]
greeting = 'Say "{greeting}"'
[barge_in]
by = []
[targets]
ann = "{target}"
[[rules]]
on = "leg.answered"
do = [{{ record = "start" }}, {{ send_dtmf = "17#" }}]
[[rules]]
on = "input_audio_buffer.dtmf_event_received"
digit = "9"
do = ["hangup"]
"""


def line(sip: str, service: str, recordings: Path, target: str) -> dict[str, str]:
    """Return the environment of a gateway that greets, presses 17# and lets 9 end the call.

    ``sip`` are its tables about SIP, and ``target`` whom it knows as ann.
    """
    body = _LINE.format(service=service, recordings=recordings, target=target, greeting=GREETING)
    return {"GATEWAY_CONFIG_BODY": sip + body, "DIAL_TOKEN": _TOKEN}


def dial(gateway: Gateway, to: str) -> None:
    """Have a gateway place a call."""
    request = urllib.request.Request(
        gateway.facts["page"].rstrip("/") + "/v1/calls",
        json.dumps({"to": to}).encode(),
        {"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 201


def talk_and_press(gateway: Gateway, phone: Phone) -> dict[str, Any]:
    """Let the agent greet, press 2 and 5, then 9, which ends the call; return its record."""
    gateway.wait_for_calls(1)
    _until(gateway, "output_audio_buffer.stopped", 1)
    for count, key in enumerate("25", 1):
        phone.press(key)
        _until(gateway, "input_audio_buffer.dtmf_event_received", count)
    phone.press("9")
    (record,) = gateway.new_calls()
    return record


def keys_heard(record: dict[str, Any]) -> list[str]:
    """Return the keys that the agent was told of."""
    name = "input_audio_buffer.dtmf_event_received"
    return [e["detail"]["event"] for e in record["timeline"] if e["name"] == name]


def assert_both_heard_each_other(
    record: dict[str, Any], phone: Phone, recordings: Path, hertz: float
) -> None:
    """Expect what :func:`talk_and_press` made heard: the greeting, the tone, keys both ways."""
    assert keys_heard(record) == ["2", "5", "9"]
    told = re.findall("received event: '(.)'", (phone.folder / "log").read_text(errors="replace"))
    assert list(dict.fromkeys(told)) == ["1", "7", "#"]
    (heard,) = phone.heard()
    speech = np.concatenate(list(load_voice("rms").speak(GREETING)))
    pieces = heard_pieces(heard, StreamResampler(24_000, 8000).process(speech), 8000)
    assert sum(pieces) >= _ENOUGH * len(pieces), "the greeting was not heard"
    (recorded,) = recordings.glob("*.wav")
    arrived = read_wav(recorded)[8000:, 0]
    cut = [arrived[start : start + _PIECE] for start in range(0, len(arrived) - _PIECE, _PIECE)]
    share = np.median([tone_share(piece, hertz, 8000) for piece in cut])
    assert share > _ENOUGH, "the phone's sound file did not arrive"


def _until(gateway: Gateway, name: str, count: int, within: float = 30.0) -> None:
    """Wait until the timeline of the call that is up has so many entries of a name."""
    deadline = time.monotonic() + within
    names: list[str] = []
    while time.monotonic() < deadline:
        live = [c for c in gateway.ask("/v1/calls")["calls"] if c["ended_by"] is None]
        assert live, f"the call ended before {name}:\n{gateway.tail()}"
        timeline = gateway.ask(f"/v1/calls/{live[0]['call_id']}")["timeline"]
        names = [entry["name"] for entry in timeline]
        if names.count(name) >= count:
            return
        time.sleep(0.1)
    raise AssertionError(f"{name} did not happen {count} times: {names}\n{gateway.tail()}")

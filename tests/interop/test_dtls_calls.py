"""DTLS-SRTP with a real phone that is called: we offer the handshake, it begins it."""

import json
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from peers import Gateway, running
from phones import phone, read_wav
from voicecodecs.resample import StreamResampler

from gateway.embedded.speech.voice import load_voice
from gateway.testing.hearing import match, tone_share

pytestmark = pytest.mark.interop

TOKEN = "a-token-of-ours"
TONE = 620.0
CONFIG = """
[sip]
bind = ["udp:127.0.0.1:0"]
[[trunks]]
name = "phones"
hosts = ["127.0.0.1"]
srtp = "required"
srtp_keys = "dtls"
[http]
bind = "127.0.0.1:0"
token_env = "DIAL_TOKEN"
[media]
recordings = "{folder}"
[realtime]
provider = "custom"
url = "{service}"
[call]
greeting = 'Say "Your chairs have arrived."'
[barge_in]
by = []
[targets]
ann = "{target}"
[[rules]]
on = "leg.answered"
do = [{{ record = "start" }}, {{ send_dtmf = "17#" }}]
"""


def dial(gateway: Gateway) -> None:
    request = urllib.request.Request(
        gateway.facts["page"].rstrip("/") + "/v1/calls",
        json.dumps({"to": "ann"}).encode(),
        {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 201


def test_a_called_phone_and_the_agent_hear_each_other_and_each_other_s_keys(
    demo: Gateway, tmp_path: Path
) -> None:
    with phone(tmp_path / "ann", TONE, user="ann", encrypts="dtls_srtp") as ann:
        body = CONFIG.format(
            folder=tmp_path / "calls", service=demo.facts["service"], target=ann.uri
        )
        environment = {"GATEWAY_CONFIG_BODY": body, "DIAL_TOKEN": TOKEN}
        log = tmp_path / "gateway.log"
        with running(["serve", "--json"], log, environment) as gateway:
            dial(gateway)
            gateway.wait_for_calls(1)
            time.sleep(5)
            ann.press("25")
            time.sleep(1)
            ann.press("b")
            (record,) = gateway.new_calls()
    assert record["media"]["srtp"] == "AEAD_AES_128_GCM"
    name = "input_audio_buffer.dtmf_event_received"
    assert [e["detail"]["event"] for e in record["timeline"] if e["name"] == name] == ["2", "5"]
    told = (tmp_path / "ann" / "log").read_text(errors="replace")
    assert [key for key in "17#" if f"received event: '{key}'" in told] == ["1", "7", "#"]
    (heard,) = ann.heard()
    speech = list(load_voice("rms").speak("Your chairs have arrived."))
    greeting = StreamResampler(24_000, 8000).process(np.concatenate(speech))
    assert match(heard, greeting)[1] > 0.8, "the greeting was not heard"
    (recorded,) = (tmp_path / "calls").glob("*.wav")
    arrived = read_wav(recorded)[8000:, 0]
    assert tone_share(arrived, TONE, 8000) > 0.8, "the phone's sound file did not arrive"

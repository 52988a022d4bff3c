"""DTLS-SRTP with a real phone that is called: we offer the handshake, it begins it."""

from pathlib import Path

import pytest
from peers import Gateway, running
from phones import phone
from talks import GREETING, assert_both_heard_each_other, dial, talk_and_press

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


def test_a_called_phone_and_the_agent_hear_each_other_and_each_other_s_keys(
    demo: Gateway, tmp_path: Path
) -> None:
    with phone(tmp_path / "ann", TONE, user="ann", encrypts="dtls_srtp") as ann:
        body = CONFIG.format(
            folder=tmp_path / "calls",
            service=demo.facts["service"],
            target=ann.uri,
            greeting=GREETING,
        )
        environment = {"GATEWAY_CONFIG_BODY": body, "DIAL_TOKEN": TOKEN}
        log = tmp_path / "gateway.log"
        with running(["serve", "--json"], log, environment) as gateway:
            dial(gateway, "ann", TOKEN)
            record = talk_and_press(gateway, ann)
    assert record["media"]["srtp"] == "AEAD_AES_128_GCM"
    assert_both_heard_each_other(record, ann, tmp_path / "calls", TONE)

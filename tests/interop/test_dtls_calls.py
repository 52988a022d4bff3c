"""DTLS-SRTP with a real phone that is called: we offer the handshake, it begins it."""

from pathlib import Path

import pytest
from peers import Gateway, running
from phones import phone
from talks import assert_both_heard_each_other, dial, line, talk_and_press

pytestmark = pytest.mark.interop

TONE = 620.0
SIP = """
[sip]
bind = ["udp:127.0.0.1:0"]
[[trunks]]
name = "phones"
hosts = ["127.0.0.1"]
srtp = "required"
srtp_keys = "dtls"
"""


def test_a_called_phone_and_the_agent_hear_each_other_and_each_other_s_keys(
    demo: Gateway, tmp_path: Path
) -> None:
    with phone(tmp_path / "ann", TONE, user="ann", encrypts="dtls_srtp") as ann:
        environment = line(SIP, demo.facts["service"], tmp_path / "calls", ann.uri)
        log = tmp_path / "gateway.log"
        with running(["serve", "--json"], log, environment) as gateway:
            dial(gateway, "ann")
            record = talk_and_press(gateway, ann)
    assert record["media"]["srtp"] == "AEAD_AES_128_GCM"
    assert_both_heard_each_other(record, ann, tmp_path / "calls", TONE)

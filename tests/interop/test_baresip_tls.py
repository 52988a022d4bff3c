"""baresip over TLS: it calls the gateway, is called by our phone, and nobody is who he is not."""

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from peers import TAPPED, Gateway, running
from phones import phone, read_wav
from talks import assert_both_heard_each_other, dial, line, talk_and_press

from gateway.testing.hearing import tone_share

pytestmark = pytest.mark.interop

TONE = 620.0  # Hz: what the phone says

SIP = """
[sip]
bind = ["tls:127.0.0.1:0"]
[sip.tls]
certificate = "{certificate}"
authorities = "{authorities}"
clients = "require"
[[trunks]]
name = "phones"
hosts = ["127.0.0.1"]
srtp = "required"
"""


@contextlib.contextmanager
def gateway(demo: Gateway, folder: Path, authority: Authority, target: str) -> Iterator[Gateway]:
    """Run a gateway that speaks TLS alone, and encrypts every sound."""
    sip = SIP.format(certificate=authority.certificate("127.0.0.1"), authorities=authority.file)
    log = folder / "gateway.log"
    environment = line(sip, demo.facts["service"], folder / "calls", target)
    with running(["serve", "--json"], log, environment) as ours:
        yield ours
    assert "Traceback" not in log.read_text()


def test_a_phone_calls_over_tls_and_is_hung_up_over_its_own_connection(
    demo: Gateway, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    with gateway(demo, tmp_path, authority, "sip:nobody@127.0.0.1") as ours:
        with phone(
            *(tmp_path / "phone", TONE),
            calls=f"sip:demo@127.0.0.1:{ours.sip_port};transport=tls",
            certificate=authority.certificate("phone.example"),
            authorities=authority.file,
            encrypts="srtp-mand",
        ) as caller:
            record = talk_and_press(ours, caller)
        counted = ours.ask("/v1/gateway")["counted"]["sip"]
    assert record["ended_by"] == "gateway"
    assert record["media"]["srtp"] == "AES_CM_128_HMAC_SHA1_80"
    assert (counted["tls_taken"], counted["tls_opened"], counted["tls_broken"]) == (1, 0, 0)
    assert_both_heard_each_other(record, caller, tmp_path / "calls", TONE)


def test_a_phone_is_called_over_tls_and_hears_and_is_heard(demo: Gateway, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own = authority.certificate("127.0.0.1")
    trusts = {"certificate": own, "authorities": authority.file}
    with (
        phone(tmp_path / "ann", TONE, user="ann", encrypts="srtp-mand", **trusts) as ann,
        gateway(demo, tmp_path, authority, ann.tls_uri) as ours,
    ):
        dial(ours, "ann")
        record = talk_and_press(ours, ann)
        counted = ours.ask("/v1/gateway")["counted"]["sip"]
    assert record["ended_by"] == "gateway"
    assert record["media"]["srtp"] == "AEAD_AES_256_GCM"
    assert (counted["tls_taken"], counted["tls_opened"], counted["tls_broken"]) == (0, 1, 0)
    assert_both_heard_each_other(record, ann, tmp_path / "calls", TONE)


def call(uri: str, *options: str) -> tuple[int, dict[str, Any], str]:
    """Call as a user's shell would; return the exit code, the result and what was complained of."""
    done = subprocess.run(
        [sys.executable, str(TAPPED), "call", uri, "--seconds", "3", "--json", *options],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def test_a_phone_is_called_over_tls_by_who_believes_its_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own = authority.certificate("127.0.0.1")
    out = tmp_path / "out.wav"
    with phone(tmp_path / "phone", TONE, certificate=own, encrypts="srtp") as callee:
        believing = ("--authorities", str(authority.file), "--srtp")
        keys = ("--digits", "5@1 #@1.5")
        code, told, _ = call(callee.tls_uri, *believing, *keys, "--record", str(out))
        assert (code, told["status"]) == (0, 200)
        assert told["srtp"] == "AEAD_AES_256_GCM"
        pressed = re.findall("received event: '(.)'", (callee.folder / "log").read_text())
        assert list(dict.fromkeys(pressed)) == ["5", "#"]
        heard = read_wav(out)[8000:, 0]
        assert tone_share(heard, TONE, 8000) > 0.8
        code, told, complaint = call(callee.tls_uri)
        assert (code, told["status"]) == (1, 503)
        assert "an authority that we do not know" in complaint

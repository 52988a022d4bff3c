"""baresip calls the gateway: a real softphone, a sound file in, a recording out."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from peers import Gateway, running
from phones import Phone, phone, read_wav
from voicecodecs.resample import StreamResampler

from gateway.embedded.speech.voice import load_voice
from gateway.testing.hearing import heard_pieces, match, tone_share

pytestmark = pytest.mark.interop

TONE = 620.0  # Hz: what the caller's sound file holds


@contextlib.contextmanager
def calling(
    gateway: Gateway,
    folder: Path,
    codec: str = "pcmu",
    keys: str = "rtpevent",
    encrypts: str = "",
) -> Iterator[Phone]:
    """Run baresip in a call to the gateway until the block ends."""
    uri, way = f"sip:demo@127.0.0.1:{gateway.sip_port}", encrypts
    with phone(folder / "caller", TONE, calls=uri, codec=codec, keys=keys, encrypts=way) as caller:
        yield caller


def said(words: str) -> NDArray[np.int16]:
    """Return words as the agent says them, 8 kHz."""
    speech = np.concatenate(list(load_voice("rms").speak(words)))
    return StreamResampler(24_000, 8000).process(speech)


def keys_heard(record: dict[str, Any]) -> list[str]:
    name = "input_audio_buffer.dtmf_event_received"
    return [e["detail"]["event"] for e in record["timeline"] if e["name"] == name]


RECORDING = """
[sip]
bind = ["udp:127.0.0.1:0"]
[http]
bind = "127.0.0.1:0"
[media]
recordings = "{folder}"
[realtime]
provider = "custom"
url = "{service}"
[call]
greeting = 'Say "Thank you for calling Northwind."'
[barge_in]
by = []
[[rules]]
on = "leg.answered"
do = [{{ record = "start" }}]
"""


@pytest.mark.parametrize(
    ("codec", "encrypts", "suite"),
    [
        ("pcmu", "", ""),
        ("pcma", "srtp-mand", "AES_CM_128_HMAC_SHA1_80"),
        ("pcmu", "dtls_srtp", "AEAD_AES_128_GCM"),
    ],
)
def test_both_sides_hear_each_other(
    demo: Gateway, tmp_path: Path, codec: str, encrypts: str, suite: str
) -> None:
    body = RECORDING.format(folder=tmp_path / "calls", service=demo.facts["service"])
    log = tmp_path / "gateway.log"
    with running(["serve", "--json"], log, {"GATEWAY_CONFIG_BODY": body}) as gateway:
        with calling(gateway, tmp_path, codec, encrypts=encrypts) as caller:
            time.sleep(6)
        (record,) = gateway.new_calls()
    assert record["codec"] == codec.upper()
    assert record["media"]["srtp"] == suite
    assert record["media"]["forged"] <= 2  # its first report and its last go out in the clear
    (heard,) = caller.heard()
    greeting = said("Thank you for calling Northwind.")
    assert match(heard, greeting)[1] > 0.8, "the greeting was not heard"
    (recorded,) = (tmp_path / "calls").glob("*.wav")
    arrived = read_wav(recorded)[8000:, 0]
    assert tone_share(arrived, TONE, 8000) > 0.8, "the caller's sound file did not arrive"


@pytest.mark.parametrize(("keys", "encrypts"), [("rtpevent", "srtp"), ("info", "")])
def test_keys_arrive_by_either_way(demo: Gateway, tmp_path: Path, keys: str, encrypts: str) -> None:
    with calling(demo, tmp_path, keys=keys, encrypts=encrypts) as caller:
        time.sleep(2)
        caller.press("25")
        time.sleep(2)
    (record,) = demo.new_calls()
    assert keys_heard(record) == ["2", "5"]
    assert bool(record["media"]["srtp"]) == bool(encrypts)


def test_a_caller_who_presses_0_is_put_through_and_the_operator_hangs_up(
    demo: Gateway, tmp_path: Path
) -> None:
    demo.forget_calls()
    with calling(demo, tmp_path) as caller:
        demo.wait_for_calls(1)
        time.sleep(2)
        caller.press("0")
        demo.wait_for_calls(2)
        time.sleep(4)
        caller.press("9")
        ended = {record["called"]: record for record in demo.new_calls(2)}
    assert (ended["demo"]["ended_by"], ended["demo"]["reason"]) == ("gateway", "callee hung up")
    assert ended["operator"]["ended_by"] == "gateway"
    assert "the operator speaking" in str(ended["operator"]["transcript"])
    (heard,) = caller.heard()
    pieces = heard_pieces(heard, said("Northwind, the operator speaking."), 8000)
    assert sum(pieces) >= 0.8 * len(pieces), "the operator was not heard"

"""baresip calls the gateway: a real softphone, a sound file in, a recording out."""

import contextlib
import shutil
import subprocess
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from peers import Gateway, free_port, running
from voicecodecs.resample import StreamResampler
from voicecodecs.tones import tone

from gateway.embedded.speech.voice import load_voice
from gateway.testing.hearing import heard_pieces, match, tone_share

pytestmark = pytest.mark.interop

CONFIG = """
poll_method epoll
sip_listen 127.0.0.1:{sip}
call_max_calls 4
audio_path /usr/share/baresip
audio_source aufile,{speech}
audio_level no
ausrc_format s16
auplay_format s16
auenc_format s16
audec_format s16
audio_buffer 20-160
rtp_ports {rtp}-{rtp_end}
rtcp_mux no
jitter_buffer_delay 1-10
net_interface 127.0.0.1
module_path /usr/lib/baresip/modules
module stdio.so
module g711.so
module aufile.so
module sndfile.so
module_tmp uuid.so
module_tmp account.so
module_app contact.so
module_app menu.so
snd_path {folder}
"""
TONE = 620.0  # Hz: what the caller's sound file holds
ACCOUNT = "<sip:bob@127.0.0.1:{sip}>;regint=0;audio_codecs={codec};dtmfmode={mode}\n"


def write_wav(path: Path, pcm: NDArray[np.int16], rate: int = 8000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.tobytes())
    return path


def read_wav(path: Path) -> NDArray[np.int16]:
    """Return the samples of a WAV file, shape (frames, channels)."""
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return samples.reshape(-1, file.getnchannels())


@contextlib.contextmanager
def calling(
    gateway: Gateway, folder: Path, codec: str, mode: str = "rtpevent"
) -> Iterator[subprocess.Popen[str]]:
    """Run baresip in a call to the gateway until the block ends."""
    program = shutil.which("baresip")
    assert program, "baresip is missing: apt-get install baresip-core"
    speech = write_wav(folder / "speech.wav", tone(TONE, 20_000, 8000, -12.0))
    rtp = free_port() // 2 * 2
    (folder / "config").write_text(
        CONFIG.format(sip=free_port(), speech=speech, rtp=rtp, rtp_end=rtp + 100, folder=folder)
    )
    (folder / "accounts").write_text(ACCOUNT.format(sip=free_port(), codec=codec, mode=mode))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [program, "-f", str(folder), "-e", f"d sip:demo@127.0.0.1:{gateway.sip_port}"],
            stdin=subprocess.PIPE, stdout=log, stderr=log, text=True, cwd=folder,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()


def press(process: subprocess.Popen[str], keys: str) -> None:
    assert process.stdin is not None
    for key in keys:
        process.stdin.write(key)
        process.stdin.flush()
        time.sleep(0.4)


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


@pytest.mark.parametrize("codec", ["pcmu", "pcma"])
def test_both_sides_hear_each_other(demo: Gateway, tmp_path: Path, codec: str) -> None:
    body = RECORDING.format(folder=tmp_path / "calls", service=demo.facts["service"])
    log = tmp_path / "gateway.log"
    with running(["serve", "--json"], log, {"GATEWAY_CONFIG_BODY": body}) as gateway:
        with calling(gateway, tmp_path, codec):
            time.sleep(6)
        (record,) = gateway.new_calls()
    assert record["codec"] == codec.upper()
    (heard,) = tmp_path.glob("dump-*-dec.wav")
    greeting = load_voice("rms").speak("Thank you for calling Northwind.")
    wanted = StreamResampler(24_000, 8000).process(np.concatenate(list(greeting)))
    assert match(read_wav(heard)[:, 0], wanted)[1] > 0.8, "the greeting was not heard"
    (recorded,) = (tmp_path / "calls").glob("*.wav")
    caller = read_wav(recorded)[8000:, 0]
    assert tone_share(caller, TONE, 8000) > 0.8, "the caller's sound file did not arrive"


@pytest.mark.parametrize("mode", ["rtpevent", "info"])
def test_keys_arrive_by_either_way(demo: Gateway, tmp_path: Path, mode: str) -> None:
    with calling(demo, tmp_path, "pcmu", mode) as phone:
        time.sleep(2)
        press(phone, "25")
        time.sleep(2)
    (record,) = demo.new_calls()
    assert keys_heard(record) == ["2", "5"]


def test_a_caller_who_presses_0_is_put_through_and_the_operator_hangs_up(
    demo: Gateway, tmp_path: Path
) -> None:
    demo.forget_calls()
    with calling(demo, tmp_path, "pcmu") as phone:
        demo.wait_for_calls(1)
        time.sleep(2)
        press(phone, "0")
        demo.wait_for_calls(2)
        time.sleep(4)
        press(phone, "9")
        ended = {record["called"]: record for record in demo.new_calls(2)}
    assert (ended["demo"]["ended_by"], ended["demo"]["reason"]) == ("gateway", "callee hung up")
    assert ended["operator"]["ended_by"] == "gateway"
    assert "the operator speaking" in str(ended["operator"]["transcript"])
    (heard,) = tmp_path.glob("dump-*-dec.wav")
    greeting = load_voice("rms").speak("Northwind, the operator speaking.")
    wanted = StreamResampler(24_000, 8000).process(np.concatenate(list(greeting)))
    pieces = heard_pieces(read_wav(heard)[:, 0], wanted, 8000)
    assert sum(pieces) >= 0.8 * len(pieces), "the operator was not heard"

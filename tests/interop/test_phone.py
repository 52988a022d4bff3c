"""The gateway's own softphone calls a gateway in another process, as a user's shell would."""

import json
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from peers import TAPPED, Gateway
from voicecodecs.resample import StreamResampler

from gateway.embedded.speech.voice import load_voice
from gateway.testing.hearing import heard_pieces
from gateway.testing.sound import read_recording

pytestmark = pytest.mark.interop


def run(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Run a voice-gateway command and return its exit code and its JSON."""
    done = subprocess.run(
        [sys.executable, str(TAPPED), *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def test_the_self_test_passes() -> None:
    code, told = run("demo", "--self-test", "--json")
    assert (code, told["faults"]) == (0, [])
    assert told["greeting_heard"]
    assert told["language_chosen"]
    assert told["understood"] is not False
    assert told["account_taken"]
    assert told["digits"].endswith("24711#9")
    assert told["operator_heard"]
    assert told["goodbye_heard"]
    assert told["ended_by"] == "gateway"
    assert abs(told["truncate_error_ms"]) <= 20
    assert told["barge_in_stop_ms"] < 500
    assert told["seconds"] < 45


@pytest.mark.parametrize(
    ("dtmf", "options", "suite", "name"),
    [
        ("rfc4733", ["--srtp"], "AEAD_AES_256_GCM", "out.wav"),
        ("info", [], None, "out.opus"),
        ("inband", [], None, "out.wav"),
    ],
)
def test_a_key_is_obeyed_and_the_recording_is_intelligible(
    demo: Gateway, tmp_path: Path, dtmf: str, options: list[str], suite: str | None, name: str
) -> None:
    out = tmp_path / name
    uri = f"sip:demo@127.0.0.1:{demo.sip_port}"
    code, told = run(
        "call", uri, "--digits", "1@3.0", "--seconds", "8", "--dtmf", dtmf,
        "--record", str(out), "--json", *options,
    )  # fmt: skip
    assert code == 0
    assert told["srtp"] == suite
    assert told["packets_lost"] == 0
    assert told["codec"] == "PCMU"
    recorded = read_recording(out)
    menu = np.concatenate(list(load_voice("rms").speak("For sales, press 1 or say sales.")))
    wanted = StreamResampler(24_000, recorded.rate).process(menu)
    pieces = heard_pieces(recorded.sides[0], wanted, recorded.rate)
    assert sum(pieces) >= 0.8 * len(pieces)


def test_a_refusal_is_told_with_its_status(demo: Gateway) -> None:
    code, told = run("call", f"sip:nobody@127.0.0.1:{demo.sip_port}", "--json")
    assert (code, told["status"]) == (1, 404)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_hangs_up_and_keeps_what_there_is(
    demo: Gateway, tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "out.wav"
    demo.forget_calls()
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "call", f"sip:demo@127.0.0.1:{demo.sip_port}",
         "--record", str(out), "--seconds", "30", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        demo.wait_for_calls(1)
        time.sleep(2.0)
        process.send_signal(number)
        told, _ = process.communicate(timeout=15)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert json.loads(told)["ended_by"] == "caller"
    with wave.open(str(out)) as file:
        assert file.getnframes() / file.getframerate() > 1.0
    (record,) = demo.new_calls()
    assert record["ended_by"] == "caller"


def test_many_keys_are_all_pressed_before_the_call_ends(demo: Gateway) -> None:
    digits = "*" * 20
    demo.forget_calls()
    code, told = run("call", f"sip:demo@127.0.0.1:{demo.sip_port}", "--digits", digits, "--json")
    assert code == 0
    assert told["seconds"] > 4.0
    (record,) = demo.new_calls()
    pressed = [e for e in record["timeline"] if e["name"] == "key.pressed"]
    assert len(pressed) == 20

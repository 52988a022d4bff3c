"""sipp calls the gateway: the field's own load and conformance tool."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peers import Gateway, Sipp, running
from voicecodecs import g711
from voicecodecs.tones import tone

pytestmark = pytest.mark.interop


OPERATOR = """
[targets]
operator = "sip:operator@127.0.0.1:9"
[[rules]]
on = "input_audio_buffer.dtmf_event_received"
digit = "0"
do = { transfer = "operator" }
"""


def keys_heard(record: dict[str, Any]) -> list[str]:
    name = "input_audio_buffer.dtmf_event_received"
    return [e["detail"]["event"] for e in record["timeline"] if e["name"] == name]


def test_sipps_own_caller_is_answered_and_let_go(demo: Gateway, sipp: Sipp) -> None:
    sipp(demo, "uac", "-d", "1500")
    (record,) = demo.new_calls()
    assert record["ended_by"] == "caller"


def test_speech_and_keys_by_rfc_4733_and_by_info(demo: Gateway, sipp: Sipp, tmp_path: Path) -> None:
    speech = tone(440.0, 10_000, 8000, -20.0)
    (tmp_path / "speech.ul").write_bytes(bytes(g711.encode_ulaw(speech)))
    sipp(demo, "digits")
    (record,) = demo.new_calls()
    assert keys_heard(record) == ["1", "2", "3", "4"]


def test_a_probe_is_answered(demo: Gateway) -> None:
    program = shutil.which("sipsak")
    assert program, "sipsak is missing: apt-get install sipsak"
    uri = f"sip:demo@127.0.0.1:{demo.sip_port}"
    probe = subprocess.run([program, "-vv", "-s", uri], capture_output=True, text=True, timeout=30)
    assert probe.returncode == 0, probe.stdout
    assert "200 OK" in probe.stdout
    assert "Allow: INVITE" in probe.stdout


def test_tcp_carries_a_call_as_well(demo: Gateway, sipp: Sipp) -> None:
    sipp(demo, "uac", "-d", "500", "-t", "t1")
    (record,) = demo.new_calls()
    assert record["ended_by"] == "caller"


def test_hold_and_resume_mirror_the_direction(demo: Gateway, sipp: Sipp) -> None:
    sipp(demo, "hold")
    (record,) = demo.new_calls()
    assert record["ended_by"] == "caller"


def test_a_call_without_an_offer_gets_one(demo: Gateway, sipp: Sipp) -> None:
    sipp(demo, "late_offer")
    (record,) = demo.new_calls()
    assert record["media"]["packets_sent"] > 40


def test_a_session_is_refused_when_too_short_refreshed_and_changed_by_update(
    demo: Gateway, sipp: Sipp
) -> None:
    sipp(demo, "session_timer")
    (record,) = demo.new_calls()
    assert (record["ended_by"], record["q850"]) == ("caller", 16)
    held = [e["detail"] for e in record["timeline"] if e["name"] == "leg.held"]
    assert held == [{"is_held": True}, {"is_held": False}]


@pytest.fixture
def referring(demo: Gateway, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway that sends callers who press 0 to an operator elsewhere."""
    service = f'[realtime]\nprovider = "custom"\nurl = "{demo.facts["service"]}"'
    with running(["serve", "--json"], tmp_path / "log", settings(service + OPERATOR)) as gateway:
        yield gateway


def test_a_caller_is_referred_to_the_operator_and_let_go(referring: Gateway, sipp: Sipp) -> None:
    sipp(referring, "transfer")
    (record,) = referring.new_calls()
    assert record["ended_by"] == "gateway"
    ended = [e["detail"] for e in record["timeline"] if e["name"] == "transfer.ended"]
    assert ended == [{"is_accepted": True, "status": 200}]


def test_a_caller_whose_transfer_fails_is_taken_back(referring: Gateway, sipp: Sipp) -> None:
    sipp(referring, "transfer_refused")
    (record,) = referring.new_calls()
    assert record["ended_by"] == "caller"
    names = [e["name"] for e in record["timeline"]]
    after = names[names.index("transfer.ended") :]
    assert "output_audio_buffer.started" in after, "the failure was not explained"


def test_no_codec_in_common_is_refused(demo: Gateway, sipp: Sipp) -> None:
    sipp(demo, "no_codec")


def test_an_unknown_user_is_not_found(demo: Gateway, sipp: Sipp) -> None:
    sipp(demo, "unknown_user", user="nobody")


def test_fifty_callers_at_once_are_all_served(demo: Gateway, sipp: Sipp) -> None:
    sipp(demo, "uac", "-m", "50", "-l", "50", "-r", "50", "-d", "4000")
    records = demo.new_calls(50, timeout=30)
    assert {r["ended_by"] for r in records} == {"caller"}
    assert min(r["media"]["packets_sent"] for r in records) > 100


SERVICE = '[realtime]\nprovider = "custom"\nurl = "ws://127.0.0.1:{}/v1/realtime"'


def settings(body: str) -> dict[str, str]:
    return {
        "GATEWAY_CONFIG_BODY": f"""
            [sip]
            bind = ["udp:127.0.0.1:0"]
            [http]
            bind = "127.0.0.1:0"
            {body}
        """
    }


def test_a_caller_who_gives_up_while_it_rings_gets_487(
    sipp: Sipp, tmp_path: Path, silent_service: int
) -> None:
    body = SERVICE.format(silent_service)
    with running(["serve", "--json"], tmp_path / "log", settings(body)) as gateway:
        sipp(gateway, "cancel", "-d", "300")
        (record,) = gateway.new_calls()
        assert record["ended_by"] == "caller"


def test_a_caller_who_requires_it_is_rung_reliably(
    sipp: Sipp, tmp_path: Path, silent_service: int
) -> None:
    body = SERVICE.format(silent_service)
    with running(["serve", "--json"], tmp_path / "log", settings(body)) as gateway:
        sipp(gateway, "rings_reliably")
        (record,) = gateway.new_calls()
        assert record["ended_by"] == "caller"


def test_a_gateway_without_its_service_refuses_with_503(
    sipp: Sipp, tmp_path: Path, closed_port: int
) -> None:
    body = SERVICE.format(closed_port)
    with running(["serve", "--json"], tmp_path / "log", settings(body)) as gateway:
        sipp(gateway, "unavailable")


def test_a_full_gateway_refuses_with_503(sipp: Sipp, tmp_path: Path, silent_service: int) -> None:
    body = SERVICE.format(silent_service) + "\n[limits]\nmax_calls = 1"
    with running(["serve", "--json"], tmp_path / "log", settings(body)) as gateway:
        with sipp.started(gateway, "cancel", "-d", "3000"):
            gateway.wait_for_calls(1)
            sipp(gateway, "unavailable")
        (record,) = gateway.new_calls()
        assert record["ended_by"] == "caller"


def test_a_draining_gateway_finishes_its_calls_and_refuses_new_ones(
    demo: Gateway, sipp: Sipp, tmp_path: Path
) -> None:
    body = f'[realtime]\nprovider = "custom"\nurl = "{demo.facts["service"]}"'
    with running(["serve", "--json"], tmp_path / "log", settings(body)) as gateway:
        with sipp.started(gateway, "uac", "-d", "4000"):
            gateway.wait_for_calls(1)
            gateway.process.terminate()
            gateway.wait_for_draining()
            sipp(gateway, "unavailable")
        assert gateway.process.wait(20) == 0

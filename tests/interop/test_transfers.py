"""Transfers between real phones: baresip and sipp as callers and as those who are called."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from peers import Gateway, Sipp, free_port, running
from phones import Phone, phone

from gateway.testing.hearing import tone_share

pytestmark = pytest.mark.interop

CALLER, CALLEE = 620.0, 880.0  # Hz
_HEARD = 0.9  # of the energy
_END, _PIECE = 12_000, 800  # samples at 8 kHz
CONFIG = """
[sip]
bind = ["udp:127.0.0.1:0"]
[http]
bind = "127.0.0.1:0"
[realtime]
provider = "custom"
url = "{service}"
[call]
greet = false
transfer_seconds = {patience}
[dial]
answering_machine = false
[targets.operator]
uri = "{target}"
seconds = {patience}
{more}
[[rules]]
on = "input_audio_buffer.dtmf_event_received"
digit = "0"
do = {{ transfer = "operator" }}
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An embedded service for all tests; its address."""
    log = tmp_path_factory.mktemp("service") / "log"
    with running(["embedded", "--port", "0", "--json"], log) as embedded:
        yield embedded.facts["url"]


@contextlib.contextmanager
def gateway(
    folder: Path, service: str, target: str, more: str, patience: float = 20.0
) -> Iterator[Gateway]:
    body = CONFIG.format(service=service, target=target, more=more, patience=patience)
    with running(["serve", "--json"], folder / "gateway", {"GATEWAY_CONFIG_BODY": body}) as ours:
        yield ours
        assert "Traceback" not in ours.log.read_text()


def names(record: dict[str, Any]) -> list[str]:
    return [entry["name"] for entry in record["timeline"]]


def details(record: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [entry["detail"] for entry in record["timeline"] if entry["name"] == name]


def explained(record: dict[str, Any]) -> str:
    """Return what the model was told of a transfer that came to nothing."""
    told = [str(e) for e in record["timeline"] if e["name"] == "conversation.item.create"]
    return next((text for text in told if "The transfer to operator failed" in text), "")


def heard(phone: Phone, hertz: float) -> bool:
    """Tell whether a phone heard a tone at the end of the last of its calls.

    By the middle one of many short pieces: on a busy machine a frame is left out now and then,
    and the tone goes on in another phase.
    """
    recording = phone.heard()[-1][-_END:]
    pieces = [recording[start : start + _PIECE] for start in range(0, _END - _PIECE, _PIECE)]
    return float(np.median([tone_share(piece, hertz, 8000) for piece in pieces])) > _HEARD


def press_zero_from(ours: Gateway, folder: Path, until: str, seconds: float = 2.0) -> Phone:
    """Call, press 0, stay until something happens, and for so long after it."""
    with phone(folder, CALLER, calls=f"sip:demo@127.0.0.1:{ours.sip_port}") as caller:
        ours.wait_for_calls(1)
        wait_for(ours, "leg.answered")
        time.sleep(0.5)
        caller.press("0")
        wait_for(ours, until)
        time.sleep(seconds)
    return caller


def wait_for(ours: Gateway, name: str, within: float = 20.0) -> None:
    """Wait until the timeline of the only call has this entry."""
    deadline = time.monotonic() + within
    (call,) = ours.ask("/v1/calls")["calls"]
    while time.monotonic() < deadline:
        record = ours.ask(f"/v1/calls/{call['call_id']}")
        if name in names(record):
            return
        time.sleep(0.1)
    ended = details(record, "callee.ended")
    raise AssertionError(f"{name} did not happen: {ended} {names(record)}\n{ours.tail()}")


def test_two_phones_are_bridged_and_hear_each_other(tmp_path: Path, service: str) -> None:
    with (
        phone(tmp_path / "callee", CALLEE, user="operator") as callee,
        gateway(tmp_path, service, callee.uri, 'mode = "bridge"') as ours,
    ):
        caller = press_zero_from(ours, tmp_path / "caller", "Patch", 4.0)
        (record,) = ours.new_calls()
    assert record["ended_by"] == "caller"
    assert details(record, "Patch") == [{"line": "bridge"}]
    assert heard(caller, CALLEE)
    assert heard(callee, CALLER)
    assert len(callee.heard()) == 1, "the callee was let go with the caller"


def test_a_phone_is_referred_to_another_and_speaks_with_it(tmp_path: Path, service: str) -> None:
    with (
        phone(tmp_path / "callee", CALLEE, user="operator") as callee,
        gateway(tmp_path, service, callee.uri, 'mode = "blind"') as ours,
    ):
        caller = press_zero_from(ours, tmp_path / "caller", "transfer.ended")
        (record,) = ours.new_calls()
    assert details(record, "transfer.ended") == [{"is_accepted": True, "status": 200}]
    assert record["ended_by"] == "gateway"
    assert heard(caller, CALLEE)
    assert heard(callee, CALLER)


def test_a_human_is_told_first_and_then_speaks_with_the_caller(
    tmp_path: Path, service: str
) -> None:
    more = 'mode = "attended"\nwhisper = "Somebody calls about a chair."'
    with (
        phone(tmp_path / "callee", CALLEE, user="operator") as callee,
        gateway(tmp_path, service, callee.uri, more) as ours,
    ):
        caller = press_zero_from(ours, tmp_path / "caller", "transfer.ended")
        (record,) = ours.new_calls()
    assert details(record, "Patch") == [{"line": "consult"}]
    referred = {"target": callee.uri, "is_attended": True, "name": "operator"}
    assert details(record, "Refer") == [referred]
    assert details(record, "transfer.ended") == [{"is_accepted": True, "status": 200}]
    whisper = callee.heard()[0]
    assert abs(whisper.astype(int)).max() > 1000, "the callee was told something"
    assert tone_share(whisper, CALLER, 8000) < 0.01, "not by the caller"
    assert heard(caller, CALLEE)
    assert heard(callee, CALLER)


def test_who_can_replace_us_is_told_whose_place_to_take(
    tmp_path: Path, service: str, sipp: Sipp
) -> None:
    more = 'mode = "attended"\nwhisper = "A chair."'
    with (
        phone(tmp_path / "callee", CALLEE, user="operator") as callee,
        gateway(tmp_path, service, callee.uri, more) as ours,
    ):
        sipp(ours, "transfer_replaces")
        (record,) = ours.new_calls()
    assert details(record, "transfer.ended") == [{"is_accepted": True, "status": 200}]
    assert record["ended_by"] == "gateway"


@pytest.mark.parametrize("mode", ["blind", "bridge"])
@pytest.mark.parametrize(("status", "why"), [(486, "busy"), (603, "declined")])
def test_a_caller_is_taken_back_from_who_refuses(
    tmp_path: Path, service: str, sipp: Sipp, mode: str, status: int, why: str
) -> None:
    with (
        sipp.called("refuses", status=str(status)) as target,
        gateway(tmp_path, service, target, f'mode = "{mode}"') as ours,
    ):
        press_zero_from(ours, tmp_path / "caller", "output_audio_buffer.started")
        (record,) = ours.new_calls()
    assert why in explained(record)
    assert record["ended_by"] == "caller"
    after = names(record)[names(record).index("conversation.item.create") :]
    assert "output_audio_buffer.started" in after, "the agent speaks with the caller again"


@pytest.mark.parametrize("mode", ["blind", "bridge"])
def test_a_caller_is_taken_back_from_who_never_answers(
    tmp_path: Path, service: str, sipp: Sipp, mode: str
) -> None:
    with (
        sipp.called("rings") as target,
        gateway(tmp_path, service, target, f'mode = "{mode}"', patience=3.0) as ours,
    ):
        press_zero_from(ours, tmp_path / "caller", "conversation.item.create")
        (record,) = ours.new_calls()
    assert "nobody answered" in explained(record)
    assert record["ended_by"] == "caller"


@pytest.mark.parametrize("mode", ["blind", "bridge"])
def test_a_caller_is_taken_back_from_where_nobody_is(
    tmp_path: Path, service: str, mode: str
) -> None:
    target = f"sip:nobody@127.0.0.1:{free_port()}"
    with gateway(tmp_path, service, target, f'mode = "{mode}"', patience=3.0) as ours:
        press_zero_from(ours, tmp_path / "caller", "conversation.item.create")
        (record,) = ours.new_calls()
    assert explained(record)
    assert record["ended_by"] == "caller"

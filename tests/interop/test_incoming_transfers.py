"""Neighbours who transfer us: sipp sends us elsewhere, or comes into the place of another."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from peers import Gateway, Sipp, running
from phones import phone

pytestmark = pytest.mark.interop

CONFIG = """
[sip]
bind = ["udp:127.0.0.1:0"]
[[trunks]]
name = "pbx"
hosts = ["127.0.0.0/8"]
accepts_transfer = true
headers = ["X-Account"]
[http]
bind = "127.0.0.1:0"
[realtime]
provider = "custom"
url = "{service}"
[call]
greet = false
[dial]
allow = ["sip:colleague@127.0.0.1:*"]
[[rules]]
on = "leg.moved"
do = {{ say = "Hello, I was just talking to somebody else." }}
"""


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose neighbours may transfer it, and its service."""
    folder = tmp_path_factory.mktemp("gateway")
    with running(["embedded", "--port", "0", "--json"], folder / "service") as embedded:
        env = {"GATEWAY_CONFIG_BODY": CONFIG.format(service=embedded.facts["url"])}
        with running(["serve", "--json"], folder / "gateway", env) as gateway:
            yield gateway
            assert "Traceback" not in gateway.log.read_text()


def moves(record: dict[str, Any]) -> list[tuple[str, int]]:
    details = (e["detail"] for e in record["timeline"] if e["name"] == "leg.moved")
    return [(detail["party"], detail["status"]) for detail in details]


def test_the_agent_goes_on_with_whom_a_caller_sends_it_to(
    ours: Gateway, sipp: Sipp, tmp_path: Path
) -> None:
    with phone(tmp_path / "colleague", 880.0, user="colleague") as colleague:
        sipp(ours, "sends_elsewhere", "-key", "target", colleague.uri)
        ours.wait_for_calls(1)
        time.sleep(2.0)
        (call,) = (c for c in ours.ask("/v1/calls")["calls"] if c["ended_by"] is None)
    (record,) = ours.new_calls()
    assert record["call_id"] == call["call_id"], "it is still the same call"
    assert moves(record) == [("colleague", 200)]
    assert int(np.abs(colleague.heard()[-1].astype(int)).max()) > 1000, "they heard the agent"
    assert record["media"]["packets_received"] > 50, "and the agent them, for sipp said nothing"


def test_a_caller_whose_colleague_is_busy_is_told_and_stays(ours: Gateway, sipp: Sipp) -> None:
    with sipp.called("refuses", status="486") as target:
        sipp(ours, "sends_elsewhere", "-key", "target", target.replace("operator", "colleague"))
    (record,) = ours.new_calls()
    assert moves(record) == [("colleague", 486)]
    assert record["ended_by"] == "caller"


def test_nobody_is_called_who_is_on_no_list(ours: Gateway, sipp: Sipp) -> None:
    sipp(ours, "sends_astray", "-key", "target", "sip:+19005550100@127.0.0.1:9")
    (record,) = ours.new_calls()
    assert moves(record) == []
    assert record["ended_by"] == "caller"


def test_an_attended_transfer_into_the_gateway_goes_on_with_the_same_agent(
    ours: Gateway, sipp: Sipp, tmp_path: Path
) -> None:
    with sipp.started(ours, "is_replaced", "-trace_logs"):
        named = named_in(tmp_path)
        sipp(ours, "replaces", "-key", "replaces", named)
    (record,) = ours.new_calls()
    assert moves(record) == [("caller", 200)]
    assert record["ended_by"] == "caller"
    assert record["media"]["packets_sent"] > 50
    (started,) = (e["detail"] for e in record["timeline"] if e["name"] == "call.started")
    assert started["variables"] == {"caller_name": "caller", "header.x-account": "4711"}
    sipp(ours, "replaces_nobody", "-key", "replaces", "nobody@127.0.0.1;to-tag=1;from-tag=2")


def named_in(folder: Path, within: float = 15.0) -> str:
    """Return how sipp wrote in its log that its call is named."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        text = "".join(path.read_text() for path in folder.glob("**/is_replaced_*_logs.log"))
        if found := re.search(r"Replaces: (\S+)", text):
            return found[1]
        time.sleep(0.05)
    raise AssertionError("sipp did not get through")

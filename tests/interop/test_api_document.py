"""The API does what its document says, whatever it is asked: Schemathesis makes up the requests."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers import Gateway, running

pytestmark = pytest.mark.interop

TOKEN = "a-token-of-the-tests"
CONFIG = """
[sip]
bind = ["udp:127.0.0.1:0"]
[http]
bind = "127.0.0.1:0"
token_env = "DIAL_TOKEN"
[realtime]
provider = "custom"
url = "ws://127.0.0.1:1/v1/realtime"
[targets]
ann = "sip:ann@127.0.0.1:9"
"""

# Whether there is such a profile, whether a key is new, and what an offer is, no schema can say.
JUDGE = """
hooks = "hooks.py"
[[operations]]
include-name = "POST /v1/calls"
checks.positive_data_acceptance.expected-statuses = ["2xx", 403, 409, 422, 502, 503]
[[operations]]
include-name = "POST /whip"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 404, 406, 422, 429]
"""
HOOKS = """
import schemathesis

@schemathesis.serializer("application/sdp", "application/trickle-ice-sdpfrag")
def as_it_is(ctx, value):
    return str(value).encode(errors="replace")
"""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    env = {"GATEWAY_CONFIG_BODY": CONFIG, "DIAL_TOKEN": TOKEN}
    with running(["serve", "--json"], tmp_path / "log", env) as running_one:
        yield running_one


def test_what_is_told_of_the_api_is_what_it_does(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(JUDGE)
    (tmp_path / "hooks.py").write_text(HOOKS)
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{gateway.facts['page']}openapi.json",
        "--header", f"Authorization: Bearer {TOKEN}",
        "--exclude-path", "/v1/events",  # it has no end to wait for: test_event_stream.py asks
        "--checks", "all", "--continue-on-failure", "--max-examples", "4", "--seed", "1",
        "--request-timeout", "10", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fault while answering" not in gateway.log.read_text()

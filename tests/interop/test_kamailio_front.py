"""Two gateways behind Kamailio's dispatcher, as ``sip_configs/kamailio`` offers it."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from peers import SCENARIOS, Gateway, free_port, running

pytestmark = pytest.mark.interop

OFFERED = Path(__file__).parents[2] / "sip_configs" / "kamailio"


@dataclass
class Front:
    """A running Kamailio, the gateways behind it, and what callers saw."""

    port: int
    folder: Path
    one: Gateway
    two: Gateway

    def states(self) -> str:
        """Return how the dispatcher sees the gateways, the first named first: ``AP AP``."""
        command = ["kamcmd", "-s", f"unix:{self.folder}/ctl", "dispatcher.list"]
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=5)
        return " ".join(re.findall(r"FLAGS: (\S+)", told.stdout))

    def wait_for(self, states: str, timeout: float = 20.0) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if sorted(self.states().split()) == sorted(states.split()):
                return
            time.sleep(0.2)
        raise AssertionError(f"the dispatcher has {self.states()}, not {states}")

    @contextlib.contextmanager
    def load(self, calls: int, rate: int, seconds: float) -> Iterator[dict[str, int]]:
        """Have sipp place calls beside the block; what came of them is there at its end."""
        program = shutil.which("sipp")
        assert program, "sipp is missing: apt-get install sip-tester"
        command = [
            program, "-sf", str(SCENARIOS / "through_front.xml"), "-s", "demo",
            "-m", str(calls), "-r", str(rate), "-d", str(int(seconds * 1000)),
            "-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", str(free_port()),
            "-mp", str(free_port(16)), "-nostdin", "-timeout", "60s",
            f"127.0.0.1:{self.port}",
        ]  # fmt: skip
        process = subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        came_of: dict[str, int] = {}
        try:
            yield came_of
            output, _ = process.communicate(timeout=90)
            for name in ("Successful", "Failed"):
                counts = re.findall(rf"{name} call\s*\|\s*\d+\s*\|\s*(\d+)", output)
                came_of[name.lower()] = int(counts[-1])
        finally:
            process.kill()
            process.communicate()


@pytest.fixture
def front(demo: Gateway, tmp_path: Path) -> Iterator[Front]:
    port = free_port()
    (tmp_path / "run").mkdir()
    with contextlib.ExitStack() as stack:
        gateways = [
            stack.enter_context(
                running(["serve", "--json"], tmp_path / name, settings(demo, ports))
            )
            for name, ports in (("one.log", "11000-11399"), ("two.log", "11400-11799"))
        ]
        places = (OFFERED / "dispatcher.list").read_text()
        for host, gateway in zip(("10.0.0.11", "10.0.0.12"), gateways, strict=True):
            places = places.replace(f"{host}:5060", f"127.0.0.1:{gateway.sip_port}")
        (tmp_path / "dispatcher.list").write_text(places)
        text = (OFFERED / "kamailio.cfg").read_text()
        for offered, ours in {
            "10.0.0.10:5060": f"127.0.0.1:{port}",
            "10.0.0.10": "127.0.0.1",
            "/etc/kamailio/dispatcher.list": str(tmp_path / "dispatcher.list"),
            "/run/kamailio/ctl": str(tmp_path / "ctl"),
            "log_stderror=no": "log_stderror=yes",
        }.items():
            assert offered in text
            text = text.replace(offered, ours)
        (tmp_path / "kamailio.cfg").write_text(text)
        stack.enter_context(kamailio(tmp_path))
        found = Front(port, tmp_path, *gateways)
        found.wait_for("AP AP")
        yield found


def settings(demo: Gateway, ports: str) -> dict[str, str]:
    """Return the environment of a gateway that shares the demo's service."""
    body = f'''
    [sip]
    bind = ["udp:127.0.0.1:0"]
    [media]
    ports = "{ports}"
    [http]
    bind = "127.0.0.1:0"
    [realtime]
    provider = "custom"
    url = "{demo.facts["service"]}"
    '''
    return {"GATEWAY_CONFIG_BODY": body}


@contextlib.contextmanager
def kamailio(folder: Path) -> Iterator[None]:
    program = shutil.which("kamailio") or "/usr/sbin/kamailio"
    command = [
        program, "-DD", "-E", "-f", str(folder / "kamailio.cfg"), "-w", str(folder),
        "-P", str(folder / "pid"), "-Y", str(folder / "run"), "-m", "64", "-M", "8",
    ]  # fmt: skip
    with (folder / "kamailio.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(10)


def test_a_gateway_that_dies_under_load_takes_only_its_own_calls_with_it(front: Front) -> None:
    with front.load(40, rate=10, seconds=0.2) as came_of:
        time.sleep(2.0)
        assert len(front.one.ask("/v1/calls")["calls"]) >= 3
        os.kill(front.one.process.pid, signal.SIGKILL)
    # A call that the dead one had begun to answer dies with it; every other was taken.
    assert came_of["failed"] <= 1
    assert came_of["successful"] >= 39
    taken = len(front.two.new_calls(20))
    assert taken >= 25, "those of the second half, and its share of the first"
    with front.load(10, rate=10, seconds=0.2) as after:
        pass
    assert after == {"successful": 10, "failed": 0}


def test_a_gateway_that_drains_ends_its_call_and_gets_no_other(front: Front) -> None:
    with front.load(4, rate=10, seconds=6.0) as long_ones:
        front.one.wait_for_calls(1)
        front.two.wait_for_calls(1)
        front.one.process.send_signal(signal.SIGTERM)
        front.one.wait_for_draining()
        taken = len(front.one.ask("/v1/calls")["calls"])
        with front.load(10, rate=10, seconds=0.2) as short_ones:
            pass
        assert short_ones == {"successful": 10, "failed": 0}
        assert len(front.one.ask("/v1/calls")["calls"]) == taken
    assert long_ones == {"successful": 4, "failed": 0}

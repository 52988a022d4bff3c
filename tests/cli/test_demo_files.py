"""The demo is a configuration: it goes wherever the program goes."""

import tomllib
from pathlib import Path

import pytest

from gateway.cli.line import LinkKind, demo_folder, recorded
from gateway.config import Settings
from gateway.control.actions import Record
from gateway.testing.flow import Flow

ROOT = Path(__file__).parents[2]


def test_a_checkout_runs_the_files_that_are_to_be_read_and_changed() -> None:
    assert demo_folder() == ROOT / "sip_configs" / "demo"
    assert {path.name for path in demo_folder().iterdir()} == {"gateway.toml", "agent.toml"}


def test_a_wheel_holds_them_where_they_are_looked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {"sip_configs/demo": "gateway/sip_configs/demo"}


def test_the_image_is_built_with_them() -> None:
    assert "COPY sip_configs/demo /src/sip_configs/demo" in (ROOT / "Dockerfile").read_text()
    assert "!sip_configs/demo" in (ROOT / ".dockerignore").read_text().splitlines()


@pytest.mark.parametrize("link", ["websocket", "webrtc", "sideband"])
def test_calls_from_the_page_are_recorded_whatever_the_link(link: LinkKind) -> None:
    flow = Flow(recorded(Settings(), "/tmp/demo", link))
    flow.called = "web"
    flow.start()
    flow.run(2.0)
    assert flow.did(Record) == [Record("start")]


def test_a_call_that_the_service_holds_is_not_tried_to_be_recorded() -> None:
    flow = Flow(recorded(Settings(), "/tmp/demo", "sideband"), "sip")
    flow.start()
    flow.run(2.0)
    assert not flow.did(Record)

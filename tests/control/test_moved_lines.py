"""Somebody else comes on the line, and the agent is told who it is."""

import pytest

from gateway.config import load
from gateway.control import CallState
from gateway.control.events import LegMoved, LegReferred
from gateway.control.settings import ControlSettings
from gateway.errors import ConfigError
from gateway.realtime.commands import ConversationItemCreate
from gateway.testing.flow import Flow
from tests.control.call_scenes import talking


def told(flow: Flow) -> list[str]:
    return [str(sent.item) for sent in flow.sent(ConversationItemCreate)]


def test_who_takes_the_callers_place_is_the_caller_from_then_on() -> None:
    flow = talking()
    flow.post(LegReferred("sip:colleague@pbx.example"))
    flow.post(LegMoved("colleague"))
    flow.run(1)
    assert "colleague is on the line now, in the place of the caller" in told(flow)[-1]
    assert flow.variable("caller") == "colleague"
    assert flow.controller.state is CallState.TALKING


def test_who_takes_the_callees_place_is_told_and_is_not_the_caller() -> None:
    flow = talking()
    before = flow.variable("caller")
    flow.post(LegMoved("colleague", leg="callee"))
    flow.run(1)
    assert "in the place of the other side" in told(flow)[-1]
    assert flow.variable("caller") == before


def test_of_somebody_who_did_not_come_the_agent_hears_nothing() -> None:
    flow = talking()
    before = (told(flow), flow.variable("caller"))
    flow.post(LegMoved("colleague", 486))
    flow.run(1)
    assert (told(flow), flow.variable("caller")) == before


TRUNK = """
[[trunks]]
name = "pbx"
hosts = "192.0.2.1"
headers = ["X-Account"]
[call]
goodbye = "Bye {%s}."
"""


def test_a_text_may_name_headers_that_a_trunk_lets_through_and_no_others() -> None:
    def check(name: str) -> None:
        ControlSettings.of(load(None, {"GATEWAY_CONFIG_BODY": TRUNK % name}))

    check("header.x-account")
    check("caller_name")
    with pytest.raises(ConfigError, match=r"nothing sets the variable 'header\.x-other'"):
        check("header.x-other")

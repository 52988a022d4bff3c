"""What the document shows of flows does what it says there."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.config import load
from gateway.control import CallState
from gateway.control.actions import Reject
from gateway.testing.flow import Flow
from tests.control.call_scenes import state

TEXT = (Path(__file__).parents[2] / "docs" / "call-flows.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
RULES = next(text for text in EXAMPLES if "closed at night" in text)
MONDAY = datetime(2027, 1, 18, tzinfo=UTC).timestamp()
HOUR = 3600


@pytest.mark.parametrize("day", range(7), ids=["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
def test_the_line_that_is_closed_at_night_is_open_by_day_from_monday_to_friday(day: int) -> None:
    text = f'[targets]\noperator = "sip:operator@pbx.example"\n{RULES}'
    settings = load(None, {"GATEWAY_CONFIG_BODY": text})
    for hour in (0, 3, 7.99, 8, 12, 17.99, 18, 23.99):
        flow = Flow(settings, unix_time=MONDAY + (24 * day + hour) * HOUR)
        flow.start()
        flow.run(1)
        is_open = day < 5 and 8 <= hour < 18
        assert flow.did(Reject) == ([] if is_open else [Reject(480)]), hour
        assert (state(flow) is CallState.TALKING) is is_open

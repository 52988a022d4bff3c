"""A supervisor at the console, and a caller at the page: who hears whom, and who ends the call."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import ALIKE_BY_MICROPHONE, Chromium, chromium
from browser_calls import MENU, after_a_pause, button, call_silently, phrase, said, spoken, state
from peers import Gateway
from playwright.sync_api import expect

pytestmark = pytest.mark.interop

CALLER = phrase("wait-hold-on-a-second-please")
SUPERVISOR = phrase("yes-please")
OPERATOR = "Northwind, the operator speaking. Press 9 to hang up."


@pytest.fixture
def browsers(tmp_path: Path) -> Iterator[tuple[Chromium, Chromium]]:
    """The caller's, and the supervisor's."""
    with (
        chromium(after_a_pause(CALLER, tmp_path)) as caller,
        caller.another(SUPERVISOR) as supervisor,
    ):
        yield caller, supervisor


def test_a_supervisor_listens_whispers_takes_over_transfers_and_hangs_up(
    demo: Gateway, browsers: tuple[Chromium, Chromium]
) -> None:
    caller, supervisor = browsers
    console = f"{demo.facts['page']}console#token={demo.facts['token']}"
    demo.forget_calls()
    with caller.visit(demo.facts["open"]) as phone, supervisor.visit(console) as desk:
        told = desk.page.locator("#supervised")
        call_silently(phone)
        desk.page.get_by_role("table", name="Live").get_by_role("link").first.click()
        button(desk, "Listen").click()
        expect(told).to_have_text("You are listening. Nobody hears you.")
        button(phone, "1").click()
        desk.hears(spoken(MENU), least=0.4)  # it is said once
        desk.page.get_by_label("Whisper to the agent").fill("Offer a chair.")
        button(desk, "Whisper").click()
        expect(told).to_have_text("The agent was told.")
        phone.forget_sound()
        button(desk, "Take over").click()
        phone.hears(said(SUPERVISOR), alike=ALIKE_BY_MICROPHONE)
        button(phone, "Mute").click()  # the agent takes no words for a wish meanwhile
        desk.hears(said(CALLER), alike=ALIKE_BY_MICROPHONE)
        button(phone, "Mute").click()

        phone.forget_sound()
        desk.forget_sound()
        desk.page.get_by_label("Transfer to").select_option("operator")
        button(desk, "Transfer").click()
        for both in (phone, desk):
            both.hears(spoken(OPERATOR), least=0.4)
        button(desk, "Hang up").click()
        phone.until(lambda: state(phone) == "ended")
        assert "The gateway ended the call." in phone.page.inner_text("#detail")
        expect(desk.page.get_by_role("region", name="Supervision")).to_be_hidden()

    record = next(call for call in demo.new_calls(2) if call["called"] == "web")
    asked = [(e["name"], e["by"]) for e in record["timeline"] if e["kind"] == "request"]
    assert {name for name, _ in asked} >= {"Supervise", "Whisper", "Transfer", "HangUp"}
    assert {by for _, by in asked} == {"demo"}
    assert record["ended_by"] == "gateway"

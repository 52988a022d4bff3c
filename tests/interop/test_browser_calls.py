"""Calls from the page at `/`, in a real browser, to a gateway in a process of its own."""

from collections.abc import Iterator
from typing import Any

import pytest
from browser import ALIKE, RATE, Chromium, chromium
from browser_calls import (
    GREETING,
    MENU,
    after_a_pause,
    button,
    call_silently,
    phrase,
    spoken,
    state,
)
from peers import Gateway
from playwright.sync_api import expect

from gateway.testing.hearing import heard_pieces

pytestmark = pytest.mark.interop

MENUS_END = "To end the call, press 9 or say goodbye."
TURNED_AWAY = r"status of 401"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser whose microphone says "wait, hold on a second please" over and over again."""
    folder = tmp_path_factory.mktemp("microphone")
    with chromium(after_a_pause(phrase("wait-hold-on-a-second-please"), folder)) as running:
        yield running


def names(record: dict[str, Any]) -> list[str]:
    return [entry["name"] for entry in record["timeline"]]


def test_a_newcomer_calls_is_greeted_interrupts_presses_1_and_hangs_up(
    demo: Gateway, browser: Chromium
) -> None:
    demo.forget_calls()
    with browser.visit(demo.facts["open"]) as visit:
        page = visit.page
        call_silently(visit)
        visit.hears(spoken(GREETING))
        button(visit, "1").click()
        visit.hears(spoken(MENU))
        button(visit, "Mute").click()
        menu = page.locator("#captions li", has_text="For sales")
        visit.until(lambda: "interrupted" in menu.inner_text())
        button(visit, "Mute").click()
        visit.until(lambda: visit.is_silent(0.4), within=3)
        rest = heard_pieces(visit.heard(), spoken(MENUS_END), RATE, alike=ALIKE)
        assert sum(rest) < 0.4 * len(rest)  # a word of it is like one that was said
        captions = page.locator("#captions").inner_text()
        assert "Thank you for calling Northwind" in captions
        assert "You pressed 1" in captions
        button(visit, "Hang up").click()
        visit.until(lambda: state(visit) == "ended")
        assert "Call ended" in page.get_by_role("status").inner_text()
        page.get_by_role("link", name="See the story of this call").click()
        told = page.get_by_role("list", name="What was said")
        expect(told).to_contain_text("Thank you for calling Northwind")
        expect(told).to_contain_text("pressed 1")
        expect(page.get_by_role("img", name="The call on one axis of time")).to_be_visible()
        expect(button(visit, "Play")).to_be_enabled()
    record = next(call for call in demo.new_calls() if call["called"] == "web")
    assert record["ended_by"] == "caller"
    (key,) = (e["detail"] for e in record["timeline"] if e["name"] == "key.pressed")
    assert (key["key"], key["source"]) == ("1", "rfc4733")
    assert {"input_audio_buffer.speech_started", "conversation.item.truncate"} <= set(names(record))


def test_a_refused_microphone_is_told_in_words_and_calls_nobody(
    demo: Gateway, browser: Chromium
) -> None:
    before = len(demo.ask("/v1/calls")["calls"])
    with browser.visit(demo.facts["open"], may_record=False) as visit:
        button(visit, "Call").click()
        visit.until(lambda: state(visit) == "ended")
        assert "The microphone was refused" in visit.page.inner_text("#detail")
        assert button(visit, "Call again").is_enabled()
    assert len(demo.ask("/v1/calls")["calls"]) == before


def test_a_wrong_token_is_told_in_words_and_calls_nobody(demo: Gateway, browser: Chromium) -> None:
    before = len(demo.ask("/v1/calls")["calls"])
    with browser.visit(f"{demo.facts['page']}#token=made-up", forgiven=TURNED_AWAY) as visit:
        assert "token" not in visit.page.url
        button(visit, "Call").click()
        visit.until(lambda: state(visit) == "ended")
        assert "token" in visit.page.locator("#detail.bad").inner_text()
    assert len(demo.ask("/v1/calls")["calls"]) == before


def test_a_page_that_is_loaded_anew_has_hung_up_and_can_call_again(
    demo: Gateway, browser: Chromium
) -> None:
    demo.forget_calls()
    with browser.visit(demo.facts["open"]) as visit:
        call_silently(visit)
        demo.wait_for_calls(1)
        visit.page.reload()
        (record,) = demo.new_calls()
        assert record["ended_by"] == "caller"
        visit.forget_sound()
        call_silently(visit)
        visit.hears(spoken(GREETING))


BUNDLED = """async ([token]) => {
    const connection = new RTCPeerConnection({bundlePolicy: "max-bundle"});
    connection.addTransceiver("video");
    connection.addTransceiver("audio");
    connection.createDataChannel("gateway");
    await connection.setLocalDescription();
    const headers = {"Authorization": `Bearer ${token}`, "Content-Type": "application/sdp"};
    const body = connection.localDescription.sdp;
    const answer = await fetch("/whip", {method: "POST", headers, body});
    await connection.setRemoteDescription({type: "answer", sdp: await answer.text()});
    while (connection.connectionState !== "connected")
        await new Promise(resolve => setTimeout(resolve, 50));
    await fetch(answer.headers.get("Location"), {method: "DELETE"});
    const directions = connection.getTransceivers().map(one => one.currentDirection);
    connection.close();
    return directions;
}"""


def test_who_bundles_at_all_costs_and_offers_a_picture_first_has_a_call_without_it(
    demo: Gateway, browser: Chromium
) -> None:
    demo.forget_calls()
    with browser.visit(demo.facts["page"], forgiven=TURNED_AWAY) as visit:
        directions = visit.page.evaluate(BUNDLED, [demo.facts["token"]])
        assert directions == ["inactive", "sendrecv"]
    (record,) = demo.new_calls()
    assert (record["codec"], record["ended_by"]) == ("opus", "caller")

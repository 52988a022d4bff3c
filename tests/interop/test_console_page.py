"""The console in a real browser: a call as it goes, its story, and what is heard of it."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest
from accessibility import faults_of
from browser import Chromium, Visit, chromium
from peers import Gateway
from playwright.sync_api import Page, Route, expect

from gateway.media.soundfile import create

pytestmark = pytest.mark.interop

DRAWN = """name => {
    const tint = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(tint.slice(at, at + 2), 16));
    const canvas = document.getElementById("picture");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
        const [x, y, z] = data.slice(at, at + 3);
        count += Math.abs(x - r) + Math.abs(y - g) + Math.abs(z - b) < 60;
    }
    return count;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as running:
        yield running


@contextlib.contextmanager
def calling(demo: Gateway, seconds: float) -> Iterator[None]:
    """Have somebody call who chooses English and talks over the menu; ends with the call."""
    with as_file(
        files("gateway.embedded") / "voice/caller/wait-hold-on-a-second-please.wav"
    ) as said:
        order = ["call", demo.facts["sip"], "--digits", "1@0.8", "--play", f"{said}@2.5"]
        phone = subprocess.Popen(
            [sys.executable, "-m", "gateway", *order, "--seconds", str(seconds)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
            phone.wait(timeout=20)
        finally:
            phone.kill()
            phone.wait()


@pytest.fixture(scope="module")
def call_id(demo: Gateway) -> str:
    """A call that is over, and had a key and a barge-in."""
    if not demo.calls():
        with calling(demo, 5):
            pass
        demo.new_calls()
    return str(demo.calls()[0]["call_id"])


def console(demo: Gateway, call_id: str = "") -> str:
    place = f"&call={call_id}" if call_id else ""
    return f"{demo.facts['page']}console#token={demo.facts['token']}{place}"


def story(visit: Visit) -> Page:
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("gateway → demo")
    return visit.page


def test_a_call_is_seen_as_it_goes_and_ended_from_the_page_and_its_story_is_heard(
    demo: Gateway, browser: Chromium
) -> None:
    with browser.visit(console(demo)) as visit:
        page = visit.page
        expect(page.locator("#pulse")).to_have_text("Live")
        expect(page.get_by_text("Nobody is on the line.")).to_be_visible()
        with calling(demo, 60):
            _watch(page)
            page.get_by_role("table", name="Live").get_by_role("link").click()
            expect(story(visit).get_by_text("The recording can be played when")).to_be_visible()
            expect(page.get_by_role("combobox", name="Transfer to")).to_contain_text("operator")
            page.get_by_role("button", name="Hang up").click()
        expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible(timeout=15_000)
        expect(page.get_by_role("region", name="Supervision")).to_be_hidden()
        _read(visit)
        _listen(visit)
        page.get_by_role("link", name="All calls").click()
        expect(page.get_by_text("Nobody is on the line.")).to_be_visible()
        over = page.get_by_role("table", name="Finished")
        expect(over.get_by_role("row", name="gateway → demo").first).to_contain_text("supervisor")


def _watch(page: Page) -> None:
    """See in the table what goes on in the call."""
    row = page.get_by_role("table", name="Live").get_by_role("row", name="gateway → demo")
    for words in ("agent speaks", "Thank you for calling", "caller speaks", "PCMU"):
        expect(row).to_contain_text(words, timeout=15_000)
    expect(row.locator("kbd")).to_have_text("1")


def _read(visit: Visit) -> None:
    """Find in the story what was said, what was cut, and how long the caller waited."""
    page = visit.page
    said = page.get_by_role("list", name="What was said")
    expect(said).to_contain_text("pressed 1")
    expect(said.locator("s").last).to_contain_text("For support")
    visit.until(lambda: page.evaluate(DRAWN, "--agent") > 3000, told=lambda: "no voice is drawn")
    assert page.evaluate(DRAWN, "--danger") > 50  # a barge-in
    waits = page.get_by_role("list", name="How long the caller waited").get_by_role("listitem")
    expect(waits.first).to_contain_text("first packet after")


def _listen(visit: Visit) -> None:
    """Play the recording from a line of the transcript, and go back by the picture."""
    page = visit.page
    said = page.get_by_role("list", name="What was said").get_by_role("button")
    line = said.filter(has_text="For sales").first
    position = page.get_by_role("slider", name="Position")
    line.click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(line).to_have_class("line agent now")
    visit.until(lambda: float(position.input_value()) > 2.0, told=position.input_value)
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("img", name="The call on one axis of time").focus()
    page.keyboard.press("Home")
    visit.until(lambda: float(position.input_value()) < 0.5, told=position.input_value)


def test_a_recording_in_opus_is_played_and_how_well_the_caller_was_heard_is_drawn(
    demo: Gateway, browser: Chromium, call_id: str, tmp_path: Path
) -> None:
    file = create(str(tmp_path / "call.opus"), 8000)
    file.write(np.zeros((8000 * 5, 2), np.int16))
    file.close()
    point = {"codec": "PCMU", "loss_percent": 1.0, "jitter_ms": 4.0, "round_trip_ms": 20.0}

    def tell(route: Route) -> None:
        told = route.fetch().json()
        points = [point | {"at": at, "mos": 4.0 - at / 4} for at in (1.0, 2.0, 3.0)]
        route.fulfill(json=told | {"quality": told["quality"] | {"points": points}})

    def play(route: Route) -> None:
        route.fulfill(body=(tmp_path / "call.opus").read_bytes(), content_type="audio/ogg")

    with browser.visit("about:blank") as visit:
        page = visit.page
        page.route("**/story", tell)
        page.route("**/recording?take=1", play)
        page.goto(console(demo, call_id))
        story(visit).get_by_role("button", name="Play", exact=True).click()
        position = page.get_by_role("slider", name="Position")
        visit.until(lambda: float(position.input_value()) > 1.0, told=position.input_value)
        visit.until(lambda: page.evaluate(DRAWN, "--good") > 50, told=lambda: "no score is drawn")


def test_a_call_that_is_over_is_found_by_what_was_said(
    demo: Gateway, browser: Chromium, call_id: str
) -> None:
    with browser.visit(console(demo)) as visit:
        search = visit.page.get_by_role("searchbox", name="Search")
        over = visit.page.get_by_role("table", name="Finished")
        search.fill("calling Northwind")
        expect(over.locator(f"[data-call='{call_id}']")).to_be_visible()
        search.fill("<b>nobody said this</b>")
        expect(visit.page.get_by_text("No finished call is like that.")).to_be_visible()


def test_entries_are_filtered(demo: Gateway, browser: Chromium, call_id: str) -> None:
    with browser.visit(console(demo, call_id)) as visit:
        page = story(visit)
        rows = page.locator("#steps tbody tr")
        everything = rows.count()
        page.get_by_role("button", name="keys", exact=True).click()
        expect(rows).to_have_count(1)
        page.get_by_role("button", name="keys", exact=True).click()
        page.get_by_role("searchbox", name="Filter").fill("truncate")
        expect(rows.first).to_contain_text("conversation.item.truncate")
        assert 0 < rows.count() < everything


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_everybody_can_use_it_by_day_and_by_night_on_any_screen(
    demo: Gateway, browser: Chromium, call_id: str, colours: str
) -> None:
    for address in (console(demo), console(demo, call_id)):
        with browser.visit(address, color_scheme=colours) as visit:
            visit.page.get_by_text("gateway → demo").first.wait_for()
            for width in (320, 1280):
                visit.page.set_viewport_size({"width": width, "height": 720})
                assert faults_of(visit.page) == []


KEEP = """async at => {
    const { Said } = await import("/pages/said.js");
    const { Steps } = await import("/pages/steps.js");
    const agent = { who: "agent", is_cut: false };
    const line = (at, text) => ({ ...agent, at, end: at + 1, text, heard: text });
    const step = (at, name) => ({ at, name, detail: "", group: "call", kind: "event" });
    const story = (count) => ({
        call_id: "c", is_live: true, keys: [], interventions: [], steps_left_out: 0,
        lines: [line(1, "Hello."), ...Array(count).fill().map((_, n) => line(2 + n, `${n}`))],
        steps: Array(2 * count).fill().map((_, n) => step(Math.floor(n / 2), "same")),
    });
    const seen = [];
    const said = new Said(document.querySelector("#said"), document.querySelector("#said-none"),
        (at) => seen.push(at));
    const steps = new Steps((at) => seen.push(at));
    document.querySelector("#overview").hidden = true;
    document.querySelector("#call").hidden = false;
    [said, steps].forEach((part) => part.show(story(2)));
    const rows = document.querySelector(at).children.length;
    const button = document.querySelector(at).querySelector("button");
    button.focus();
    getSelection().selectAllChildren(button);
    [said, steps].forEach((part) => part.show(story(40)));
    button.click();
    return [document.activeElement === button, `${getSelection()}`.trim() !== "", seen,
        rows, document.querySelector(at).children.length];
}"""


@pytest.mark.parametrize(
    ("place", "seen", "rows"), [("#said", [1], (3, 41)), ("#steps tbody", [0], (4, 80))]
)
def test_who_reads_a_call_that_goes_on_stays_where_they_are(
    demo: Gateway, browser: Chromium, place: str, seen: list[int], rows: tuple[int, int]
) -> None:
    with browser.visit(console(demo)) as visit:
        told = visit.page.evaluate(KEEP, place)
    assert told == [True, True, seen, *rows]


def test_who_may_not_look_is_told_in_words(demo: Gateway, browser: Chromium, call_id: str) -> None:
    forgiven = "Failed to load resource"
    with browser.visit(f"{demo.facts['page']}console#token=wrong", forgiven=forgiven) as visit:
        expect(visit.page.get_by_role("alert")).to_contain_text("The token is wrong")
        expect(visit.page.get_by_text("Not live")).to_be_visible()
        for words in ("Nobody is on the line.", "Search"):
            expect(visit.page.get_by_text(words)).to_be_hidden()
    address = f"{demo.facts['page']}console#token=wrong&call={call_id}"
    with browser.visit(address, forgiven=forgiven) as visit:
        expect(visit.page.get_by_role("alert")).to_contain_text("The token is wrong")
    with browser.visit(console(demo, "none"), forgiven=forgiven) as visit:
        expect(visit.page.get_by_role("alert")).to_contain_text("No call 'none'.")

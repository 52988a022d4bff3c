"""The page at `/` in a real browser: who can use it, and what it says when there is no call."""

from collections.abc import Iterator
from typing import Any

import pytest
from accessibility import faults_of, tab_stops
from browser import Chromium, Visit, chromium
from peers import Gateway
from playwright.sync_api import Route

pytestmark = pytest.mark.interop

NOTICES: list[dict[str, Any]] = [
    {"type": "caption", "who": "agent", "item_id": "a", "text": "For sales, pre", "is_cut": True},
    {"type": "caption", "who": "caller", "item_id": "b", "text": "<b>Wait</b>", "is_final": True},
    {"type": "caption", "who": "callee", "item_id": "c", "text": "Operator."},
    {"type": "caption", "who": "supervisor", "item_id": "d", "text": "Hello.", "is_final": True},
    {"type": "key", "key": "4"},
    {"type": "key", "key": "#"},
    {"type": "activity", "agent": "transfer", "detail": "operator"},
    *(
        {"type": "activity", "agent": agent, "detail": "weather" if agent == "tool" else ""}
        for agent in ("tool", "speaking", "tool", "thinking", "tool")  # two uses of it
    ),
]
TAKE = """async notices => {
    const { Conversation } = await import("/pages/conversation.js");
    const all = new Conversation(captions, spoken);
    notices.forEach((notice) => all.take(notice));
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as running:
        yield running


def said(visit: Visit) -> str:
    return visit.page.get_by_role("status").inner_text()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_everybody_can_use_it_by_day_and_by_night_on_any_screen(
    demo: Gateway, browser: Chromium, colours: str
) -> None:
    with browser.visit(demo.facts["page"], color_scheme=colours) as visit:
        page = visit.page
        for width in (320, 1280):
            page.set_viewport_size({"width": width, "height": 720})
            assert faults_of(page) == []
        page.evaluate(TAKE, NOTICES)
        page.get_by_text("Keyboard", exact=True).click()
        page.get_by_text("Microphone and speaker").click()
        page.evaluate("detail.classList.add('bad')")
        page.wait_for_timeout(300)  # until what moves has come to rest
        assert faults_of(page) == []


def test_without_a_mouse_everything_is_reached_and_seen(demo: Gateway, browser: Chromium) -> None:
    with browser.visit(demo.facts["page"]) as visit:
        assert tab_stops(visit.page) == [
            "Skip to the phone", "voice-gateway", "Phone", "Console", "Call", "Keypad",
            "Conversation", "Microphone and speaker", "Keyboard",
        ]  # fmt: skip


def test_what_was_said_is_written_as_it_was_said(demo: Gateway, browser: Chromium) -> None:
    with browser.visit(demo.facts["page"]) as visit:
        visit.page.evaluate(TAKE, NOTICES)
        rows = visit.page.get_by_role("group", name="Conversation").get_by_role("listitem")
        assert [" ".join(row.split()) for row in rows.all_inner_texts()] == [
            "Agent For sales, pre interrupted",
            "You <b>Wait</b>",
            "Other side Operator.",
            "Supervisor Hello.",
            "You pressed 4#",
            "Transfer to operator",
            "The agent uses weather",
            "The agent uses weather",
        ]
        spoken = visit.page.get_by_role("log").locator("p").all_inner_texts()
        assert spoken == [  # nothing that is still being said
            "Agent: For sales, pre (interrupted)", "You: <b>Wait</b>", "Supervisor: Hello.",
        ]  # fmt: skip


def test_the_token_leaves_the_address_and_stays_with_the_tab(
    demo: Gateway, browser: Chromium
) -> None:
    with browser.visit(demo.facts["open"] + "&call=c1") as visit:
        visit.until(lambda: "token" not in visit.page.url)
        assert visit.page.url == demo.facts["page"] + "#call=c1"
        visit.page.reload()
        asked = visit.page.evaluate(
            """async () => {
                const { ask } = await import("/pages/session.js");
                const reply = await ask("v1/tokens", {
                    method: "POST", json: { role: "caller", seconds: 60, name: "page" },
                });
                return reply.status;
            }"""
        )
        assert asked == 201


def test_a_refused_microphone_is_told_with_the_way_out(demo: Gateway, browser: Chromium) -> None:
    with browser.visit(demo.facts["page"], may_record=False) as visit:
        visit.page.get_by_role("button", name="Call").click()
        visit.page.get_by_role("button", name="Call again").wait_for()
        assert said(visit) == (
            "No call. The microphone was refused. Allow it for this page, beside the address,"
            " then call again."
        )


def test_a_call_that_is_not_taken_is_told_with_the_way_out(
    demo: Gateway, browser: Chromium
) -> None:
    refusals: list[tuple[int, dict[str, str], str]] = [
        (401, {}, "This needs a token. Open this page by the link you were given, which ends in"),
        (403, {}, "Your token does not allow this."),
        (404, {}, "This gateway takes no calls from browsers."),
        (429, {"Retry-After": "7"}, "That was too often. Try again in 7 seconds."),
        (503, {"Retry-After": "1"}, "The gateway has no room at the moment. Try again in 1 second"),
        (0, {}, "The gateway cannot be reached."),
    ]
    answers = iter(refusals)

    def answer(route: Route) -> None:
        status, headers, _ = next(answers)
        route.fulfill(status=status, headers=headers) if status else route.abort()

    with browser.visit(demo.facts["page"], forgiven="Failed to load resource") as visit:
        visit.page.route("**/whip", answer)
        for _, _, words in refusals:
            visit.page.get_by_role("button", name="Call").click()
            visit.page.get_by_role("button", name="Call again").wait_for()
            assert said(visit).startswith(f"No call. {words}")
        visit.page.set_viewport_size({"width": 320, "height": 640})
        visit.page.get_by_role("button", name="Keypad").click()
        assert faults_of(visit.page) == []


def test_whatever_ends_a_call_is_told_in_words(demo: Gateway, browser: Chromium) -> None:
    ends = {
        "Service Unavailable": "The agent could not be reached. Call again in a moment.",
        "closed for today": "The gateway ended the call: closed for today",
        "": "The gateway ended the call.",
    }
    with browser.visit(demo.facts["page"]) as visit:
        told = visit.page.evaluate(
            """async (reasons) => {
                const { farewell } = await import("/pages/call.js");
                return reasons.map((reason) => farewell({ ended_by: "gateway", reason }));
            }""",
            list(ends),
        )
    assert told == list(ends.values())


def test_events_are_read_whole_wherever_the_stream_is_cut(demo: Gateway, browser: Chromium) -> None:
    stream = ": hello\n\nid: 7\r\nevent: told\r\ndata: a\r\ndata:  b: c\r\n\r\nretry: 20\rdata\r\r"
    with browser.visit(demo.facts["page"]) as visit:
        read = visit.page.evaluate(
            """async (stream) => {
                const { EventReader } = await import("/pages/session.js");
                const cuts = [...stream].map((_, place) => [place, stream.length]).flatMap(
                    ([first]) => [...stream].map((_, second) => [first, Math.max(first, second)]));
                return cuts.map(([first, second]) => {
                    const reader = new EventReader();
                    const pieces = [
                        stream.slice(0, first), stream.slice(first, second), stream.slice(second),
                        ": the next\\n",
                    ];
                    const events = pieces.flatMap((piece) => reader.read(piece));
                    reader.read("id: 8\\ndata: what is never read to its end\\n");
                    return JSON.stringify([events, reader.lastId, reader.retry]);
                });
            }""",
            stream,
        )
    events = '[{"id":"7","type":"told","data":"a\\n b: c"},{"id":"7","type":"message","data":""}]'
    assert set(read) == {f'[{events},"7",20]'}


def test_a_stream_that_breaks_again_and_again_loses_nothing(
    demo: Gateway, browser: Chromium
) -> None:
    """One reader's connections break in the middle of what comes; another's is left alone."""
    with browser.visit(demo.facts["open"]) as watching, browser.visit(demo.facts["open"]) as phone:
        watching.page.evaluate(
            """async () => {
                const { follow } = await import("/pages/session.js");
                const real = fetch;
                globalThis.pieces = globalThis.cuts = 0;
                const half = () => new TransformStream({
                    async transform(piece, controller) {
                        if (!pieces++) return controller.enqueue(piece);  // where it begins
                        controller.enqueue(piece.slice(0, piece.length / 2));
                        await new Promise((done) => setTimeout(done, 20));  // until that was read
                        controller.error(new Error("broken"));
                    },
                });
                window.fetch = async (where, options) => {
                    const reply = await real(where, options);
                    if (!`${where}`.includes("?") || ++cuts > 5) return reply;
                    return new Response(reply.body.pipeThrough(half()), reply);
                };
                globalThis.told = { whole: [], broken: [] };
                const { signal } = new AbortController();
                follow("v1/events", { hear: (_, id) => told.whole.push(id), signal });
                follow("v1/events?call=", { hear: (_, id) => told.broken.push(id), signal });
            }"""
        )
        watching.until(lambda: watching.page.evaluate("pieces > 0"))
        demo.forget_calls()
        phone.page.get_by_role("button", name="Call").click()
        phone.page.get_by_role("button", name="Hang up").wait_for()
        watching.until(lambda: watching.page.evaluate("cuts > 5"), 30)
        phone.page.get_by_role("button", name="Hang up").click()
        demo.new_calls()
        told = "JSON.stringify(told.whole)"
        is_same = f"told.whole.length > 5 && {told} === JSON.stringify(told.broken)"
        watching.until(lambda: watching.page.evaluate(is_same), 20)


def test_servers_candidates_and_restarts_are_read_as_the_standard_writes_them(
    demo: Gateway, browser: Chromium
) -> None:
    link = (
        '<stun:stun.example.net>; rel="ice-server", <turn:turn.example.net?transport=udp>;'
        ' rel="ice-server"; username="u\\"1"; credential="a, <b>; c"; credential-type="password",'
        ' </else>; rel="next"'
    )
    answer = (
        "v=0\r\na=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
        "a=ice-ufrag:old\r\na=ice-pwd:oldoldold\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\na=ice-ufrag:old\r\n"
        "a=ice-pwd:oldoldold\r\n"
    )
    piece = "a=ice-ufrag:new\r\na=ice-pwd:newnew\r\na=candidate:2 1 udp 1 192.0.2.2 7 typ host\r\n"
    with browser.visit(demo.facts["page"]) as visit:
        servers, sent, merged = visit.page.evaluate(
            """async ([link, answer, piece]) => {
                const whip = await import("/pages/whip.js");
                const candidate = "candidate:1 1 udp 1 192.0.2.9 5 typ host";
                return [whip.iceServers(link), whip.fragment(answer, [{ candidate }, null]),
                        whip.merged(answer, piece)];
            }""",
            [link, answer, piece],
        )
    assert servers == [
        {"urls": "stun:stun.example.net"},
        {
            "urls": "turn:turn.example.net?transport=udp",
            "username": 'u"1',
            "credential": "a, <b>; c",
        },
    ]
    assert sent.split("\r\n") == [
        "a=group:BUNDLE 0 1", "a=ice-ufrag:old", "a=ice-pwd:oldoldold",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0",
        "a=candidate:1 1 udp 1 192.0.2.9 5 typ host", "a=end-of-candidates", "",
    ]  # fmt: skip
    assert "old" not in merged
    assert "192.0.2.1 " not in merged
    assert merged.count("a=ice-pwd:newnew") == 2
    assert merged.count("a=candidate:2 1 udp 1 192.0.2.2 7 typ host") == 1


def test_keys_go_as_messages_where_the_browser_cannot_send_them_as_sound(
    demo: Gateway, browser: Chromium
) -> None:
    with browser.visit(demo.facts["open"]) as visit:
        page = visit.page
        page.evaluate("Object.defineProperty(RTCRtpSender.prototype, 'dtmf', { value: null })")
        demo.forget_calls()
        page.get_by_role("button", name="Call").click()
        page.get_by_role("button", name="Hang up").wait_for()
        page.get_by_role("button", name="1", exact=True).click()
        page.get_by_text("You pressed 1").wait_for()
        page.keyboard.press("9")
        page.get_by_text("You pressed 9").wait_for()
        page.keyboard.press("Escape")
        page.get_by_role("link", name="See the story of this call").wait_for()
    (record,) = demo.new_calls()
    assert (record["ended_by"], record["called"]) == ("caller", "web")


def test_a_page_that_is_left_in_the_middle_of_a_call_ends_it(
    demo: Gateway, browser: Chromium
) -> None:
    with browser.visit(demo.facts["open"]) as visit:
        demo.forget_calls()
        visit.page.get_by_role("button", name="Call").click()
        visit.page.get_by_role("button", name="Hang up").wait_for()
        visit.page.reload()
        visit.page.get_by_role("button", name="Call").wait_for()
        (record,) = demo.new_calls(timeout=5)  # far sooner than a lost connection is noticed
        assert record["ended_by"] == "caller"

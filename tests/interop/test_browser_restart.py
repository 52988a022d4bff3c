"""A gateway that dies in the middle of a call from the page, and comes back where it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser import RATE, chromium
from peers import Gateway, free_port, running

from gateway.testing.hearing import active

pytestmark = pytest.mark.interop

LINE = """
[sip]
bind = ["udp:127.0.0.1:0"]
[http]
bind = "127.0.0.1:{port}"
[webrtc]
public = true
[realtime]
provider = "custom"
url = "{service}"
[call]
greeting = 'Say "Welcome back. This line was away for a moment, and is there again."'
"""
GONE = r"ERR_CONNECTION_(REFUSED|RESET)|ERR_EMPTY_RESPONSE|status of (401|404)"


@contextmanager
def line(folder: Path, service: str, port: int) -> Iterator[Gateway]:
    body = LINE.format(service=service, port=port)
    with running(["serve", "--json"], folder / "log", {"GATEWAY_CONFIG_BODY": body}) as gateway:
        yield gateway


def test_the_page_says_so_and_calls_again(tmp_path: Path) -> None:
    port = free_port()
    with (
        running(["embedded", "--port", "0", "--json"], tmp_path / "service") as service,
        chromium() as browser,
        browser.visit("about:blank", forgiven=GONE) as visit,
    ):
        page = visit.page

        def state() -> str | None:
            return page.get_attribute("#page", "data-state")

        def is_spoken_to() -> bool:
            return state() == "talking" and bool(active(visit.heard()[-RATE:], RATE).any())

        with line(tmp_path, service.facts["url"], port) as first:
            page.goto(first.facts["page"])
            page.get_by_role("button", name="Call", exact=True).click()
            visit.until(is_spoken_to, within=20)
            first.process.kill()
            first.process.wait()
        visit.until(lambda: state() == "reconnecting", within=20)
        with line(tmp_path, service.facts["url"], port):
            visit.until(lambda: state() == "ended", within=20)
            assert "The connection was lost" in page.inner_text("#detail")
            visit.forget_sound()
            page.get_by_role("button", name="Call again").click()
            visit.until(is_spoken_to, within=20)
            page.get_by_role("button", name="Hang up").click()
            visit.until(lambda: state() == "ended")

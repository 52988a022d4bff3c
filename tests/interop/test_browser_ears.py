"""What judges our pages, judged by a page of its own: what it plays is heard, its faults told."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from browser import RATE, Chromium, chromium

from gateway.testing.hearing import tone_share
from gateway.testing.media import tone
from gateway.testing.sound import write_wav

pytestmark = pytest.mark.interop

POLICY = "default-src 'none'; script-src 'self'; img-src data:; media-src 'self' blob:"
PAGE = b"""<!doctype html><title>talks to itself</title><link rel="icon" href="data:,">
<button id="call">Call</button><button id="mute">Mute</button><p id="state"></p>
<audio id="sound" autoplay></audio><script src="/page.js"></script>"""
SCRIPT = b"""
const $ = (id) => document.getElementById(id);
$("mute").onclick = () => { $("sound").muted = true; };
$("call").onclick = async () => {
  const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const sound = await navigator.mediaDevices.getUserMedia({ audio: raw }).catch((refusal) => {
    $("state").textContent = refusal.name;
  });
  if (!sound) return;
  const here = new RTCPeerConnection(), there = new RTCPeerConnection();
  here.onicecandidate = (event) => there.addIceCandidate(event.candidate);
  there.onicecandidate = (event) => here.addIceCandidate(event.candidate);
  there.ontrack = ({ streams }) => { $("sound").srcObject = streams[0]; };
  for (const track of sound.getTracks()) here.addTrack(track, sound);
  await here.setLocalDescription();
  await there.setRemoteDescription(here.localDescription);
  await there.setLocalDescription();
  await here.setRemoteDescription(there.localDescription);
};
"""


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        is_script = self.path.endswith(".js")
        self.send_response(200)
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Content-Type", "text/javascript" if is_script else "text/html")
        self.end_headers()
        self.wfile.write(SCRIPT if is_script else PAGE)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    microphone = tmp_path_factory.mktemp("microphone") / "tone.wav"
    write_wav(microphone, tone(1037.0, 10.0, RATE), RATE)
    with chromium(microphone) as running:
        yield running


def test_what_a_page_plays_of_its_peer_is_heard_until_it_is_muted(
    browser: Chromium, address: str
) -> None:
    with browser.visit(address) as visit:
        visit.page.click("#call")
        visit.until(lambda: tone_share(visit.heard()[-RATE:], 1037.0, RATE) > 0.9)
        assert not visit.is_silent(0.5)
        visit.page.click("#mute")
        visit.until(lambda: visit.is_silent(0.5))
        kinds = {part["type"] for part in visit.statistics()}
        assert {"candidate-pair", "inbound-rtp"} <= kinds


def test_a_microphone_can_be_refused(browser: Chromium, address: str) -> None:
    with browser.visit(address, may_record=False) as visit:
        visit.page.click("#call")
        visit.until(lambda: visit.page.inner_text("#state") == "NotAllowedError")
        assert not np.any(visit.heard())


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("console.error('it broke')", "it broke"),
        ("setTimeout(() => { throw new Error('nobody caught it'); })", "nobody caught it"),
        ("document.body.insertAdjacentHTML('beforeend', '<img src=/x.png>')", "img-src"),
        ("document.body.insertAdjacentHTML('beforeend', '<p style=color:red>')", "style-src"),
        ("fetch('/elsewhere').catch(() => {})", "connect-src"),
    ],
)
def test_what_a_page_breaks_is_told(browser: Chromium, address: str, wrong: str, told: str) -> None:
    def break_something() -> None:
        with browser.visit(address) as visit:
            visit.page.evaluate(f"() => {{ {wrong} }}")
            visit.page.wait_for_timeout(200)

    with pytest.raises(AssertionError, match=re.escape(told)):
        break_something()

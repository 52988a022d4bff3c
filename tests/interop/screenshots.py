"""Takes the pictures of our pages that the documentation shows, from real calls in Chromium.

    python tests/interop/screenshots.py [FOLDER]

Without a folder they replace those in `docs/images`.  It needs Pillow, which comes with the
extra `report`, and half a minute.
"""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from browser import Visit, chromium
from browser_calls import GREETING, MENU, button, call_silently, phrase, spoken, state
from peers import TAPPED, Gateway, running
from PIL import Image

FOLDER = Path(__file__).parents[2] / "docs" / "images"
DESK = {"width": 1280, "height": 800}
POCKET = {"width": 390, "height": 844}
COLOURS = 256  # of a picture, which is a third of its size then
MOST = 150_000  # bytes


class Album:
    """Where the pictures go."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, visit: Visit, name: str, *, until: str = "") -> None:
        """Take a picture of what is seen, or of the page as far down as an element goes."""
        path = self._folder / f"{name}.png"
        visit.page.wait_for_timeout(400)  # until what moves has come to rest
        if until:
            box = visit.page.locator(until).bounding_box()
            assert box is not None
            size = visit.page.viewport_size
            assert size is not None
            visit.page.set_viewport_size(
                {"width": size["width"], "height": round(box["y"] + box["height"] + 24)}
            )
            visit.page.wait_for_timeout(400)
            visit.page.screenshot(path=path)
            visit.page.set_viewport_size(size)
        else:
            visit.page.screenshot(path=path)
        Image.open(path).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
            path, optimize=True
        )
        print(f"{path.name}: {path.stat().st_size // 1000} kB")
        assert path.stat().st_size < MOST, f"{path} is too large"

    def take_by_day_and_night(self, visit: Visit, name: str, *, until: str = "") -> None:
        for colours, suffix in (("light", ""), ("dark", "-dark")):
            visit.page.emulate_media(color_scheme=colours)
            self.take(visit, f"{name}{suffix}", until=until)
        visit.page.emulate_media(color_scheme="light")


@contextlib.contextmanager
def phones(gateway: Gateway) -> Iterator[None]:
    """Have others call meanwhile: one who hangs up at once, one who stays."""
    words = phrase("wait-hold-on-a-second-please")
    orders = [
        ["--digits", "1@1", "--seconds", "4"],
        ["--play", f"{words}@4", "--seconds", "90"],
    ]
    calls = [
        subprocess.Popen(
            [sys.executable, str(TAPPED), "call", gateway.facts["sip"], *order],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for order in orders
    ]
    try:
        yield
    finally:
        for call in calls:
            call.terminate()
            call.wait()


def talk(visit: Visit) -> None:
    """Call, choose English, talk over the menu, and let the agent speak on."""
    call_silently(visit)
    visit.hears(spoken(GREETING))
    button(visit, "1").click()
    visit.hears(spoken(MENU))
    captions = visit.page.locator("#captions")
    for _ in range(4):  # a word that was cut is not understood
        button(visit, "Mute").click()
        visit.page.wait_for_timeout(1600)
        button(visit, "Mute").click()
        visit.page.wait_for_timeout(4000)
        if "You have reached sales" in captions.inner_text():
            return
    raise AssertionError(f"the agent did not understand: {captions.inner_text()}")


def photograph(gateway: Gateway, album: Album) -> None:
    """Take every picture."""
    address, console = gateway.facts["open"], f"{gateway.facts['page']}console"
    sharp = {"device_scale_factor": 1.5}
    with (
        chromium(phrase("sales")) as browser,
        browser.visit(address, viewport=DESK, **sharp) as phone,
        browser.visit(f"{console}#token={gateway.facts['token']}", viewport=DESK, **sharp) as desk,
    ):
        with phones(gateway):
            talk(phone)
            album.take_by_day_and_night(phone, "softphone")
            phone.page.set_viewport_size(POCKET)
            album.take(phone, "softphone-phone")
            phone.page.set_viewport_size(DESK)
            over = desk.page.get_by_role("table", name="Finished")
            desk.until(lambda: over.get_by_role("link").count() > 0, within=20)
            album.take_by_day_and_night(desk, "console")
            button(phone, "Hang up").click()
            phone.until(lambda: state(phone) == "ended")
            over.get_by_role("link", name="demo → web").click()
        album.take_by_day_and_night(desk, "console-call", until=".columns")
        desk.page.set_viewport_size(POCKET)
        album.take(desk, "console-phone")


def main() -> None:
    """Run the demo, and photograph it."""
    album = Album(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
    with tempfile.TemporaryDirectory() as folder:
        order = ["demo", "--port", "0", "--http-port", "0", "--json"]
        with running(order, Path(folder) / "log") as gateway:
            photograph(gateway, album)


if __name__ == "__main__":
    main()

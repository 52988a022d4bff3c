"""Chromium without a window: its microphone plays a file, what its pages play can be listened to.

A page's own scripts run under the policy that it was served with.  What it complains of - an error
on its console, an exception that nobody caught, a breach of the policy - is kept to be judged.
"""

import base64
import contextlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import (
    Browser,
    BrowserType,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from gateway.testing.hearing import active, heard_pieces

EARS: Final = Path(__file__).with_name("browser_ears.js")
RATE: Final = 8000  # of what is heard
_STRETCHED_MS: Final = 1500  # a browser that gets sound late plays it slower, then faster
ALIKE: Final = 0.65  # below it, a voice is like itself whatever it says
ALIKE_BY_MICROPHONE: Final = 0.5  # of another's voice, which a browser takes noise from

expect.set_options(timeout=15_000)


@dataclass
class Visit:
    """One open page."""

    page: Page
    forgiven: re.Pattern[str]
    complaints: list[str] = field(default_factory=list)
    _heard: list[NDArray[np.int16]] = field(default_factory=list)
    _until: int = 0

    def heard(self) -> NDArray[np.int16]:
        """Return all that the page has played of its peers so far: mono at :data:`RATE`."""
        more = self.page.evaluate("from => testEars.read(from)", self._until)
        self._until = more["until"]
        self._heard.append(np.frombuffer(base64.b64decode(more["sound"]), np.int16))
        return np.concatenate(self._heard)

    def forget_sound(self) -> None:
        """Leave out of :meth:`heard` what was played until now."""
        self.heard()
        self._heard.clear()

    def hears(
        self,
        passage: NDArray[np.int16],
        *,
        least: float = 0.6,
        alike: float = ALIKE,
        within: float = 20,
    ) -> None:
        """Wait until so much of a passage of speech at :data:`RATE` was played, so much like it."""
        pieces: list[bool] = []

        def is_heard() -> bool:
            nonlocal pieces
            pieces = heard_pieces(self.heard(), passage, RATE, near_ms=_STRETCHED_MS, alike=alike)
            return sum(pieces) >= least * len(pieces)

        self.until(is_heard, within, lambda: f"{pieces} of the passage was heard", every=0.5)

    def is_silent(self, seconds: float) -> bool:
        """Tell whether nothing was heard in the last so many seconds."""
        last = self.heard()[-int(seconds * RATE) :]
        return len(last) >= int(seconds * RATE) and not active(last, RATE).any()

    def until(
        self,
        is_so: Callable[[], bool],
        within: float = 10,
        told: Callable[[], str] = str,
        every: float = 0.1,
    ) -> None:
        """Wait until something is so, while the page goes on."""
        deadline = time.monotonic() + within
        while not is_so():
            if time.monotonic() > deadline:
                shows = " ".join(self.page.inner_text("body").split())
                raise AssertionError(f"{told()}; the page shows: {shows}")
            self.page.wait_for_timeout(1000 * every)

    def statistics(self) -> list[dict[str, Any]]:
        """Return what the last connection of the page says of itself, one dict a part."""
        report: list[dict[str, Any]] = self.page.evaluate(
            "async () => [...(await testEars.peers.at(-1).getStats()).values()]"
        )
        return report

    def judge(self) -> None:
        """Fail for what the page complained of."""
        if not self.page.is_closed():
            self.complaints += self.page.evaluate("testEars.violations")
        assert not self.complaints, "\n".join(self.complaints)

    def _complain(self, text: str) -> None:
        if not self.forgiven.search(text):
            self.complaints.append(text)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._complain(f"{message.text} ({message.location.get('url')})")


class Chromium:
    """A running browser."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    def another(self, microphone: Path) -> contextlib.AbstractContextManager["Chromium"]:
        """Run another Chromium beside this one, with a microphone of its own."""
        return _launched(self._browser.browser_type, microphone)

    @contextlib.contextmanager
    def visit(
        self, address: str, *, forgiven: str = r"\b\B", may_record: bool = True, **options: Any
    ) -> Iterator[Visit]:
        """Open a page until the block ends, as somebody who was never there.

        Args:
            address: of the page.
            forgiven: A pattern of what the page may complain of.
            may_record: Whether the browser lets the page have the microphone.
            options: How the browser is to be, in playwright's words, as ``color_scheme``.

        """
        context = self._browser.new_context(**options)
        context.grant_permissions(["microphone"] if may_record else [])
        context.add_init_script(path=EARS)
        visit = Visit(context.new_page(), re.compile(forgiven))
        visit.page.set_default_timeout(15_000)
        visit.page.on("console", visit._console)
        visit.page.on("pageerror", lambda error: visit._complain(str(error)))
        try:
            visit.page.goto(address)
            yield visit
            visit.judge()
        finally:
            context.close()


@contextlib.contextmanager
def chromium(microphone: Path | None = None) -> Iterator[Chromium]:
    """Run Chromium until the block ends.

    Args:
        microphone: A WAV file that its microphone plays over and over again; else it beeps.

    """
    with sync_playwright() as playwright, _launched(playwright.chromium, microphone) as browser:
        yield browser


@contextlib.contextmanager
def _launched(kind: BrowserType, microphone: Path | None) -> Iterator[Chromium]:
    program = shutil.which("chromium")
    assert program, "chromium is missing: apt-get install chromium"
    options = ["--use-fake-device-for-media-stream"]
    if microphone is not None:
        options.append(f"--use-file-for-fake-audio-capture={microphone}")
    browser = kind.launch(executable_path=program, args=options, chromium_sandbox=os.geteuid() != 0)
    try:
        yield Chromium(browser)
    finally:
        browser.close()

"""People at our pages in a browser: what they press, what they say, what they must hear."""

import wave
from importlib.resources import files
from pathlib import Path

import numpy as np
from browser import RATE, Visit
from numpy.typing import NDArray
from playwright.sync_api import Locator, expect
from voicecodecs.resample import StreamResampler

from gateway.embedded.speech.voice import load_voice
from gateway.testing.sound import write_wav

GREETING = "Thank you for calling Northwind. For English, press 1."
MENU = "For sales, press 1 or say sales. For support, press 2 or say support."


def phrase(name: str) -> Path:
    """Return the file in which a caller says something."""
    return Path(str(files("gateway.embedded") / "voice" / "caller" / f"{name}.wav"))


def after_a_pause(path: Path, folder: Path, seconds: float = 4.0) -> Path:
    """Return a microphone's file that says it after so long, each time: time enough to mute it."""
    speech = said(path)
    pause = np.zeros(int(seconds * RATE), np.int16)
    return write_wav(folder / path.name, np.concatenate((pause, speech)), RATE)


def said(path: Path) -> NDArray[np.int16]:
    """Return what a file says, at the rate of what is heard."""
    with wave.open(str(path)) as file:
        speech = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return _at_rate(speech, file.getframerate())


def spoken(text: str) -> NDArray[np.int16]:
    """Return a text as the agent speaks it, at the rate of what is heard."""
    return _at_rate(np.concatenate(list(load_voice("rms").speak(text))), 24_000)


def button(visit: Visit, name: str) -> Locator:
    return visit.page.get_by_role("button", name=name, exact=True)


def state(visit: Visit) -> str | None:
    """Return how the phone's page says that its call stands."""
    return visit.page.get_attribute("#page", "data-state")


def call_silently(visit: Visit) -> None:
    """Press Call, and Mute before there is anybody to hear the microphone."""
    expect(button(visit, "Call")).to_be_enabled()
    visit.page.evaluate("call.click(), mute.click()")
    visit.until(lambda: state(visit) == "talking", within=20)
    expect(button(visit, "Mute")).to_have_attribute("aria-pressed", "true")


def _at_rate(speech: NDArray[np.int16], rate: int) -> NDArray[np.int16]:
    return speech if rate == RATE else StreamResampler(rate, RATE).process(speech)

"""Talk-off: speech must not be taken for keys, whatever the speaker's pitch."""

import shutil
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import resample_poly
from voicecodecs.dtmf import FRAME, DtmfDetector

TEXT = (
    "Thank you for calling. Your call may be recorded. Please say or enter the number of your "
    "account, followed by the hash key. Nine, eight, seven, six, five, four, three, two, one, "
    "zero, oh. I would like to speak to somebody about the bill I received on Tuesday the "
    "fourteenth of February. No, not that one; the one for seventy pounds and eighty pence. "
    "We were away all year, you know, and we owe you nothing. Who are you, and why are you "
    "asking me that? Hello? Hello! Mmm, yeah. Ooh, really? The quick brown fox jumps over the "
    "lazy dog. She sells sea shells by the sea shore. Press one for sales, two for service."
)
VOWELS = [  # heed hid head had hod hawed hood who'd hud heard
    (270, 2290, 3010),
    (390, 1990, 2550),
    (530, 1840, 2480),
    (660, 1720, 2410),
    (730, 1090, 2440),
    (570, 840, 2410),
    (440, 1020, 2240),
    (300, 870, 2240),
    (640, 1190, 2390),
    (490, 1350, 1690),
]
PITCHES = [(4, 5), (9, 10), (1, 1), (9, 8), (5, 4), (4, 3)]


def false_keys(lanes: NDArray[np.int16]) -> int:
    detector = DtmfDetector(len(lanes))
    whole = lanes.shape[1] // FRAME * FRAME
    return sum(len(detector.process(lanes[:, i : i + FRAME])) for i in range(0, whole, FRAME))


def stacked(waves: list[NDArray[np.float64]]) -> NDArray[np.int16]:
    """Set waves of many lengths, each at -20 dBFS, as rows."""
    lanes = np.zeros((len(waves), max(map(len, waves))), np.int16)
    for row, x in enumerate(waves):
        loud = x * (3276.8 / np.sqrt(np.mean(x**2)))
        lanes[row, : len(x)] = np.rint(loud.clip(-32768, 32767))
    return lanes


def vowel(pitch: float, formants: tuple[int, int, int]) -> NDArray[np.float64]:
    """Four seconds of a gliding, trembling voice through three resonances."""
    time = np.arange(8000 * 4) / 8000
    glide = pitch * (1 + 0.15 * np.sin(2 * np.pi * 0.7 * time) + 0.01 * np.sin(35 * time))
    phase = 2 * np.pi * np.cumsum(glide) / 8000
    voice = np.zeros(len(time))
    for harmonic in range(1, int(3400 / pitch / 1.2)):
        f = harmonic * glide
        gain = np.ones(len(time), complex)
        for formant, width in zip(formants, (80, 90, 120), strict=True):
            gain *= formant**2 / (formant**2 - f**2 + 1j * f * width)
        voice += np.abs(gain) / harmonic * np.sin(harmonic * phase)
    return voice


def test_vowels_of_men_women_and_children_are_not_keys() -> None:
    pitches = np.random.default_rng(3).uniform(85, 320, 16)
    waves = [vowel(pitch, formants) for pitch in pitches for formants in VOWELS]
    assert false_keys(stacked(waves)) == 0


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite, which speaks, is not installed")
@pytest.mark.parametrize("voice", ["kal", "slt"])
def test_spoken_sentences_at_many_pitches_are_not_keys(voice: str, tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    command = ["flite", "-voice", voice, "-t", TEXT, "-o", str(path)]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(float)
        rate = file.getframerate()
    speech = resample_poly(pcm, 8000, rate)
    assert len(speech) > 8000 * 20
    assert false_keys(stacked([resample_poly(speech, down, up) for up, down in PITCHES])) == 0
